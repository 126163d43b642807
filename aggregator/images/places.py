"""Where in a clean post an image can stand, and how another URL is put there.

The HTML is as `normalize` wrote it: every attribute in quotes, every `<` of a text escaped. So tags are found without a
tree, in a tenth of the time, and what is no image keeps its very bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape

from aggregator.images.rewrite import leads_to_image
from aggregator.images.srcset import Candidate, parse_srcset, write_srcset

Publish = Callable[[str], str | None]

_TAG = re.compile(r"<(/?)(img|source|video|a|picture)((?:\s+[^\s=>\"']+(?:=(?:\"[^\"]*\"|'[^']*'))?)*)\s*>")
_ATTRIBUTE = re.compile(r"\s+([^\s=>\"']+)(?:=(?:\"([^\"]*)\"|'([^']*)'))?")
_HOLDS_IMAGES = ("<img", "poster=", "srcset=")  # a pattern would take eighteen times as long
_EMPTY_LINK = re.compile(r"<a(?:\s[^>]*)?>\s*</a>")


def with_images(html: str, publish: Publish) -> str:
    """The HTML with each image where `publish` says; None: it goes, with the picture and the link that hold nothing else.

    A link around an image that leads to it, or to a larger one, goes where that is published.
    """
    if not any(mark in html for mark in _HOLDS_IMAGES):
        return html
    return _Walk(publish).run(html)


def image_urls(html: str) -> Iterator[str]:
    """The URLs of the images in clean HTML, in order and as often as they stand there."""
    found: list[str] = []

    def note(url: str) -> str:
        found.append(url)
        return url

    with_images(html, note)
    yield from found


class _Picture:
    """A picture that is being walked through: where its tag and those of its sources were written, and what became of its images."""

    __slots__ = ("has_dropped", "has_image", "position", "sources")

    def __init__(self, position: int) -> None:
        self.position = position
        self.sources: list[int] = []
        self.has_image = self.has_dropped = False


class _Walk:
    """One way through the tags of a text, writing it anew; what is written is replaced, never removed."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._written: list[str] = []
        self._link: int | None = None  # where the open link's tag was written
        self._pictures: list[_Picture] = []  # that are open, the outermost first
        self._has_dropped = False

    def run(self, html: str) -> str:
        end = 0
        for tag in _TAG.finditer(html):
            self._written.append(html[end : tag.start()])
            end = tag.end()
            self._written.append(self._tag(tag))
        self._written.append(html[end:])
        text = "".join(self._written)
        return _EMPTY_LINK.sub("", text) if self._has_dropped else text

    def _tag(self, tag: re.Match[str]) -> str:
        """What is written in the place of a tag."""
        closes, name, position = bool(tag[1]), tag[2], len(self._written)
        if name == "img":
            return self._img(tag)
        if name == "a":
            self._link = None if closes else position
        elif name == "picture" and not closes:
            self._pictures.append(_Picture(position))
        elif name == "picture" and self._pictures:
            return self._closed(self._pictures.pop(), tag[0])
        elif not closes:
            if name == "source" and self._pictures:
                self._pictures[-1].sources.append(position)
            return self._other(tag, name)
        return tag[0]

    def _closed(self, picture: _Picture, tag: str) -> str:
        """The end of a picture; without an image it is none, nor are its sources, and what else stood in it stays."""
        if picture.has_image or not picture.has_dropped:
            return tag
        for position in (picture.position, *picture.sources):
            self._written[position] = ""
        return ""

    def _img(self, tag: re.Match[str]) -> str:
        attributes = _attributes(tag[3])
        origin = attributes.get("src", "")
        url = self._url(origin) if origin else None
        for picture in self._pictures[-1:]:
            picture.has_dropped |= url is None
            picture.has_image |= url is not None
        if url is None:
            self._has_dropped = True
            return ""
        changed = self._srcset(attributes)
        if url != origin:
            attributes["src"] = url
            changed = True
        if self._link is not None:
            self._around(self._link, origin)
        return _written("img", attributes) if changed else tag[0]

    def _around(self, position: int, origin: str) -> None:
        """Publishes what a link around an image leads to, where that is an image."""
        opened = _TAG.fullmatch(self._written[position])
        assert opened is not None
        attributes = _attributes(opened[3])
        href = attributes.get("href", "")
        if href and (href == origin or leads_to_image(href)):
            url = self._url(href)
            if url is not None and url != href:
                attributes["href"] = url
                self._written[position] = _written("a", attributes)

    def _other(self, tag: re.Match[str], name: str) -> str:
        """A `source` with another srcset, or a `video` with another poster."""
        attributes = _attributes(tag[3])
        changed = self._srcset(attributes)
        poster = attributes.get("poster") if name == "video" else None
        if poster:
            url = self._url(poster)
            changed |= url != poster
            if url is None:
                del attributes["poster"]
            else:
                attributes["poster"] = url
        if name == "source" and changed and "srcset" not in attributes and "src" not in attributes:
            return ""
        return _written(name, attributes) if changed else tag[0]

    def _srcset(self, attributes: dict[str, str]) -> bool:
        """Publishes each candidate of a srcset; whether that changed anything."""
        text = attributes.get("srcset")
        if not text:
            return False
        before = parse_srcset(text)
        after = [Candidate(url, size) for origin, size in before if (url := self._url(origin)) is not None]
        if tuple(after) == before:
            return False
        if after:
            attributes["srcset"] = write_srcset(after)
        else:
            attributes.pop("srcset")
            attributes.pop("sizes", None)
        return True

    def _url(self, origin: str) -> str | None:
        return origin if origin.startswith("data:") else self._publish(origin)


def _attributes(text: str) -> dict[str, str]:
    """The attributes of a tag, unescaped."""
    return {name: unescape(double or single) for name, double, single in _ATTRIBUTE.findall(text)}


def _written(name: str, attributes: dict[str, str]) -> str:
    said = "".join(f' {key}="{_escaped(value)}"' for key, value in attributes.items())
    return f"<{name}{said}>"


def _escaped(value: str) -> str:
    return value.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
