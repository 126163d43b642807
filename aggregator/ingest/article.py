"""The article of a web page as HTML, found by trafilatura, which the extra `fulltext` installs.

trafilatura is given the bounded tree of `htmltree`, with links already absolute, because it resolves them against the
page's URL and not its `<base>`, and takes what has no image's file name for no image. Its own HTML output makes every list
a `<ul>` and code within a sentence a `<pre>`, so the tree that it finds is turned into HTML here.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

from lxml import etree
from lxml.html import HtmlElement

from aggregator.errors import ParseError
from aggregator.ingest.feedurls import absolute, is_web, public_url
from aggregator.ingest.htmltree import Page, image_sources, read_page

MAX_BYTES = 5_000_000  # of a page; 2 MB of text is more than any article
_MAX_TEXT = 2_000_000
_MAX_ELEMENTS = 10_000  # pages made to be slow take 4 s with these, and 0.01 s is usual
_SHORTEST = 200  # characters of text; less is a teaser or a cookie banner
_NEVER = "https://image.invalid/"  # stands for an image until its article is found

_HIGHLIGHTS = {"#b": "strong", "#i": "em", "#u": "u", "#t": "code", "#sub": "sub", "#sup": "sup"}
_NAMES = {"quote": "blockquote", "lb": "br", "graphic": "img", "ref": "a", "row": "tr"}
_KEPT = frozenset({"p", "div", "table", "del", "span"})
_BLOCKS = frozenset({"p", "div", "ul", "ol", "dl", "pre", "blockquote", "table", "h1", "h2", "h3", "h4", "h5", "h6"})


def is_available() -> bool:
    """Whether articles can be extracted: trafilatura is there, with what it needs itself."""
    try:
        import_module("trafilatura")
    except ImportError:
        return False
    return True


def extract_article(body: bytes, *, url: str, content_type: str = "", language: str = "") -> str:
    """The HTML of a page's article, its links and images absolute; empty where there is none, or hardly any.

    `url` is where the page came from, after redirects. Raises ImportError where trafilatura is not installed: ask
    `is_available` first.
    """
    from trafilatura import bare_extraction  # noqa: PLC0415 - 0.3 s, and an extra

    _be_quiet()
    if len(body) > MAX_BYTES:
        return ""
    try:
        page = read_page(body, url=public_url(url), content_type=content_type, language=language)
    except ParseError:
        return ""
    if page.elements > _MAX_ELEMENTS or _length(page.root, _MAX_TEXT) >= _MAX_TEXT:
        return ""
    images = _prepared(page)
    try:
        found: Any = bare_extraction(
            page.root,
            output_format="html",
            include_comments=False,
            include_tables=True,
            include_images=True,
            include_links=True,
            include_formatting=True,
        )
    except _SURPRISES:  # of a page that nobody thought of
        return ""
    if found is None or found.body is None or _length(found.body, _SHORTEST) < _SHORTEST:
        return ""
    return _as_html(found.body, images)


_SURPRISES = (ValueError, TypeError, LookupError, AttributeError, AssertionError, RecursionError, etree.LxmlError)


def _be_quiet() -> None:
    """Keeps trafilatura's warnings about pages without an article off a stderr that nobody set up for them.

    A handler that does nothing is what the documentation of `logging` gives libraries for this; whoever set up handlers
    of their own still gets everything.
    """
    logger = logging.getLogger("trafilatura")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def _length(element: etree._Element, enough: int) -> int:
    """How many characters of text there are, counted no further than that it is enough."""
    length = 0
    for text in element.itertext():
        length += len(text)
        if length >= enough:
            break
    return length


def _prepared(page: Page) -> dict[str, str]:
    """Makes the page's links absolute and its images recognisable; returns the images' URLs by what stands for them."""
    for anchor in page.root.iter("a"):
        href = (anchor.attrib.pop("href", None) or "").strip()
        href = absolute(href, page.base) if href else ""
        if is_web(href) or href.startswith("mailto:"):
            anchor.set("href", href)
    images: dict[str, str] = {}
    for image in list(page.root.iter("img")):
        references = [*image_sources(image), *_picture(image)]
        urls = (absolute(reference, page.base) for reference in references if not reference.startswith("data:"))
        url = next(filter(is_web, urls), "")
        texts = {name: image.get(name) or "" for name in ("alt", "title")}
        image.attrib.clear()
        if url:
            name = f"{_NEVER}{len(images)}.png"
            images[name] = url
            image.attrib.update({"src": name, **{key: text for key, text in texts.items() if text}})
    etree.strip_tags(page.root, "picture", "source")  # with which trafilatura loses the image
    return images


def _picture(image: HtmlElement) -> list[str]:
    """What the `<source>` elements beside an image offer; libxml2 takes the image for a part of the last one."""
    picture = next(image.iterancestors("picture"), None)
    sources = [] if picture is None else picture.iter("source")
    return [reference for source in sources for reference in image_sources(source)]


def _as_html(body: etree._Element, images: dict[str, str]) -> str:
    """The tree that trafilatura found (a subset of TEI) as HTML, without a body around it."""
    for element in list(body.iter(etree.Element)):
        if element is not body:
            _rename(element, images)
    for element in body.iter("p"):  # no block may stand within a paragraph
        if any(child.tag in _BLOCKS for child in element.iterdescendants()):
            element.tag = "div"
    parts = [str(etree.tostring(child, method="html", encoding="unicode")) for child in body]
    return "".join(part.strip() for part in (_escaped(body.text), *parts))


def _escaped(text: str | None) -> str:
    return (text or "").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _is_inline(code: etree._Element) -> bool:
    """Whether code stands within a line of text, or in the `<pre>` that was made of the code around it."""
    parent = code.getparent()
    if parent is None or parent.tag == "pre":
        return parent is not None
    return parent.tag not in ("body", "div", "blockquote") and not any("\n" in str(text) for text in code.itertext())


def _rename(element: etree._Element, images: dict[str, str]) -> None:
    """Makes one element of trafilatura's the one of HTML, with the attributes that it may have."""
    tag, rend = str(element.tag), element.get("rend") or ""
    keep: dict[str, str] = {}
    if tag == "graphic":
        src = images.get(element.get("src") or "", "")
        keep = {name: element.get(name) or "" for name in ("alt", "title")} | {"src": src}
        element.tag = "img" if src else "span"
    elif tag == "ref":
        keep = {"href": element.get("target") or ""}
        element.tag = "a"
    elif tag == "head":
        element.tag = rend if rend in _BLOCKS and rend.startswith("h") else "h3"
    elif tag == "list":
        element.tag = rend if rend in ("ul", "ol", "dl") else "ul"
    elif tag == "item":
        element.tag = rend[:2] if rend[:2] in ("dt", "dd") else "li"
    elif tag == "code":
        element.tag = "code" if _is_inline(element) else "pre"
    elif tag == "hi":
        element.tag = _HIGHLIGHTS.get(rend, "em")
    elif tag == "cell":
        element.tag = "th" if element.get("role") == "head" else "td"
    elif tag not in _KEPT:
        element.tag = _NAMES.get(tag, "div")
    element.attrib.clear()
    element.attrib.update({name: value for name, value in keep.items() if value})
