"""Templates that put an image proxy in front of an origin, and read the origin back out of what they made.

A template is data, one line for each proxy there is; nothing here knows any of them but for the signatures that some want.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from urllib.parse import quote, unquote

from aggregator.config.fields import SIGNED_PARTS, template_parts
from aggregator.images.proxies import MAX_CHARS
from aggregator.images.signing import decoded, encoded

_ORIGIN = re.compile(r"(https?)://([^/?#@]+)((?:/[^?#]*)?)(?:\?([^#]*))?")
_WHOLE = {  # parts that hold all of an origin, and what they look like
    "href": r"https?://.+",
    "href:q": r"https?%3A%2F%2F[A-Za-z0-9%._~-]+",
    "b64": r"[A-Za-z0-9_-]+",
    "b64:padded": r"[A-Za-z0-9_-]+={0,2}",
    "hex": r"(?:[0-9a-f]{2})+",
}
# A host by itself has to look like one: `2024` in `https://img.example.com/2024/a.jpg` is none.
_PIECES = {
    "scheme": r"https?",
    "host": r"(?:[^/?:.]+\.)+[A-Za-z][^/?:.]*(?::\d+)?",
    "path": r"(?:/[^?]*)?",
    "query": r".*",
}
_READ: Mapping[str, Callable[[str], str | None]] = {
    "href": lambda text: text,
    "href:q": unquote,
    "b64": decoded,
    "b64:padded": decoded,
    "hex": lambda text: bytes.fromhex(text).decode("utf-8", "replace"),
}
# What a part is of an origin: of the whole, its scheme, its host with the port, its path, and its query.
_WRITTEN: Mapping[str, Callable[[re.Match[str]], str]] = {
    "href": lambda origin: origin[0],
    "href:q": lambda origin: quote(origin[0], safe=""),
    "b64": lambda origin: encoded(origin[0].encode()),
    "b64:padded": lambda origin: urlsafe_b64encode(origin[0].encode()).decode(),
    "hex": lambda origin: origin[0].encode().hex(),
    "scheme": lambda origin: origin[1],
    "host": lambda origin: origin[2],
    "path": lambda origin: origin[3],
    "query": lambda origin: origin[4] or "",
}


class Template:
    """One way to wrap origins, such as `https://wsrv.nl/?url={href:q}`.

    `key` and `salt` are for the signatures, as their proxies' configuration has them: imgproxy's in hexadecimal.
    """

    def __init__(self, text: str, *, key: str = "", salt: str = "") -> None:
        self.text = text
        self._key, self._salt = key, salt
        self._pieces = re.split(r"\{([^{}]*)\}", text)  # literals, and between them the names of parts
        self._parts = template_parts(text)
        named = (_pattern(piece) if number % 2 else re.escape(piece) for number, piece in enumerate(self._pieces))
        self._shape = re.compile("".join(named))

    def wrap(self, origin: str) -> str | None:
        """The URL that stands for an origin; None where the origin could not be read back out of it.

        So nothing is ever lost: a template without `{query}` takes no origin that has one, and without `{scheme}` only
        https. A fragment is not sent to any server, and stays at the end; credentials are given to nobody.
        """
        bare, mark, fragment = origin.partition("#")
        found = _ORIGIN.fullmatch(bare)
        if found is None or not bare.isascii():
            return None
        url = self._filled(bare, found)
        if len(url) > MAX_CHARS or self._unwrapped(url) != bare:
            return None
        return url + mark + fragment

    def unwrap(self, url: str) -> str | None:
        """The origin in a URL of this shape, whatever its signature; None where it has another shape."""
        bare, mark, fragment = url.partition("#")
        origin = self._unwrapped(bare)
        return None if origin is None else origin + mark + fragment

    def _unwrapped(self, bare: str) -> str | None:
        found = self._shape.fullmatch(bare) if len(bare) <= MAX_CHARS else None
        if found is None:
            return None
        parts = found.groupdict()
        whole = next((part for part in self._parts if part in _WHOLE), None)
        if whole is not None:
            origin = _READ[whole](parts[_group(whole)])
        else:
            query = parts.get("query")
            origin = f"{parts.get('scheme', 'https')}://{parts['host']}{parts['path']}{f'?{query}' if query else ''}"
        return origin if origin is not None and _ORIGIN.fullmatch(origin) else None

    def _filled(self, bare: str, found: re.Match[str]) -> str:
        filled = ""
        for number in range(len(self._pieces) - 1, -1, -1):  # from the end: some signatures are over what follows them
            piece = self._pieces[number]
            if number % 2:
                value = _WRITTEN.get(piece)
                piece = self._signature(piece, bare, filled) if value is None else value(found)
            filled = piece + filled
        return filled

    def _signature(self, part: str, origin: str, rest: str) -> str:
        """A signature as its proxy checks it."""
        key = self._key.encode()
        if part == "camo":  # over the URL; https://github.com/atmos/camo
            return hmac.digest(key, origin.encode(), hashlib.sha1).hex()
        if part == "miniflux":  # over the URL; MEDIA_PROXY_PRIVATE_KEY
            return urlsafe_b64encode(hmac.digest(key, origin.encode(), hashlib.sha256)).decode()
        if part == "imgproxy":  # over the salt and the path that follows; https://docs.imgproxy.net/usage/signing_url
            said = bytes.fromhex(self._salt) + rest.encode()
            return encoded(hmac.digest(bytes.fromhex(self._key), said, hashlib.sha256))
        # thumbor: over the path that follows its slash; https://thumbor.readthedocs.io/en/latest/security.html
        made = b64encode(hmac.digest(key, rest.removeprefix("/").encode(), hashlib.sha1), altchars=b"-_")
        return made.decode()


def _group(part: str) -> str:
    return part.replace(":", "_")


def _pattern(part: str) -> str:
    if part in SIGNED_PARTS:
        return r"[^/?&]+"
    return f"(?P<{_group(part)}>{_WHOLE.get(part) or _PIECES[part]})"
