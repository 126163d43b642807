"""The HTML of a post, made safe to publish as it is: cleaned, absolute, and with its images at their origins.

The text is cleaned by nh3 (ammonia), which parses as browsers do. What it writes is regular enough to be read as XML, so
that the one lxml tree holds the very document that was cleaned. An HTML parser would see another one here and there
(libxml2's takes `<b><p>` apart), and such differences are how markup gets past a sanitiser.

What the W3C feed validator warns of (scripts, forms, frames, `style` that loads or moves things) is left out, but for
frames on the allow list. Links get no `rel`: `target` is removed, so there is no opener to protect.
"""

from __future__ import annotations

import html as entities
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import translate
from functools import partial
from typing import NamedTuple

import nh3
from lxml import etree
from lxml.html import HtmlElement

from aggregator.normalize.bounds import VOID, bounded, flattened
from aggregator.normalize.urls import LINK_SCHEMES, Read, outside, resolve, safe_image, safe_link, strip_tracking

ImagePass = Callable[[HtmlElement, Callable[[str], str | None]], tuple[str, ...]]

IFRAMES = (
    *("www.youtube.com/embed/*", "www.youtube-nocookie.com/embed/*", "player.vimeo.com", "player.bilibili.com"),
    *("www.bilibili.com/blackboard/*player.html", "player.youku.com", "v.qq.com", "www.ixigua.com/iframe/*"),
    *(
        "www.dailymotion.com/embed/*",
        "geo.dailymotion.com",
        "embed.nicovideo.jp",
        "player.twitch.tv",
        "clips.twitch.tv",
    ),
    *("embed.ted.com", "archive.org/embed/*", "music.163.com/outchain/*", "open.spotify.com/embed*"),
    *("w.soundcloud.com/player*", "bandcamp.com/EmbeddedPlayer/*", "embed.music.apple.com", "embed.podcasts.apple.com"),
    *("codepen.io/*/embed/*", "codesandbox.io/embed/*", "jsfiddle.net", "www.google.com/maps/embed*"),
    "www.openstreetmap.org/export/*",
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TAGS = _words(
    "a abbr acronym address article aside audio b bdi big blockquote br caption center cite code col colgroup dd del"
    " details dfn div dl dt em figcaption figure footer h1 h2 h3 h4 h5 h6 header hgroup hr i img ins kbd li main mark nav"
    " ol p picture pre q rp rt ruby s samp section small source span strike strong sub summary sup table tbody td tfoot"
    " th thead time tr track tt u ul var video wbr x-iframe x-noscript"
)
_CODE = _words("script style object applet select datalist template svg math title noframes noembed")
_ATTRIBUTES = {
    "*": {"title", "lang", "dir", "style", "align"},
    "a": {"href", "hreflang"},
    "audio": {"src", "controls", "loop", "preload"},
    "blockquote": {"cite"},
    "code": {"class"},
    "col": {"span", "width"},
    "colgroup": {"span", "width"},
    "del": {"cite", "datetime"},
    "details": {"open"},
    "img": {"src", "srcset", "sizes", "alt", "width", "height", "loading", "referrerpolicy"},
    "ins": {"cite", "datetime"},
    "li": {"value"},
    "ol": {"start", "type", "reversed"},
    "pre": {"class"},
    "q": {"cite"},
    "source": {"src", "srcset", "sizes", "media", "type"},
    "table": {"border", "width", "cellpadding", "cellspacing"},
    "td": {"colspan", "rowspan", "valign", "width"},
    "th": {"colspan", "rowspan", "valign", "width", "scope"},
    "time": {"datetime"},
    "track": {"src", "kind", "srclang", "label", "default"},
    "video": {"src", "poster", "controls", "loop", "muted", "preload", "width", "height"},
    "x-iframe": {"src", "width", "height"},
}
# For the image pass alone: where scripts that load images late keep the real URL. By name, because any other name of an
# attribute in HTML (`data-@click`, `data-a:b`) need not be one in XML.
_LATE = {
    *("data-src", "data-original", "data-original-src", "data-lazy-src", "data-actualsrc", "data-lazy", "data-url"),
    *("data-real-src", "data-echo", "data-croporisrc", "data-ks-lazyload", "data-backsrc", "data-orig-file"),
    *("data-image", "zoomfile", "file", "original", "_src"),
    *("data-srcset", "data-lazy-srcset", "data-original-set", "data-sizes", "data-poster", "class"),
}
_LOADED_LATE = ("img", "source", "video", "audio", "x-iframe")
_STYLES = {"text-align", "text-decoration", "font-style", "font-weight", "white-space"}  # what carries meaning
# For the image pass alone: backgrounds that are images, and sizes that only a tracker has.
_SHOWN = {"background", "background-image", "width", "height"}

# nh3 takes what stands in an iframe or noscript for text, as a browser with scripts does, and leaves it as it is. The
# others would, once they are removed, leave trees that no HTML gives, such as a `<p>` within a `<p>` (HTML §13.2.4.2).
_RENAMED = {
    "iframe": "x-iframe",
    "noscript": "x-noscript",
    "button": "x-button",
    "isindex": "x-isindex",
    **dict.fromkeys(("marquee", "form", "fieldset", "search"), "div"),
    **dict.fromkeys(("menu", "dir"), "ul"),
    "listing": "pre",
}
_RENAMED_TAG = re.compile(rf"<(/?)((?ai:{'|'.join(_RENAMED)}))(?=[\s/>])")  # without (?a) `ı` is an `i`, too
_RENAMED_START = re.compile(rf"</?(?:{'|'.join(sorted(_RENAMED))})".encode())  # in lower case: few posts have one
_VOID = re.compile(VOID.pattern.encode())
_TAG = re.compile(rb"<[a-z][^<>]*>")
# A line break in an attribute, of which XML §3.3.3 would make a space, and a space is part of a URL.
_BROKEN_LINE = re.compile(rb"<[a-z][^<>\n\t]*+[\n\t]")
_CONTROLS = bytes({*range(0x20), 0x7F} - {0x09, 0x0A, 0x0D})
# C1 controls, U+FFFD to U+FFFF: no XML, or a warning of the feed validator.
_UNFIT = re.compile(rb"\xc2[\x80-\x9f]|\xef\xbf[\xbd-\xbf]")

_BACKGROUND = re.compile(r"\bbackground(?:-image)?\s*:[^;]*?url\(\s*[\"']?([^\"')]+)", re.IGNORECASE)
_STYLE_VALUE = re.compile(r"[a-z0-9]+(?:[ -][a-z0-9]+)*")
_LANGUAGE = re.compile(r"(?:language|lang)-[\w+#.-]+")
_SANDBOX = "allow-scripts allow-same-origin allow-popups allow-presentation"
_TINY = re.compile(r"\s*[01](?:px)?\s*")

_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_CLOSED_BY = {  # an element, and the parents that its start tag would have closed: HTML §13.2.6.4.7
    **dict.fromkeys(_HEADINGS, _HEADINGS),
    **dict.fromkeys(("dd", "dt"), frozenset({"dd", "dt"})),
    **dict.fromkeys(("rp", "rt"), frozenset({"dd", "dt", "rp", "rt"})),
    "li": frozenset({"li"}),
}
_OPEN, _GONE = "x-open", "x-gone"  # marks: without its tags, without its content too
_MEDIA = frozenset({"audio", "picture", "track", "video"})
_CHECKED = frozenset({"href", "cite", "style", "class"})
_TRIMMED = frozenset(_LOADED_LATE) | {tag for tag, names in _ATTRIBUTES.items() if tag != "*" and names & _CHECKED}
_INLINE = _words(
    "a abbr acronym b bdi big cite code del dfn em i ins kbd mark q s samp small span strike strong sub sup tt u var"
)
_BLOCKS = _words(
    "address article aside blockquote center div dl figcaption figure footer h1 h2 h3 h4 h5 h6 header hgroup main nav ol p"
    " pre section ul"
)


@dataclass(frozen=True, slots=True)
class CleanHtml:
    """HTML that is safe to publish, the origins of the real images in it in order, and what had to be given up."""

    html: str = ""
    images: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class _Reads(NamedTuple):
    """How the URLs of one piece of HTML are read: what a link leads to, and what an attribute names."""

    link: Read
    page: Read


class HtmlCleaner:
    """Cleans the HTML of one source's posts; cleaning what is clean changes nothing.

    `images` is the pass over a tree that repairs its images: it gets a function that makes a URL absolute, or says None
    where it must not be shown, and returns the origins of the real images. `iframes` are globs for host and path of
    the frames that stay, such as `player.vimeo.com` or `*.example.com/embed/*`. Unless it is allowed, nothing leads into
    a private network.
    """

    def __init__(self, images: ImagePass, iframes: Iterable[str] = IFRAMES, *, allow_private: bool = False) -> None:
        self._images = images
        self._resolve: Read = resolve if allow_private else outside(resolve)
        self._link: Read = safe_link if allow_private else outside(safe_link)
        self._image: Read = safe_image if allow_private else outside(safe_image)
        globs = (glob if "/" in glob else f"{glob}/*" for glob in iframes)
        self._framed = re.compile("|".join(translate(glob.lower()) for glob in globs) or r"(?!)")
        self._nh3 = nh3.Cleaner(
            tags=set(_TAGS),
            clean_content_tags=set(_CODE),
            attributes={**_ATTRIBUTES, **{tag: _ATTRIBUTES[tag] | _LATE for tag in _LOADED_LATE}},
            url_schemes={"http", "https", "data", *LINK_SCHEMES},
            filter_style_properties=_STYLES | _SHOWN,
            link_rel=None,
        )
        self._parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
        self._parser.set_element_class_lookup(etree.ElementDefaultClassLookup(element=HtmlElement))

    def clean(self, html: str, base: str | None) -> CleanHtml:
        """The HTML with its URLs absolute against `base`, which is the page that it was written for."""
        if not html or html.isspace():
            return CleanHtml()
        html, warnings = bounded(html)
        text, flat = flattened(self._sanitised(html))
        if "<" not in text:
            return CleanHtml(_finished(text), (), warnings)
        try:
            root = etree.fromstring(_as_xml(text), self._parser)
        except etree.XMLSyntaxError:  # unheard of; without a tree nothing can be vouched for but the text
            text = entities.escape(nh3.clean(text, tags=set()))
            return CleanHtml(text, (), (*warnings, "the markup could not be read, and only its text was kept"))
        held = list(root.iter())  # lxml makes an object for an element each time it is met, unless one is alive
        if "<x-" in text or "style=" in text:
            self._restructure(root, base)
        images = self._images(root, partial(self._image, base=base))
        read = _Reads(partial(self._link, base=base), partial(self._resolve, base=base))
        _finish(root, read, styled="style=" in text)
        _strip(root)
        _mend(root)
        del held
        return CleanHtml(_written(root), images, (*warnings, *flat))

    def _sanitised(self, html: str) -> str:
        if _RENAMED_START.search(html.encode("utf-8", "surrogatepass").lower()):
            html = _RENAMED_TAG.sub(lambda match: f"<{match[1]}{_RENAMED[match[2].lower()]}", html)
        try:
            return self._nh3.clean(html)
        except UnicodeEncodeError:  # lone surrogates
            return self._nh3.clean(html.encode("utf-8", "ignore").decode())

    def _restructure(self, root: HtmlElement, base: str | None) -> None:
        """Makes of frames, noscript and background images what a feed reader can show."""
        for element in list(root.iter()):
            if element.tag == "x-noscript":
                element.tag = "noscript"
            elif element.tag == "x-iframe":
                self._iframe(element, base)
            elif len(element) == 0 and not (element.text or "").strip():
                background = _BACKGROUND.search(element.get("style", ""))
                if background and element.tag in _BLOCKS | _INLINE:
                    element.append(element.makeelement("img", {"src": background[1]}))

    def _iframe(self, frame: HtmlElement, base: str | None) -> None:
        """Puts a sandboxed frame, or a link, in a frame's place; what stood in it is what its page did not close."""
        src = self._resolve(frame.get("src") or frame.get("data-src") or "", base)
        tiny = _TINY.fullmatch(frame.get("width", "")) or _TINY.fullmatch(frame.get("height", ""))
        if src is not None and not tiny:
            address = re.sub(r"^https?://(?:[^/?#]*@)?([^/?#]*)/?([^?#]*).*$", r"\1/\2", src)
            if self._framed.match(address.lower()):
                frame.addprevious(_player(frame, src))
            elif next(frame.iterancestors("a"), None) is None:
                link = frame.makeelement("a", {"href": src})
                link.text = frame.get("title", "").strip() or address.rstrip("/")
                frame.addprevious(link)
        if len(frame) == 0:
            frame.text = None  # "Your browser does not support iframes"
        frame.tag = _OPEN


def _as_xml(clean: str) -> bytes:
    """What nh3 wrote, as well-formed XML 1.0: its only entity that XML lacks is `&nbsp;`."""
    closed = _VOID.sub(rb"<\1/>", _fit(clean))
    if _BROKEN_LINE.search(closed):
        closed = _TAG.sub(lambda match: match[0].replace(b"\n", b"&#10;").replace(b"\t", b"&#9;"), closed)
    return b"<div>%b</div>" % closed


def _fit(clean: str) -> bytes:
    """What nh3 wrote, of characters that XML and the feed validator take."""
    data = clean.encode().replace(b"&nbsp;", b"\xc2\xa0").translate(None, _CONTROLS)
    return _UNFIT.sub(b"", data) if b"\xc2" in data or b"\xef\xbf" in data else data


def _finished(clean: str) -> str:
    """What nh3 wrote of a text without elements: what its tree would be written as, without the tree."""
    return _fit(clean).decode().replace("\r\n", "\n").replace("\r", "\n").strip()


def _written(root: HtmlElement) -> str:
    text = etree.tostring(root, encoding="unicode", method="html")[len("<div>") : -len("</div>")].strip()
    for closer in ("</source>", "</track>", "</wbr>"):  # void since HTML 5, which libxml2 has not heard of
        text = text.replace(closer, "")
    return text


def _player(frame: HtmlElement, src: str) -> HtmlElement:
    """A frame that may play, and nothing else."""
    attributes = {"src": re.sub("^http:", "https:", src)}
    attributes |= {name: frame.get(name) for name in ("title", "width", "height") if frame.get(name)}
    return frame.makeelement("iframe", {**attributes, "sandbox": _SANDBOX, "allowfullscreen": "", "loading": "lazy"})


def _finish(root: HtmlElement, read: _Reads, *, styled: bool) -> None:
    """Leaves of each element below the root what may be published; one that holds nothing is marked to be removed.

    Without `styled` no element has a style.
    """
    for element in reversed(list(root.iterdescendants())):
        tag = element.tag
        if styled or tag in _TRIMMED:
            _trim(element, tag, read)
        if tag in _INLINE:
            if not element.text and _is_empty(element, spaces=False):  # most begin with a text, and are done with here
                element.tag = _GONE
            elif tag == "a" and element.get("href") is None:
                element.tag = _OPEN
        elif tag in _BLOCKS:
            if _is_empty(element, spaces=True):
                element.tag = _GONE
        elif tag in _MEDIA:
            _finish_media(element, tag)
        elif tag == "noscript":
            element.tag = _OPEN


def _finish_media(element: HtmlElement, tag: str) -> None:
    """Removes media that have nothing to show or play; what stood in them for want of it stays."""
    if tag in {"video", "audio"}:
        if element.get("src") is None and element.find("source") is None:
            element.tag = _GONE if _is_empty(element, spaces=True) else _OPEN
        elif element.get("controls") is None:
            element.attrib["controls"] = ""  # without scripts there is no other way to play it
    elif (tag == "picture" and element.find("img") is None) or (tag == "track" and element.get("src") is None):
        element.tag = _GONE


def _is_empty(element: HtmlElement, *, spaces: bool) -> bool:
    """Whether an element shows nothing; `spaces`: also where all it has is white space."""
    text = element.text
    if text and not (spaces and text.isspace()):
        return False
    for child in element:
        if child.tag != _GONE and not (child.tag == _OPEN and _is_empty(child, spaces=spaces)):
            return False
        text = child.tail
        if text and not (spaces and text.isspace()):
            return False
    return True


def _strip(root: HtmlElement) -> None:
    """Takes out what is marked; one by one, joining the text on both sides each time, 100,000 elements took 140 s."""
    etree.strip_tags(root, _OPEN)
    etree.strip_elements(root, _GONE, with_tail=False)


def _mend(root: HtmlElement) -> None:
    """Makes the tree one that HTML can say, so that what is written is read back as the same."""
    mended = False
    for element in reversed(list(root.iter("pre", *_CLOSED_BY))):
        tag, text = element.tag, element.text or ""
        if tag == "pre":
            if text.startswith("\n"):
                element.text = "\n" + text  # the first one is not read: HTML §13.2.6.4.7
        elif element.getparent().tag in _CLOSED_BY[tag]:
            element.tag = _OPEN  # what stood between them was removed
            mended = True
        elif not text:
            element.text = ""  # without a text node libxml2 leaves out the end tag of an empty <li>
    if mended:
        _strip(root)


def _trim(element: HtmlElement, tag: str, read: _Reads) -> None:
    """Removes the attributes that were for our eyes only, and makes those that stay safe."""
    is_late = tag in _LOADED_LATE
    for name in element.keys():  # noqa: SIM118 - an lxml element is no dict
        if is_late and name in _LATE:
            del element.attrib[name]
        elif name in _CHECKED:
            written = element.get(name)
            if name == "href":
                value = read.link(written)
                value = value and strip_tracking(value)
            elif name == "cite":
                value = read.page(written)
            elif name == "style":
                value = _meaningful(written)
            else:
                value = " ".join(word for word in written.split() if _LANGUAGE.fullmatch(word)) or None
            if value is None:
                del element.attrib[name]
            elif value != written:
                element.attrib[name] = value


def _meaningful(style: str) -> str | None:
    """The declarations that say something of the text, in a form that the feed validator passes."""
    pairs = (declaration.partition(":") for declaration in style.lower().split(";"))
    kept = [
        f"{name.strip()}:{value.strip()}"
        for name, _, value in pairs
        if name.strip() in _STYLES and _STYLE_VALUE.fullmatch(value.strip())
    ]
    return ";".join(kept) or None
