"""The one way to fetch an image, for the proxy, the mirror and the check: politely, within bounds, and only images."""

from __future__ import annotations

import socket
import string
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from hashlib import blake2b
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from aggregator.config.models import Config
from aggregator.errors import FetchError, HttpStatus, NotAnImage
from aggregator.images.raster import kind_of, size_of
from aggregator.images.referers import referer_of
from aggregator.images.vector import SVG, svg_fault
from aggregator.ingest.feedurls import host_of
from aggregator.ingest.http import Fetcher, Gate, Terms
from aggregator.ingest.sniff import describe
from aggregator.ingest.wire import Resolve
from aggregator.models import Fetched
from aggregator.pipeline.terms import user_agent

# Neither WebP nor AVIF by name: what is asked for once is shown to readers of every kind.
ACCEPT = "image/png, image/jpeg, image/gif, image/*;q=0.9, */*;q=0.5"
_HOSTS = 64  # to which connections are kept
_PER_HOST = 4
_ASCII = string.punctuation + " "
_SHOWN = 2_000  # bytes of what is no image that say what it is

_Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """What arrived, and what its bytes say it is: `image/webp`, `webp`, and its pixels where the header says them."""

    body: bytes = field(repr=False)
    type: str
    suffix: str
    width: int | None = None
    height: int | None = None

    @property
    def hash(self) -> str:
        """Names its bytes: BLAKE2b, 128 bits in hexadecimal."""
        return blake2b(self.body, digest_size=16).hexdigest()


class ImageFetcher:
    """Fetches images from as many threads as there are; what is no image is an error, whatever its server calls it.

    A `gate` says when a host may be asked; without one, whoever calls keeps the bounds. `headers` go with every request.
    """

    def __init__(
        self,
        config: Config,
        *,
        gate: Gate | None = None,
        headers: _Headers = (),
        resolve: Resolve = socket.getaddrinfo,
    ) -> None:
        fetch, images = config.fetch, config.images
        self._rows, self._own = images.headers, headers
        self._terms = Terms(
            timeout_s=fetch.timeout_s,
            max_bytes=images.max_bytes,
            allow_private=fetch.allow_private,
            accept=ACCEPT,
        )
        self._fetcher = Fetcher(
            user_agent(config),
            pool=_HOSTS,
            per_host=_PER_HOST,
            gate=gate,
            proxy=fetch.proxy.get_secret_value() if fetch.proxy else "",
            resolve=resolve,
        )

    def fetch(self, url: str) -> Picture:
        """The image at a URL, asked for with what its host is known to want.

        Where nothing is known of a host that answers 403, it is asked once more as if from its own site, which is enough for
        most that refuse strangers. Raises FetchError or one of its kinds; NotAnImage for what is none.
        """
        headers, is_known = self._headers(url)
        if is_known:
            return self._get(url, headers)
        try:
            return self._get(url, headers)
        except HttpStatus as error:
            if error.status != HTTPStatus.FORBIDDEN:
                raise
            refusal = error
        with suppress(HttpStatus):
            return self._get(url, (*headers, ("Referer", _site(url))))
        raise refusal

    def fetch_without_referer(self, url: str) -> Picture:
        """The image at a URL, asked for as a reader on some page would: with no Referer, and our own User-Agent.

        Raises the errors of `fetch`.
        """
        return self._get(url, ())

    def close(self) -> None:
        """Closes the connections that are kept."""
        self._fetcher.close()

    def _headers(self, url: str) -> tuple[_Headers, bool]:
        """What a host is asked with beyond what all are, and whether it is known which Referer it wants."""
        host = host_of(url)
        row = next((one for one in self._rows if any(fnmatchcase(host, glob.lower()) for glob in one.hosts)), None)
        referer = referer_of(host) if row is None else row.referer
        said = {"Referer": referer or "", "User-Agent": row.user_agent if row else ""}
        asked = tuple((name, quote(value, safe=_ASCII)) for name, value in said.items() if value)  # a header is ASCII
        return asked, referer is not None

    def _get(self, url: str, headers: _Headers) -> Picture:
        answer = self._fetcher.get(url, replace(self._terms, headers=(*headers, *self._own)))
        if not isinstance(answer, Fetched):
            raise FetchError("answered that nothing has changed, which nobody asked", url=url)
        return picture_of(answer.body, answer.url)


def picture_of(body: bytes, url: str = "") -> Picture:
    """What bytes are as an image; raises NotAnImage, which says what they are instead."""
    kind = kind_of(body)
    if kind is not None:
        width, height = size_of(body) or (None, None)
        return Picture(body, kind.type, kind.suffix, width, height)
    fault = svg_fault(body)
    if fault == "":
        return Picture(body, SVG.type, SVG.suffix)
    if fault:
        raise NotAnImage(f"{fault}, which is not shown", url=url)
    head = body[:_SHOWN]
    what = describe(head, head.decode("utf-8", "replace"), url).partition(", not a feed")[0]
    raise NotAnImage(f"{what} that is broken" if what.endswith(" image") else f"{what}, not an image", url=url)


def _site(url: str) -> str:
    """The front page of an image's host."""
    parts = urlsplit(url)  # it was asked already, so it is one
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"
