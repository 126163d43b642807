"""URLs as sources write them, made absolute, safe and comparable; nothing here does I/O.

What a browser forgives is forgiven (stray whitespace, backslashes, a missing scheme), and what is already a valid URL is
kept character by character: a trailing `?` or an odd percent-escape may be part of a signature.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

Read = Callable[..., str | None]  # of a URL and its base, which may be left out

LINK_SCHEMES = frozenset({"mailto", "tel", "sms", "xmpp", "irc", "ircs", "magnet", "geo", "ftp"})
MAX_DATA_CHARS = 32 * 1024

# Leading and trailing: WHATWG URL §4.4 strips C0 controls and space; feeds also hold no-break, zero-width and
# ideographic spaces and byte order marks there, which no URL begins or ends with.
_EDGES = "".join(map(chr, range(0x21))) + "\x7f\u00a0\u200b\u3000\ufeff"
_INNER = re.compile(r"[\t\n\r]+")  # removed anywhere: WHATWG URL §4.4, and how `java&#9;script:` hides
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_VALID = re.compile(r"https?://[a-z0-9][a-z0-9.-]*(?::\d+)?(?:[/?#][A-Za-z0-9;/?:@&=+$.\-_!~*'()%,#]*)?")
_PARTS = re.compile(r"(?i:(https?)):[/\\]+([^/\\?#]*)([^?#]*)(.*)")
# A host without the forbidden host code points of WHATWG URL §3.1, or an IPv6 address; then an optional port.
_AUTHORITY = re.compile(r"((?:[^@]*@)?)([^\x00-\x20\"#%/:<>?@\[\\\]^`{|}\x7f]+|\[[0-9A-Fa-f:.]+\])((?::\d{0,5})?)")
_PLAIN = re.compile(r"https?://(?:[a-z0-9-]+\.)+(?!local|internal)[a-z]+(?::\d+)?(?:[/?#]|\Z)")  # a name in the DNS
_HOST = re.compile(r"(?i:https?)://(?:[^/?#@]*@)*(\[[^\]/?#]*\]|[^/?#:]*)")
_UNSAFE = re.compile(r"[^A-Za-z0-9;/?:@&=+$.\-_!~*'()%,#]+")
_RASTER = re.compile(r"(?i:data:image/(?:png|gif|jpe?g|webp|avif)(?:;[a-z0-9=-]+)*;base64,)[A-Za-z0-9+/=_%-]+")

_HOLDS_URL = re.compile(r"[?&/=]https?(?::/|%3a)", re.IGNORECASE)
_TRACKING = re.compile(
    r"(?:utm_\w+|fbclid|gclid|gclsrc|dclid|gbraid|wbraid|msclkid|yclid|ysclid|twclid|ttclid|li_fat_id|igshid|igsh"
    r"|mc_[ce]id|mkt_tok|_hsenc|_hsmi|__hs\w+|hsctatracking|vero_\w+|oly_(?:anon|enc)_id|_openstat|wickedid|rb_clickid"
    r"|s_kwcid|spm|scm|spm_id_from|vd_source|share_(?:source|medium|plat|tag|session_id)|unique_k|at_(?:medium|campaign))",
    re.IGNORECASE,
)


def resolve(url: str, base: str | None = None) -> str | None:
    r"""The absolute http(s) URL that `url` means on a page at `base`, or None where it means none.

    `//host/x` becomes https; anything relative is resolved by RFC 3986 §5 and needs a base. A valid URL comes back
    verbatim; characters that no URL may hold are percent-encoded (RFC 3987 §3.1), existing escapes stay as they are.

    >>> resolve(" //e.example/a b.jpg\n")
    'https://e.example/a%20b.jpg'
    >>> resolve("java\tscript:alert(1)", "https://e.example/") is None
    True
    """
    if _VALID.fullmatch(url):
        return url
    text = _stripped(url)
    scheme = _SCHEME.match(text)
    if scheme is not None:
        return _repaired(text) if scheme[1].lower() in {"http", "https"} else None
    head, mark, tail = text.partition("?")
    text = head.replace("\\", "/") + mark + tail  # WHATWG URL §4.4: a backslash is a slash in http(s)
    if text.startswith("//"):
        return _repaired("https:" + text)
    if not text or not base:
        return None
    try:
        joined = urljoin(base, text)
    except ValueError:  # a base such as http://[x/
        return None
    return _repaired(joined + "?" if text.endswith("?") and not joined.endswith("?") else joined)


def safe_link(url: str, base: str | None = None) -> str | None:
    """The URL a link may lead to: absolute http(s), or one of `LINK_SCHEMES`; None for everything else."""
    if _VALID.fullmatch(url):
        return url
    text = _stripped(url)
    scheme = _SCHEME.match(text)
    if scheme is None or scheme[1].lower() not in LINK_SCHEMES:
        return resolve(url, base)
    return _encoded(text)


def safe_image(url: str, base: str | None = None) -> str | None:
    """The URL an image may be shown from: absolute http(s), or a small raster `data:` URI; None for everything else.

    SVG is left out because it can hold script, and anything over `MAX_DATA_CHARS` because every feed would carry it.
    """
    if _VALID.fullmatch(url):
        return url
    if url.lstrip(_EDGES)[:5].lower() == "data:":
        text = _INNER.sub("", url.strip(_EDGES)).replace(" ", "")
        return text if len(text) <= MAX_DATA_CHARS and _RASTER.fullmatch(text) else None
    return resolve(url, base)


def is_private(host: str) -> bool:
    """Whether a host, as it stands in a URL, names this machine or a private network without any look-up.

    Understands every spelling of an IPv4 address that inet_aton(3) does (`127.1`, `0x7f000001`, `2130706433`) and IPv6
    forms that carry an IPv4 address: mapped, compatible, 6to4 (RFC 3056) and NAT64 (RFC 6052).
    """
    name = host.strip("[]").rstrip(".").lower()
    if not name.isascii():
        import unicodedata  # noqa: PLC0415 - rare, and a megabyte of tables

        name = unicodedata.normalize("NFKC", name.replace("\u3002", "."))  # as IDNA maps it: UTS 46 §4
    last = name.rpartition(".")[2]
    if last in {"", "localhost", "local", "localdomain", "internal"}:
        return True
    if ":" not in name and not re.fullmatch(r"\d+|0x[0-9a-f]*", last):
        return False  # WHATWG URL §3.5: only a host that ends in a number is an IPv4 address
    return not _is_global(name)


def leads_inside(url: str) -> bool:
    """Whether an absolute http(s) URL leads to this machine or a private network, by its spelling alone.

    >>> leads_inside("http://[::1]:8080/x"), leads_inside("https://10.example/"), leads_inside("mailto:root@localhost")
    (True, False, False)
    """
    if _PLAIN.match(url):
        return False  # by far the most, in half a microsecond
    found = _HOST.match(url)
    return found is not None and is_private(found[1])


def outside(read: Read) -> Read:
    """A way of reading URLs that gives the same, but None for what leads into a private network."""

    def read_outside(url: str, base: str | None = None) -> str | None:
        found = read(url, base)
        return None if found is None or leads_inside(found) else found

    return read_outside


def permalink_key(url: str) -> str:
    """What identifies the page behind a link: equal for http and https, with and without tracking parameters.

    The scheme, the default port, tracking parameters and the fragment are left out and the host is in lower case; a
    fragment that is a route (`#!/a`, `#/a`) stays, because it names another page. `www.` stays as well.
    """
    absolute = resolve(url)
    parts = None if absolute is None else _PARTS.fullmatch(absolute)
    if parts is None:
        return _stripped(url)
    _, authority, path, tail = parts.groups()
    query, _, fragment = tail.partition("#")
    host = re.sub(r":(?:80|443)?$", "", authority.rpartition("@")[2].lower())
    route = f"#{fragment}" if fragment.startswith(("!", "/")) else ""
    return f"{host}{path or '/'}{_without_tracking(query)}{route}"


def strip_tracking(url: str) -> str:
    """The URL without the query parameters that only tell where a reader came from; otherwise verbatim.

    One that holds another URL is a redirector's, or signed as a whole, and stays as it is.
    """
    if "?" not in url or not url.startswith("http") or _HOLDS_URL.search(url):
        return url
    head, mark, fragment = url.partition("#")
    path, question, query = head.partition("?")
    return path + _without_tracking(question + query) + mark + fragment


def _stripped(url: str) -> str:
    text = url.strip(_EDGES)
    return text if text.isprintable() else _INNER.sub("", text)


def _encoded(text: str) -> str:
    return _UNSAFE.sub(lambda match: quote(match[0], safe="", errors="replace"), text)


def _repaired(url: str) -> str | None:
    """An absolute http(s) URL with nothing in it that RFC 3986 forbids, or None where there is no host."""
    parts = _PARTS.fullmatch(url)
    authority = None if parts is None else _AUTHORITY.fullmatch(parts[2])
    if parts is None or authority is None:
        return None
    user, host, port = authority.groups()
    if not host.isascii():
        try:
            host = host.encode("idna").decode()  # RFC 3490 §4
        except UnicodeError:
            return None
        if _AUTHORITY.fullmatch(host) is None or "@" in host:
            return None  # what looks like one letter may be mapped to `a/c` (U+2100), or to an `@`
    path = parts[3].replace("\\", "/")
    return f"{parts[1].lower()}://{_encoded(user)}{host}{port}{_encoded(path)}{_encoded(parts[4])}"


def _without_tracking(query: str) -> str:
    """A query with its `?`, without the tracking parameters; verbatim where it holds none."""
    pairs = query[1:].split("&")
    kept = [pair for pair in pairs if not _TRACKING.fullmatch(pair.partition("=")[0])]
    if len(kept) == len(pairs):
        return query
    return "?" + "&".join(kept) if kept else ""


def _is_global(name: str) -> bool:
    """Whether an address literal is reachable from the Internet; a number that is no address is not."""
    import ipaddress  # noqa: PLC0415 - 4 ms, for the few URLs with an address in them
    import socket  # noqa: PLC0415

    try:
        if ":" not in name:
            address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.IPv4Address(socket.inet_aton(name))
        else:
            address = _carried(ipaddress.IPv6Address(name.partition("%")[0]))
    except (OSError, ValueError):
        return False
    return address.is_global and not address.is_multicast


def _carried(address: IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address inside an IPv6 one, where it has a form that carries one; otherwise itself."""
    number = int(address)
    for prefix, shift, bits in (
        (0, 32, 0),  # ::/96, IPv4-compatible (RFC 4291 §2.5.5.1)
        (0xFFFF, 32, 0),  # ::ffff:0:0/96, IPv4-mapped
        (0x64FF9B << 64, 32, 0),  # 64:ff9b::/96, NAT64
        (0x2002, 112, 80),  # 2002::/16, 6to4: the address follows the prefix
    ):
        if number >> shift == prefix:
            import ipaddress  # noqa: PLC0415

            return ipaddress.IPv4Address(number >> bits & 0xFFFFFFFF)
    return address
