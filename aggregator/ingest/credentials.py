"""What a source is asked with in secret: for whom it is, and how it is kept out of everything that is shown."""

from __future__ import annotations

import html
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, unquote_plus, urlsplit, urlunsplit

from aggregator.ingest.feedurls import safe_url

Origin = tuple[str, str, int]  # scheme, host, port
Pairs = tuple[tuple[str, str], ...]
NOWHERE: Origin = ("", "", 0)
_PORTS = {"http": 80, "https": 443}
_HIDDEN = "***"
_CONTROLS = "".join(map(chr, range(33)))
_IGNORED = re.compile(r"[\t\r\n]+")
_WHOLE_WORD = 4  # a secret shorter than this is hidden only where it stands alone: "a" is in every message
_IN_BODIES = 6  # and in what gets read rather than shown, only one of this length
# A value that is a plain word and has a harmless name says what is wanted, not who wants it: `format: rss`, `page: 2`.
_PLAIN = re.compile(r"[A-Za-z]{1,12}|[0-9]{1,6}")
_HARMLESS_HEADERS = frozenset(
    {"accept", "accept-encoding", "accept-language", "cache-control", "dnt", "origin", "pragma", "referer", "te"}
    | {"user-agent", "x-requested-with"}
)


def trimmed(url: str) -> str:
    """The URL without what browsers ignore in one: controls and spaces around it, tabs and line ends within.

    Python's urlsplit leaves out some of them, which ones depends on its release, and requests leaves out none: two that
    read a URL must not disagree on its host.
    """
    return _IGNORED.sub("", url.strip(_CONTROLS))


def origin_of(url: str) -> Origin:
    """The scheme, host and port that a URL is asked at: lower-case, IDNA, without a trailing dot; NOWHERE for no web URL."""
    try:
        parts = urlsplit(trimmed(url))
        host, port = (parts.hostname or "").rstrip("."), parts.port
        if parts.scheme not in _PORTS or not host:
            return NOWHERE
        if not host.isascii():
            import idna  # noqa: PLC0415 - few hosts need it

            host = idna.encode(host, uts46=True).decode()
    except ValueError:
        return NOWHERE
    return parts.scheme, host, port or _PORTS[parts.scheme]


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Credentials:
    """What is sent to one origin and to no other; its repr shows none of it."""

    origin: Origin = NOWHERE
    user: str = ""
    password: str = ""
    headers: Pairs = ()
    cookies: Pairs = ()
    query: Pairs = ()

    @classmethod
    def for_url(
        cls,
        url: str,
        *,
        user: str = "",
        password: str = "",
        headers: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Credentials:
        """Those for the origin of a URL; without `user` and `password`, those that stand in the URL itself."""
        if not user and not password:
            user, password = userinfo_of(url)
        return cls(
            origin=origin_of(url),
            user=user,
            password=password,
            headers=tuple((headers or {}).items()),
            cookies=tuple((cookies or {}).items()),
            query=tuple((query or {}).items()),
        )

    def __repr__(self) -> str:
        return "Credentials(***)" if self.secrets() else "Credentials()"

    def covers(self, origin: Origin) -> bool:
        """Whether they may be sent there: to their own origin, or where its default http port became https."""
        return origin != NOWHERE and (
            origin == self.origin or (self.origin, origin) == (("http", origin[1], 80), ("https", origin[1], 443))
        )

    def authorization(self) -> str:
        """The value of the Authorization header (RFC 7617, in UTF-8); empty where there is neither user nor password."""
        return f"Basic {b64encode(self._basic()).decode()}" if self.user or self.password else ""

    def asked_url(self, url: str) -> str:
        """The URL with the query parameters added."""
        if not self.query:
            return url
        bare = url.partition("#")[0]
        added = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in self.query)
        return f"{bare}{'&' if '?' in bare else '?'}{added}"

    def unasked_url(self, url: str) -> str:
        """The URL without the query parameters that `asked_url` added: what may be kept and asked again."""
        if not self.query:
            return url
        scheme, netloc, path, query, fragment = urlsplit(url)
        known = set(self.query)
        pairs = [pair for pair in query.split("&") if _unquoted(pair) not in known]
        return urlunsplit((scheme, netloc, path, "&".join(pairs), fragment))

    def secrets(self) -> tuple[str, ...]:
        """Every value that must not be shown, longest first."""
        return self._values(1, lambda _name, _value: True)

    def redact(self, text: str) -> str:
        """The text with `***` for every secret, as it is or percent-encoded; short ones only where they stand alone."""
        return _redacted(text, self.secrets())

    def redact_answer(self, text: str) -> str:
        """Like `redact`, for what the server said and something reads: plain words such as `json` stay."""
        return _redacted(text, self._values(_WHOLE_WORD, _is_secret))

    def redact_bytes(self, body: bytes) -> bytes:
        """Like `redact_answer`, for a body in UTF-8 or a charset that extends ASCII; secrets of under 6 characters stay."""
        secrets = self._values(_IN_BODIES, _is_secret)
        if not secrets:
            return body
        return re.sub(_pattern(secrets).encode("utf-8", "surrogatepass"), _HIDDEN.encode(), body)

    def _basic(self) -> bytes:
        return f"{self.user}:{self.password}".encode("utf-8", "surrogatepass")

    def _values(self, shortest: int, is_secret: Callable[[str, str], bool]) -> tuple[str, ...]:
        values = [self.password]
        if self.user or self.password:
            for encoded in (b64encode(self._basic()).decode(), urlsafe_b64encode(self._basic()).decode()):
                values += [encoded, encoded.rstrip("=")]
        if not self.password:
            values.append(self.user)  # some servers take a key as the user
        for name, value in self.headers:
            if name.lower() not in _HARMLESS_HEADERS and is_secret(name, value):
                values += [value, *(word for word in value.split()[1:2] if is_secret(name, word))]  # `Bearer KEY`
        values += [value for name, value in self.cookies if is_secret(name, value)]
        values += [value for name, value in self.query if is_secret(name, value)]
        return tuple(
            sorted({value for value in values if len(value) >= shortest}, key=lambda value: (-len(value), value))
        )


