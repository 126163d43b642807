"""Our own image proxy: from a signed path to an image, out of the cache or from its origin; everything here may take long."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from aggregator.config.models import Config
from aggregator.images.signing import DIRECTORY, Signer
from aggregator.ingest.wire import Resolve
from aggregator.pipeline.imaging.cache import ImageCache, Kept
from aggregator.pipeline.imaging.fetching import ImageFetcher, picture_of
from aggregator.pipeline.imaging.scaling import Form, scaled, target_of

LOOP = "CDN-Loop"  # RFC 8586: by our name in it we know a request that we made ourselves, after whatever redirects
HOLDS_S = 30 * 86_400.0  # how long an image is taken to be what its origin has


class ImageProxy:
    """Gives images by their origins; from as many threads as there are.

    `key` signs the paths; `clock` gives seconds since 1970.
    """

    def __init__(
        self, config: Config, key: str, *, clock: Callable[[], float], resolve: Resolve = socket.getaddrinfo
    ) -> None:
        proxy = config.images.proxy
        self._signer, self._clock = Signer(key), clock
        self.pseudonym = self._signer.pseudonym()
        self._fetcher = ImageFetcher(config, headers=((LOOP, self.pseudonym),), resolve=resolve)
        self.cache = ImageCache(proxy.cache, proxy.cache_bytes, clock=clock)

    def origin(self, path: str) -> str | None:
        """The URL that was signed, in what follows `/img/`; None where we did not sign it."""
        return self._signer.origin(path)

    def is_own(self, origin: str) -> bool:
        """Whether an origin is itself a URL that we signed, under whatever name we are reached: asking for it asks us."""
        try:
            path = unquote(urlsplit(origin).path)
        except ValueError:
            return False
        return self._signer.origin(path.rpartition(f"/{DIRECTORY}/")[2]) is not None

    def kept(self, origin: str) -> Kept | None:
        """The image as it was fetched once, which may be long ago."""
        return self.cache.get(origin)

    def fetch(self, origin: str, former: Kept | None = None) -> Kept:
        """The image as its origin has it now, kept from now on; `former` is what it was. Raises FetchError."""
        picture = self._fetcher.fetch(origin)
        now = self._clock()
        is_same = former is not None and former.body == picture.body and former.type == picture.type
        modified = min(former.modified, now) if former is not None and is_same else now  # the clock may have been ahead
        kept = Kept(picture.body, picture.type, now, modified)
        self.cache.put(origin, kept)
        return kept

    def known(self, origin: str, kept: Kept, form: Form) -> Kept | None:
        """An image in another form, or itself where it is best shown as it is; None where it has to be made to tell."""
        if not target_of(kept.body, form):
            return kept
        known = self.cache.get(_name(origin, form))
        if known is None or known.fetched != kept.fetched:
            return None
        return known if known.body else kept

    def made(self, origin: str, kept: Kept, form: Form) -> Kept:
        """An image in another form, made now and kept too; the image itself where that gains nothing."""
        body = scaled(kept.body, form) or b""
        made = Kept(body, picture_of(body).type if body else "", kept.fetched, kept.modified)
        self.cache.put(_name(origin, form), made)
        return made if body else kept

    def close(self) -> None:
        """Closes the connections that are kept."""
        self._fetcher.close()


def _name(origin: str, form: Form) -> str:
    return f"{origin}\n{form}"


def file_name(origin: str, suffix: str) -> str:
    """What an image is called when somebody saves it: the last of its origin's path, in letters that no header minds."""
    stem = ""
    with suppress(ValueError):
        last = unquote(urlsplit(origin).path).rpartition("/")[2]
        stem = "".join(char if char.isascii() and (char.isalnum() or char in "-_") else "_" for char in last)
        stem = stem[: -len(last.rpartition(".")[2]) - 1] if "." in last else stem
    return f"{stem[:60] or 'image'}.{suffix}"
