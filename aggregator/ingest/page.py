"""The items of a web page without a feed, by the CSS selectors of its source."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field

from lxml import etree

from aggregator.config.sources import PageSource
from aggregator.errors import ParseError
from aggregator.ingest.feedurls import absolute, is_web, public_url
from aggregator.ingest.htmltree import Page, image_sources, read_page, text_of, widest
from aggregator.ingest.selectors import Selector, compiled, selector_fault
from aggregator.models import Draft, Origin, Parsed

__all__ = ["parse_page", "selector_fault"]

_MOST_CONTENT = 20_000_000  # characters of one page: items within items have the inner ones' content again
_WARNINGS = 20
_NO_PAGE = re.compile(r"\s*(?:#|javascript:|mailto:|tel:|data:|sms:)|\s*\Z", re.IGNORECASE)


def parse_page(
    body: bytes, *, url: str, content_type: str = "", selectors: PageSource, language: str = "", max_items: int = 500
) -> Parsed:
    """The drafts of a page's items, in document order.

    `url` is where the body came from, after redirects. Without a selector of its own, the link is the first one that has
    a text, the title is that text, and the date is the first `time` with a `datetime`. Raises ParseError where the body
    is no page, where a selector cannot be read, and where no item is found: that one says what the page is instead.
    """
    url = public_url(url)
    asked = _Selectors.of(selectors)
    page = read_page(body, url=url, content_type=content_type, language=language)
    elements = asked.item.select(page.root)
    if not elements:
        raise ParseError(_nothing(page, asked.item, 0))
    reader = _Reader(page, url, asked, Origin(page.title, "", url))
    warnings = list(page.warnings)
    if len(elements) > max_items:
        warnings.append(f"The page has {len(elements)} items; the first {max_items} were read.")
    drafts = [reader.draft(number, element) for number, element in enumerate(elements[:max_items], start=1)]
    found = tuple(draft for draft in drafts if draft is not None)
    if not found:
        raise ParseError(_nothing(page, asked.item, len(elements)))
    return Parsed(found, page.title, url, (*warnings, *reader.warnings()))


def _nothing(page: Page, item: Selector, matched: int) -> str:
    """Why there are no items; a login or a challenge tells itself by its title."""
    title = f" (its title is “{page.title[:80]}”)" if page.title else ""
    if matched:
        return (
            f"none of the {matched} elements that `item` ({item.text}) selects in the page has a link or a title{title}"
        )
    return f"the selector of `item` ({item.text}) matches nothing in the page's {page.elements} elements{title}"


@dataclass(frozen=True, slots=True)
class _Selectors:
    """The selectors of a source, ready to be used; None where there is none."""

    item: Selector
    title: Selector | None
    link: Selector | None
    date: Selector | None
    content: Selector | None
    image: Selector | None

    @classmethod
    def of(cls, source: PageSource) -> _Selectors:
        texts = {key: getattr(source, key) for key in ("item", "title", "link", "date", "content", "image")}
        for key, text in texts.items():
            fault = selector_fault(text, of_items=key == "item") if text or key == "item" else ""
            if fault:
                raise ParseError(f"the selector of `{key}` ({text}) {fault}")
        return cls(
            compiled(texts.pop("item")), **{key: compiled(text) if text else None for key, text in texts.items()}
        )


@dataclass(slots=True)
class _Reader:
    """The items of one page, one after the other."""

    page: Page
    url: str
    asked: _Selectors
    origin: Origin
    left_out: list[int] = field(default_factory=list)
    titleless: int = 0
    dateless: int = 0
    content: int = 0  # characters so far
    cut: bool = False

    def draft(self, number: int, item: etree._Element) -> Draft | None:
        """One item; None where it has neither a link nor a title."""
        anchor = self._anchor(item)
        link = self._link(anchor)
        title = self._title(item)
        if not title:
            self.titleless += self.asked.title is not None
            title = "" if anchor is None else text_of(anchor) or _label(anchor)
        if not link and not title:
            self.left_out.append(number)
            return None
        date = self._date(item)
        self.dateless += self.asked.date is not None and not date
        return Draft(
            link=link or None,
            base_url=next(filter(is_web, (self.page.base, link, self.url)), None),
            title=title or None,
            title_is_plain=True,
            content=self._content(item) or None,
            published=date or None,
            image=self._image(item) or None,
            origin=self.origin,
        )

    def warnings(self) -> list[str]:
        """What was missing."""
        found = [
            f"Item {number} has neither a link nor a title; it was left out." for number in self.left_out[:_WARNINGS]
        ]
        if len(self.left_out) > _WARNINGS:
            found.append(f"{len(self.left_out) - _WARNINGS} more items have neither; they were left out.")
        if self.titleless:
            found.append(
                f"The selector of `title` finds nothing in {self.titleless} items; they have their link's text."
            )
        if self.dateless:
            found.append(f"{self.dateless} items have nothing where the selector of `date` looks.")
        if self.cut:
            found.append(f"The items' contents are longer than {_MOST_CONTENT} characters; the rest was left out.")
        return found

    def _absolute(self, reference: str) -> str:
        link = absolute(reference, self.page.base, self.url) if reference.strip() else ""
        return link if is_web(link) else ""

    def _anchor(self, item: etree._Element) -> etree._Element | None:
        """The element that holds the link: what the selector selects, else the first link with a text, else the first."""
        if self.asked.link:
            return self.asked.link.first(item)
        anchors = [anchor for anchor in item.iter("a", "area") if not _NO_PAGE.match(anchor.get("href") or "")]
        if not anchors:  # the card that lies within its link
            return next((outer for outer in item.iterancestors("a") if outer.get("href")), None)
        return next((anchor for anchor in anchors if text_of(anchor, 50)), anchors[0])

    def _link(self, anchor: etree._Element | None) -> str:
        """The link's URL, absolute; empty where there is none that leads to a page."""
        if anchor is None:
            return ""
        if self.asked.link and self.asked.link.attribute:
            reference = anchor.get(self.asked.link.attribute) or ""
        else:
            within = (inner.get("href") or "" for inner in anchor.iter("a", "area", "link"))
            around = (outer.get("href") or "" for outer in anchor.iterancestors("a"))
            reference = anchor.get("href") or next(filter(None, within), "") or next(filter(None, around), "")
        return "" if _NO_PAGE.match(reference) else self._absolute(reference)

    def _title(self, item: etree._Element) -> str:
        """What the selector of the title finds, as plain text; of an image, what it is said to show."""
        element = self.asked.title.first(item) if self.asked.title else None
        if element is None or self.asked.title is None:
            return ""
        if self.asked.title.attribute:
            return _line(element.get(self.asked.title.attribute) or "")
        return text_of(element) or _label(element)

    def _date(self, item: etree._Element) -> str:
        """The date as it is written: for machines where it is, else for people."""
        if self.asked.date is None:
            return next((_line(time.get("datetime") or "") for time in item.iter("time") if time.get("datetime")), "")
        element = self.asked.date.first(item)
        if element is None:
            return ""
        if self.asked.date.attribute:
            return _line(element.get(self.asked.date.attribute) or "")
        times = (time.get("datetime") or "" for time in element.iter("time"))
        return _line(next(filter(None, times), "") or element.get("content") or "") or text_of(element, 200)

    def _content(self, item: etree._Element) -> str:
        """The content as HTML: what is inside of everything selected, but not twice what is inside of both."""
        if self.asked.content is None or self.cut:
            return ""
        parts: list[str] = []
        taken: set[etree._Element] = set()
        for element in self.asked.content.select(item):
            if any(outer in taken for outer in element.iterancestors()):
                continue
            taken.add(element)
            attribute = self.asked.content.attribute
            parts.append((element.get(attribute) or "") if attribute else _inner(element))
        content = "\n".join(filter(None, parts))
        self.content += len(content)
        if self.content > _MOST_CONTENT:
            self.cut = True
            return ""
        return content

    def _image(self, item: etree._Element) -> str:
        """The image's URL, absolute: where a script would load it from, before what stands there until then."""
        element = self.asked.image.first(item) if self.asked.image else None
        if self.asked.image is None or element is None:
            return ""
        if self.asked.image.attribute:
            return self._absolute(_first_of_srcset(element.get(self.asked.image.attribute) or "", self.asked.image))
        for inner in (element, *element.iterdescendants("img", "source", "video")):
            for reference in image_sources(inner):
                found = self._absolute(reference) if not reference.startswith("data:") else ""
                if found:
                    return found
        return ""


def _first_of_srcset(value: str, selector: Selector) -> str:
    return widest(value) if selector.attribute.endswith("srcset") else value


def _label(element: etree._Element) -> str:
    """What an element without a text is said to be: its own label, or that of an image in it."""
    for inner in (element, *element.iterdescendants("img")):
        for name in ("alt", "title", "aria-label"):
            if label := _line(inner.get(name) or ""):
                return label
    return ""


def _line(text: str) -> str:
    return " ".join(text.split())[:2_000]


def _inner(element: etree._Element) -> str:
    """The HTML inside of an element; of one that shows something by itself, the element."""
    if element.tag in ("img", "picture", "video", "audio", "iframe"):
        return str(etree.tostring(element, method="html", encoding="unicode", with_tail=False))
    parts = [html.escape(element.text or "", quote=False)]
    parts += [str(etree.tostring(child, method="html", encoding="unicode")) for child in element]
    return "".join(parts).strip()
