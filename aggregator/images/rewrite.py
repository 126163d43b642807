"""The one pass over a post that leaves every image at its origin: repair lazy-loading → make absolute → unwrap."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import cast

from lxml import etree
from lxml.html import HtmlElement

from aggregator.images.placeholders import is_placeholder
from aggregator.images.srcset import Candidate, parse_srcset, write_srcset

__all__ = ["LAZY", "is_placeholder", "leads_to_image", "rewrite_images"]

# Where scripts that load images late keep the real URL; the first that can be used wins.
LAZY_SRC = (
    *("data-src", "data-original", "data-original-src", "data-lazy-src", "data-actualsrc", "data-lazy", "data-url"),
    *("data-real-src", "data-echo", "data-croporisrc", "data-ks-lazyload", "data-backsrc", "data-orig-file"),
    *("data-image", "zoomfile", "file", "original", "_src"),
)
LAZY_SRCSET = ("data-srcset", "data-lazy-srcset", "data-original-set")
LAZY = frozenset({*LAZY_SRC, *LAZY_SRCSET, "data-sizes", "data-poster"})
_LAZY_CLASS = re.compile(r"\blazy")
_XLINK = "{http://www.w3.org/1999/xlink}href"
_STYLE_URL = re.compile(r"url\(\s*(\"[^\"]*\"|'[^']*'|[^\s\"')]*)\s*\)", re.IGNORECASE)
_IMAGE_PATH = re.compile(r"(?i)[^?#]*\.(?:a?jpe?g|a?png|gif|a?webp|avif|svg|bmp|heic|jfif)(?:[?#!@~].*)?")
_OPEN, _GONE = "x-open", "x-gone"  # marks: without its tags, without its content too
_MAX_CANDIDATES = 64
_STYLED = etree.XPath("descendant-or-self::*[@style!='']")  # a walk in C; the same in Python is a sixth of the pass
_PIXEL = re.compile(r"\s*[01](?:\.0*)?(?:px)?\s*")
_STYLE_SIZE = re.compile(r"(?:^|;)\s*(width|height)\s*:\s*(?!auto\b)([^;!]*)", re.IGNORECASE)


def rewrite_images(
    root: HtmlElement,
    *,
    resolve: Callable[[str], str | None],
    unwrap: Callable[[str], str | None],
    placeholders: Iterable[str] = (),
    styles: bool = True,
) -> tuple[str, ...]:
    """Leaves every image URL below `root` absolute and at its origin, and returns those of the real images in order.

    `resolve` makes a URL absolute, or says None where it must not be shown; `unwrap` recovers the origin behind
    proxies, or says None where that is no picture but a tracker. Text is never touched, and neither is a link, except one
    around an image that leads to the image.
    Images without any source, and those of one pixel, are removed. Done twice it changes nothing more.
    Without `styles` those in inline styles stay as they are, for a caller who lets none through.
    """
    return _Pass(resolve, unwrap, tuple(placeholders)).run(root, styles=styles)


class _Pass:
    """One pass over one tree."""

    def __init__(
        self, resolve: Callable[[str], str | None], unwrap: Callable[[str], str | None], placeholders: tuple[str, ...]
    ) -> None:
        self._resolve = resolve
        self._unwrap = unwrap
        self._placeholders = placeholders
        self._found: list[str] = []

    def run(self, root: HtmlElement, *, styles: bool) -> tuple[str, ...]:
        for element in list(root.iterdescendants("noscript")):
            self._noscript(element)
        _strip(root)
        handlers = {
            "img": self._img,
            "source": self._source,
            "video": self._media,
            "audio": self._media,
            "track": self._media,
            "image": self._svg_image,
        }
        for element in list(root.iter(*handlers)):
            handlers[element.tag](element)
        for element in root.iter("a"):
            if len(element):
                self._link(element)
        for element in cast("list[HtmlElement]", _STYLED(root)) if styles else ():
            self._style(element)
        _strip(root)
        return tuple(self._found)

    def _url(self, text: str | None) -> str | None:
        """The origin of an image, absolute; None where there is none to show."""
        url = self._resolve(text) if text and text != "#" else None
        if url is None or url.startswith("data:"):
            return url
        origin = self._unwrap(url)
        if origin is None or origin == url:
            return origin
        return self._resolve(origin) or url

    def _is_placeholder(self, url: str | None) -> bool:
        return url is None or is_placeholder(url, self._placeholders)

    def _is_waiting(self, url: str | None) -> bool:
        """Whether a URL is what a page shows until the real image is there: nothing, a placeholder, or inline data."""
        return url is None or url.startswith("data:") or self._is_placeholder(url)

    def _first(self, element: HtmlElement, names: Iterable[str]) -> str | None:
        """The first of an element's lazy attributes that leads to a real image."""
        for name in names:
            text = element.get(name)
            url = self._url(text) if text else None
            if not self._is_waiting(url):
                return url
        return None

    def _candidates(self, text: str | None) -> tuple[Candidate, ...]:
        found = []
        for written, descriptor in parse_srcset(text or "")[:_MAX_CANDIDATES]:
            url = self._url(written)
            if url and not url.startswith("data:"):
                found.append(Candidate(url, descriptor))
        return tuple(found)

    def _srcset(self, element: HtmlElement) -> tuple[Candidate, ...]:
        """Writes the srcset of an img or source, from the attribute that holds a usable one."""
        if not any("srcset" in name or name in LAZY_SRCSET for name in element.keys()):  # noqa: SIM118 - lxml
            return ()
        for name in ("srcset", *LAZY_SRCSET):
            text = element.get(name)
            candidates = self._candidates(text) if text else ()
            if not all(self._is_placeholder(url) for url, _ in candidates):
                element.attrib["srcset"] = write_srcset(candidates)
                return candidates
        _remove(element, "srcset", "sizes")
        return ()

    def _img(self, element: HtmlElement) -> None:
        written = element.get("src") or ""
        src = self._url(written)
        candidates = self._srcset(element)
        real = not self._is_waiting(src)
        if not real:
            late = self._first(element, LAZY_SRC)
            if late is not None:
                src, real = late, True
                if _is_pixel(element):
                    _remove(element, "width", "height", "style")  # they were the placeholder's
            elif candidates := candidates or self._of_picture(element):
                src = candidates[-1].url  # in rising order, as a rule: what ignores a srcset should see the best
                real = not self._is_waiting(src)
        if src is None or _is_missing(src) or _is_pixel(element):
            _drop(element)
            return
        if src != written:
            element.attrib["src"] = src
        _drop_lazy(element)
        if real:
            self._found.append(src)

    def _of_picture(self, element: HtmlElement) -> tuple[Candidate, ...]:
        """The candidates of an image's picture, from the last source, which is the one that the most readers can show."""
        picture = next(element.iterancestors("picture"), None)
        sources = [] if picture is None else reversed(list(picture.iter("source")))
        return next((found for source in sources if (found := self._candidates(source.get("srcset")))), ())

    def _source(self, element: HtmlElement) -> None:
        if element.get("srcset") or any(element.get(name) for name in LAZY_SRCSET):
            self._srcset(element)
        self._media(element)
        if element.get("src") is None and element.get("srcset") is None:
            _drop(element)

    def _media(self, element: HtmlElement) -> None:
        """Video, audio, track and source: what they play, and what they show before."""
        for name in ("src", "poster"):
            text = element.get(name) or element.get(f"data-{name}")
            if text is None:
                continue
            url = self._url(text)
            if url is None or url.startswith("data:"):
                _remove(element, name)
            else:
                element.attrib[name] = url
        _drop_lazy(element)

    def _svg_image(self, element: HtmlElement) -> None:
        for name in ("href", _XLINK):
            text = element.get(name)
            if text is not None:
                url = self._url(text)
                if url is None:
                    _remove(element, name)
                else:
                    element.attrib[name] = url

    def _style(self, element: HtmlElement) -> None:
        """Images in an inline style: one that must not be shown becomes `none`."""
        style = element.get("style")
        if "url(" in style.lower():
            element.attrib["style"] = _STYLE_URL.sub(self._style_url, style)

    def _style_url(self, match: re.Match[str]) -> str:
        text = match[1].strip("\"'")
        url = self._url(text)
        if url is None:
            return "none"
        return match[0] if url == text else f'url("{url.replace("(", "%28").replace(")", "%29")}")'

    def _link(self, element: HtmlElement) -> None:
        """A link around an image that leads to the same image, or to a larger one, leads to its origin."""
        image = next(element.iter("img"), None)
        href = element.get("href")
        target = None if image is None or href is None else self._resolve(href)
        if image is None or target is None or target.startswith("data:"):
            return
        origin = self._unwrap(target)
        if origin is None or origin == target:
            return
        if origin == image.get("src") or leads_to_image(origin):
            element.attrib["href"] = self._resolve(origin) or target

    def _noscript(self, element: HtmlElement) -> None:
        """What stands in noscript is shown, because a feed reader runs none; the fallback of a lazy image replaces it."""
        images = list(element.iter("img"))
        neighbour = _neighbour(element) if len(images) == 1 else None
        if neighbour is None:
            element.tag = _OPEN
            return
        fallback = images[0]
        src = neighbour.get("src") or ""
        lazy = any(neighbour.get(name) for name in LAZY) or _LAZY_CLASS.search(neighbour.get("class", ""))
        waiting = self._is_waiting(self._url(src))
        if waiting and self._first(neighbour, LAZY_SRC) is None and self._url(fallback.get("src")):
            for name in ("src", "srcset", "sizes"):
                if fallback.get(name):
                    neighbour.attrib[name] = fallback.get(name)
        elif not (waiting or lazy or self._url(src) == self._url(fallback.get("src"))):
            element.tag = _OPEN  # two different images
            return
        element.tag = _GONE


