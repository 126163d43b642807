"""Subscription lists (OPML 1.0 to 2.0): what they subscribe to, and our own sources as one.

listparser knows the folders too, but reads the bytes as HTML: a list in GBK comes out as mojibake, and it leaves out the
feeds' sites. So lxml reads what `feedtext` has decoded and mended, without entities and without the network.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from lxml import etree

from aggregator.errors import ParseError
from aggregator.ingest.feedtext import decode, mended, without_doctype
from aggregator.ingest.feedurls import absolute, is_web, public_url, safe_url
from aggregator.ingest.sniff import FEED_ROOTS, binary_kind, describe, is_html, root_of

MAX_SUBSCRIPTIONS = 10_000
_DEEPEST = 32  # folders within folders; libxml2 itself gives up at 256 elements
_LONGEST = 200  # characters of a folder's name or a title
_WARNINGS = 20
_DECLARATION = re.compile(r"<\?xml\s[^>]*>", re.IGNORECASE)
_FEED_TYPES = frozenset({"rss", "atom", "feed", "rdf", "rss1", "rss2", "jsonfeed"})
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Subscription:
    """One feed of a list: `url` is absolute, and `folders` the path of names that it stands under."""

    url: str
    title: str = ""
    folders: tuple[str, ...] = ()
    site: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a subscription list holds, in its own order and each URL once."""

    title: str
    subscriptions: tuple[Subscription, ...]
    warnings: tuple[str, ...] = ()


def read_opml(body: bytes, *, url: str, content_type: str = "") -> Listing:
    """The subscriptions that the bytes of a list hold; raises ParseError, which says what they are instead.

    `url` is where the list came from, or its path: relative addresses in it resolve against it. Of two outlines with one
    URL, the first counts. Folders are the outlines around a feed; where there are none, its `category` attribute.
    """
    kind = binary_kind(body)
    if kind:
        raise ParseError(f"{kind}, not a subscription list")
    text, warning = decode(body, content_type)
    text = text.lstrip("\ufeff \t\r\n\0")
    if is_html(text) or root_of(text) != "opml":
        raise ParseError(_instead(body, text, url))
    declaration = _DECLARATION.match(text)
    root = _parsed(mended(without_doctype(text[declaration.end() :] if declaration else text)))
    if root is None or _name(root) != "opml":
        raise ParseError("a subscription list (OPML) that is too broken to be read")
    notes = _Notes(warning)
    found: dict[str, Subscription] = {}
    for outline, folders in _outlines(root, notes):
        subscription = _subscription(outline, folders, public_url(url), notes)
        if subscription and len(found) < MAX_SUBSCRIPTIONS:
            found.setdefault(_key(subscription.url), subscription)
        elif subscription:
            notes.add(f"The list holds more than {MAX_SUBSCRIPTIONS} feeds; the others were left out.", once=True)
    return Listing(_title(root), tuple(found.values()), notes.all())


@dataclass(slots=True)
class _Notes:
    """The warnings of one list, not more of them than anybody reads."""

    first: str
    found: dict[str, None] = field(default_factory=dict)
    more: int = 0

    def add(self, text: str, *, once: bool = False) -> None:
        if len(self.found) < _WARNINGS or (once and text not in self.found):
            self.found[text] = None
        elif text not in self.found:
            self.more += 1

    def all(self) -> tuple[str, ...]:
        rest = f"{self.more} more outlines could not be used." if self.more else ""
        return tuple(filter(None, (self.first, *self.found, rest)))