NO_CREDENTIALS = Credentials()


def userinfo_of(url: str) -> tuple[str, str]:
    """The user and password that stand in a URL, decoded; empty where there are none."""
    try:
        userinfo, at, _ = urlsplit(trimmed(url)).netloc.rpartition("@")
    except ValueError:
        return "", ""
    user, _, password = userinfo.partition(":")
    return (unquote(user), unquote(password)) if at else ("", "")


def within_url(url: str) -> Credentials:
    """What stands in a URL in secret: user and password, and the values of parameters that are named like keys."""
    try:
        pairs = parse_qsl(urlsplit(trimmed(url)).query)
    except ValueError:
        pairs = []
    # The name of a short one hides it already, and "1" is in every message.
    query = {name: value for name, value in pairs if _names_a_secret(name) and len(value) >= _WHOLE_WORD}
    return Credentials.for_url(url, query=query)


def _is_secret(name: str, value: str) -> bool:
    return _names_a_secret(name) or not _PLAIN.fullmatch(value)


def _names_a_secret(name: str) -> bool:
    """Whether a parameter of that name is one that messages hide."""
    return safe_url(f"?{_quoted(name)}=1").endswith(_HIDDEN)


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _unquoted(pair: str) -> tuple[str, str]:
    name, _, value = pair.partition("=")
    return unquote_plus(name), unquote_plus(value)


def _redacted(text: str, secrets: Iterable[str]) -> str:
    secrets = tuple(secrets)
    return re.sub(_pattern(secrets), _HIDDEN, text) if secrets else text


def _pattern(secrets: Iterable[str]) -> str:
    """A pattern that finds any of the secrets; it repeats nothing but `25`, so it takes linear time."""
    return "|".join(
        spelled if len(secret) >= _WHOLE_WORD else rf"(?<![0-9A-Za-z]){spelled}(?![0-9A-Za-z])"
        for secret in secrets
        for spelled in ["".join(map(_spellings, secret))]
    )


def _spellings(sign: str) -> str:
    """A pattern for one character: itself, percent-encoded once or more, or escaped for HTML or JSON."""
    encoded = sign.encode("utf-8", "surrogatepass")
    escaped = "".join(f"%(?:25)*{_hex(byte)}" for byte in encoded)
    spellings = [re.escape(sign), escaped]
    if sign == " ":
        spellings.append(r"\+")
    if not sign.isalnum():
        spellings += [re.escape(html.escape(sign)), f"&#0*{ord(sign)};", rf"\\{re.escape(sign)}"]
    if ord(sign) < 0x10000:
        spellings.append(r"\\u" + "".join(_hex(byte) for byte in ord(sign).to_bytes(2, "big")))
    return f"(?:{'|'.join(dict.fromkeys(spellings))})"


def _hex(byte: int) -> str:
    """Two hexadecimal digits, of either case."""
    return "".join(digit if digit.isdigit() else f"[{digit}{digit.upper()}]" for digit in f"{byte:02x}")