def leads_to_image(url: str) -> bool:
    """Whether the path of a URL ends as those of images do."""
    return _IMAGE_PATH.fullmatch(url) is not None


def _neighbour(element: HtmlElement) -> HtmlElement | None:
    """The image that an adjacent noscript is the fallback of: the one right before it, or else right after it."""
    before, after = element.getprevious(), element.getnext()
    if before is not None and before.tag != _GONE and not (before.tail or "").strip():
        images = [before] if before.tag == "img" else list(before.iter("img"))
        if len(images) == 1 and not "".join(before.itertext()).strip():
            return images[0]
    if after is not None and after.tag == "img" and not (element.tail or "").strip():
        return after
    return None


def _is_missing(src: str) -> bool:
    """Whether a template wrote the URL before it had one: `https://e.example/undefined` has no picture."""
    return src.rpartition("/")[2].lower() in {"undefined", "null"}


def _is_pixel(element: HtmlElement) -> bool:
    """Whether an image is declared to be at most one pixel wide and high, which only trackers are."""
    sizes = {name: element.get(name, "") for name in ("width", "height")}
    if style := element.get("style"):
        sizes |= {found[1].lower(): found[2] for found in _STYLE_SIZE.finditer(style)}  # which wins over attributes
    return all(_PIXEL.fullmatch(size) for size in sizes.values())


def _drop(element: HtmlElement) -> None:
    """Marks an image or source as removed, and a picture together with its last image; the root stays."""
    parent = element.getparent()
    if parent is None:
        return
    element.tag = _GONE
    if parent.tag == "picture" and parent.find("img") is None and parent.getparent() is not None:
        parent.tag = _GONE


def _strip(root: HtmlElement) -> None:
    """Takes out what is marked, all at once: one by one takes time in the square of their number."""
    etree.strip_tags(root, _OPEN)
    etree.strip_elements(root, _GONE, with_tail=False)


def _remove(element: HtmlElement, *names: str) -> None:
    for name in names:
        element.attrib.pop(name, None)


def _drop_lazy(element: HtmlElement) -> None:
    for name in element.keys():  # noqa: SIM118 - an lxml element is no dict
        if name in LAZY:
            del element.attrib[name]