def _parsed(text: str) -> etree._Element | None:
    """The document as far as it can be read: no entity of its own is expanded, nothing is fetched."""
    parser = etree.XMLParser(
        recover=True, resolve_entities=False, no_network=True, huge_tree=False, encoding="utf-8", remove_comments=True
    )
    try:
        return etree.fromstring(text.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError:
        return None


def _instead(body: bytes, text: str, url: str) -> str:
    """What a body is that is no list; feeds are what people mistake for one."""
    root = root_of(text)
    if root in FEED_ROOTS and not is_html(text):
        return "a web feed, not a subscription list; `type: feed` reads it"
    return re.sub(r"\b(?:not a|no) feed\b", "not a subscription list", describe(body, text, url), count=1)


def _name(element: etree._Element) -> str:
    tag = str(element.tag)  # of a processing instruction it is a function
    return tag.rpartition("}")[2].lower()


def _title(root: etree._Element) -> str:
    """The title in the list's head."""
    titles = (element for head in root if _name(head) == "head" for element in head if _name(element) == "title")
    return next((_tidy(element.text or "") for element in titles), "")


def _outlines(root: etree._Element, notes: _Notes) -> Iterator[tuple[dict[str, str], tuple[str, ...]]]:
    """Every outline with the names of the folders around it, in document order."""
    waiting: list[tuple[etree._Element, tuple[str, ...]]] = [(child, ()) for child in reversed(root)]
    while waiting:
        element, folders = waiting.pop()
        name = _name(element)
        inner: tuple[str, ...] = folders
        if name == "outline":
            attributes = {str(key).rpartition("}")[2].lower(): str(value) for key, value in element.attrib.items()}
            title = _tidy(attributes.get("text") or "") or _tidy(attributes.get("title") or "")
            if _address(attributes):
                yield attributes, folders
            elif title and len(folders) < _DEEPEST:
                inner = (*folders, title)
            elif title:
                notes.add(f"Folders lie more than {_DEEPEST} deep; the inner ones were left out.", once=True)
        elif name not in ("body", "opml"):
            continue
        waiting.extend((child, inner) for child in reversed(element))


def _address(attributes: dict[str, str]) -> str:
    """Where the outline's feed is, as it is written; empty for a folder. Some writers put it into `url`."""
    address = attributes.get("xmlurl", "").strip()
    if not address and attributes.get("type", "").strip().lower() in {*_FEED_TYPES, "link", "include"}:
        address = attributes.get("url", "").strip()
    return address


def _subscription(
    attributes: dict[str, str], folders: tuple[str, ...], base: str, notes: _Notes
) -> Subscription | None:
    title = _tidy(attributes.get("text") or "") or _tidy(attributes.get("title") or "")
    called = f"“{title[:60]}”" if title else "without a title"
    if attributes.get("type", "").strip().lower() in ("link", "include"):
        notes.add(f"The outline {called} names a page or another list, which is not followed.")
        return None
    address = _usable(_address(attributes), base)
    if not address:
        notes.add(f"The outline {called} has no web address, but {safe_url(_address(attributes))[:80]!r}.")
        return None
    site = attributes.get("htmlurl", "").strip()
    site = absolute(site, base) if site else ""
    return Subscription(address, title, folders or _category(attributes), site if is_web(site) else "")


def _usable(address: str, base: str) -> str:
    """The address as one that can be asked, or empty; `feed:` is how some readers write an address (as the config does)."""
    address = re.sub(r"^feed:(?://)?(?=https?:)", "", address, flags=re.IGNORECASE)
    address = re.sub(r"^feed://", "http://", address, flags=re.IGNORECASE)
    if re.match(r"rsshub:/*[^/\s]", address, re.IGNORECASE):
        return "rsshub" + address[len("rsshub") :]
    address = absolute(address, base)
    if not is_web(address) or re.search(r"[\s\x00-\x1f]", urlsplit(address).netloc):
        return ""
    scheme, netloc, path, query, _ = urlsplit(address)
    user, at, host = netloc.rpartition("@")
    return urlunsplit((scheme, user + at + host.lower(), path, query, ""))


def _key(address: str) -> str:
    """What tells two addresses apart: one that moves from http to https stays the same."""
    return re.sub(r"^https?://", "//", address)


def _category(attributes: dict[str, str]) -> tuple[str, ...]:
    """The first path in a `category` attribute, which is written `/a/b,/c` (OPML 2.0)."""
    for path in attributes.get("category", "").split(","):
        names = tuple(filter(None, (_tidy(name) for name in path.split("/"))))
        if names:
            return names[:_DEEPEST]
    return ()


def _tidy(text: str) -> str:
    return " ".join(text.split())[:_LONGEST]


def source_name(list_name: str, url: str) -> str:
    """The key of the source that a subscription becomes, from the list's name and the address alone.

    It fits the config's rule for names, and stays when the outline moves, is renamed, or goes from http to https.

    >>> source_name("friends", "https://blog.example.com/feed.xml")
    'friends-blog-example-com-b1b6a01c'
    """
    try:
        host = urlsplit(url).hostname or ""
        host = host if host.isascii() else host.encode("idna").decode()
    except ValueError:  # UnicodeError is one
        host = ""
    digest = hashlib.blake2b(_key(url).encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    slug = re.sub(r"[^a-z0-9]+", "-", host.lower().removeprefix("www."))[:40].strip("-")
    return "-".join(filter(None, (list_name[:50].strip("-"), slug, digest)))


def opml_of(title: str, feeds: Iterable[tuple[str, str, str, tuple[str, ...]]]) -> bytes:
    """Feeds as OPML 2.0: each is (title, URL, site, folders). The same feeds give the same bytes: there are no dates."""
    opml = etree.Element("opml", version="2.0")
    etree.SubElement(etree.SubElement(opml, "head"), "title").text = _CONTROL.sub("", title)
    body = etree.SubElement(opml, "body")
    places: dict[tuple[str, ...], etree._Element] = {(): body}
    for name, url, site, folders in feeds:
        attributes = {"type": "rss", "text": name or url, "title": name or url, "xmlUrl": url, "htmlUrl": site}
        outline = {key: _CONTROL.sub("", value) for key, value in attributes.items() if value}
        etree.SubElement(_folder(places, folders), "outline", outline)
    if not len(body):
        etree.SubElement(body, "outline", text=_CONTROL.sub("", title))  # the format wants at least one
    return bytes(etree.tostring(opml, pretty_print=True, encoding="UTF-8", xml_declaration=True))


def _folder(places: dict[tuple[str, ...], etree._Element], folders: tuple[str, ...]) -> etree._Element:
    """The outline of a folder, made where it is not there yet."""
    for depth in range(1, len(folders) + 1):
        if folders[:depth] not in places:
            text = _CONTROL.sub("", folders[depth - 1])
            places[folders[:depth]] = etree.SubElement(places[folders[: depth - 1]], "outline", text=text)
    return places[folders]
