"""URLs of our own image proxy: an origin and a signature over it, so that the proxy asks for nothing else.

HMAC-SHA256 (RFC 2104), of which half is kept, as §5 there allows: 128 bits that nobody guesses, and URLs that stay short.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error

DIRECTORY = "img"
_SIGNATURE_BYTES = 16
_PATH = re.compile(r"([A-Za-z0-9_-]{22})/([A-Za-z0-9_-]+)")


class Signer:
    """Makes and reads what stands behind `/img/`; `key` is secret, and as long as it stays the URLs do."""

    def __init__(self, key: str) -> None:
        self._key = key.encode("utf-8", "surrogatepass")

    def path(self, origin: str) -> str:
        """`img/SIGNATURE/ORIGIN`, both in URL-safe base64 without padding (RFC 4648 §5)."""
        return f"{DIRECTORY}/{self._signature(origin)}/{encoded(origin.encode())}"

    def origin(self, path: str) -> str | None:
        """The origin in what follows `img/`; None where the signature is missing or is another's.

        How long that takes says nothing about the key.
        """
        found = _PATH.fullmatch(path)
        if found is None:
            return None
        origin = decoded(found[2])
        if origin is None or not hmac.compare_digest(self._signature(origin), found[1]):
            return None
        return origin if encoded(origin.encode()) == found[2] else None  # one URL for an origin, not four

    def pseudonym(self) -> str:
        """A name by which whoever has the key knows its own, and which tells nobody anything else."""
        return "aggregator-" + encoded(hmac.digest(self._key, b"pseudonym", "sha256")[:9])

    def _signature(self, origin: str) -> str:
        said = hmac.digest(self._key, b"image\0" + origin.encode("utf-8", "surrogatepass"), "sha256")
        return encoded(said[:_SIGNATURE_BYTES])


def encoded(data: bytes) -> str:
    """URL-safe base64 without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> str | None:
    """The text that URL-safe base64 holds, with or without padding; None where it holds none."""
    bare = text.rstrip("=")
    try:
        return urlsafe_b64decode(bare + "=" * (-len(bare) % 4)).decode()
    except (Error, ValueError):
        return None
