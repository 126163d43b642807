"""feedparser's readers, driven so that they give what the source wrote.

`feedparser.parse` would re-encode text that looks doubly encoded (`Ã©tude` becomes `étude`), resolve ids as if they
were links, read `<itunes:summary>` as the content, and spend a tenth of its time on dates that are read elsewhere.
What it does so is decided in its two reader classes; these are they, with that overridden.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xml.parsers.expat import errors as expat
from xml.sax import SAXException, SAXParseException
from xml.sax.saxutils import escape as xml_escape
from xml.sax.xmlreader import InputSource

from feedparser.api import LooseFeedParser, StrictFeedParser

from aggregator.ingest.entryscope import MAX_ELEMENTS, TooMuch
from aggregator.ingest.feedquick import SURPRISES, QuickParser, QuickReader, has_c1
from aggregator.ingest.feedtext import mended

_MAX_NAMES = 200
_VOID = ("area", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr")
_VOID_START = tuple(f"<{tag}{end}" for tag in _VOID for end in " >")
_VOID_END = frozenset(f"</{tag}>" for tag in _VOID)
_ENDS_EARLY = frozenset(
    expat.codes[message]
    for message in (
        expat.XML_ERROR_NO_ELEMENTS,
        expat.XML_ERROR_UNCLOSED_TOKEN,
        expat.XML_ERROR_PARTIAL_CHAR,
        expat.XML_ERROR_UNCLOSED_CDATA_SECTION,
    )
)
_JUNK_AFTER = expat.codes[expat.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]


class _Text(str):
    """A text in which feedparser's mapping of C1 controls to windows-1252 costs nothing where there are none.

    It maps every character of every text: a fifth of all the time it takes to read a feed.
    """

    __slots__ = ()

    def translate(self, table: Any) -> str:
        return super().translate(table) if has_c1(self) else str(self)


class _Params(dict[str, Any]):
    """What is known of a content: none of the names for which feedparser's own dictionary takes several others.

    feedparser makes a deep copy of it for each content, but it holds nothing but texts.
    """

    def __deepcopy__(self, memo: Any) -> _Params:
        return _Params(self)


class _Reader:
    """What both readers do otherwise; `broken` holds the numbers of the entries in which feedparser stumbled."""

    broken: set[int]
    entries: list[Any]
    baseuri: str
    lang: str | None
    guidislink: int
    version: str
    feeddata: dict[str, Any]
    inentry: int
    push: Callable[..., None]
    pop: Callable[..., Any]
    elementstack: list[tuple[str, int, list[str]]]
    contentparams: dict[str, Any]
    pop_content: Callable[..., Any]
    namespaces_in_use: dict[str, str]
    _get_context: Callable[[], dict[str, Any]]
    resolve_relative_uris = False
    sanitize_html = False

    def resolve_uri(self, uri: str) -> str:
        """The URI as written."""
        return uri

    def unknown_starttag(self, tag: str, attrs: list[tuple[str, str]]) -> None:
        try:
            super().unknown_starttag(tag, attrs)  # type: ignore[misc]
        except SURPRISES:
            self.broken.add(len(self.entries) - 1)

    def unknown_endtag(self, tag: str) -> None:
        try:
            super().unknown_endtag(tag)  # type: ignore[misc]
        except SURPRISES:
            self.broken.add(len(self.entries) - 1)

    def handle_data(self, text: str, escape: int = 1) -> None:
        """Inline XHTML is written so that it reads the same as HTML, where `<br></br>` is two line breaks."""
        if not self.elementstack:
            return
        if escape:
            if dict.get(self.contentparams, "type") == "application/xhtml+xml":
                text = xml_escape(text)
        elif text in _VOID_END:
            return
        elif text.startswith(_VOID_START):
            text = text[:-1] + " />"
        self.elementstack[-1][2].append(text)

    def track_namespace(self, prefix: str | None, uri: str) -> None:
        """Remember a namespace; feedparser goes through all of them for each element, so there must not be many."""
        if len(self.namespaces_in_use) < _MAX_NAMES:
            super().track_namespace(prefix, uri)  # type: ignore[misc]

    def push_content(self, tag: str, attrs: dict[str, str], default_type: str, expecting_text: int) -> None:
        super().push_content(tag, attrs, default_type, expecting_text)  # type: ignore[misc]
        self.contentparams = _Params(self.contentparams)

    def decode_entities(self, element: str, data: str) -> str:
        return _Text(super().decode_entities(element, data))  # type: ignore[misc]

    def _start_item(self, attrs: dict[str, str]) -> None:
        super()._start_item(attrs)  # type: ignore[misc]
        self.entries[-1]["x_base"] = self.baseuri
        self.entries[-1]["x_lang"] = self.lang

    _start_entry = _start_item

    def _start_author(self, attrs: dict[str, str]) -> None:
        """A new author, who would otherwise inherit the e-mail address of the one before."""
        super()._start_author(attrs)  # type: ignore[misc]
        self._get_context().pop("author", None)

    _start_managingeditor = _start_author

    def _sync_author_detail(self, key: str = "author") -> None:
        """Find the e-mail address in an author, with an expression whose time is the square of the length."""
        context = self._get_context()
        if isinstance(author := dict.get(context, key), str):
            context[key] = author[:_MAX_NAMES]
        super()._sync_author_detail(key)  # type: ignore[misc]

    def _start_guid(self, attrs: dict[str, str]) -> None:
        super()._start_guid(attrs)  # type: ignore[misc]
        self.guidislink = int(attrs.get("ispermalink", "true").strip().lower() != "false")

    _start_id = _start_guid

    def _end_guid(self) -> None:
        permalink, self.guidislink = self.guidislink, 0
        super()._end_guid()  # type: ignore[misc]
        self._get_context()["x_permalink"] = bool(permalink)

    _end_id = _end_guid

    def _end_published(self) -> None:
        self.pop("published")

    _end_issued = _end_pubdate = _end_published

    def _end_updated(self) -> None:
        self.pop("updated")

    _end_modified = _end_lastbuilddate = _end_updated

    def _end_created(self) -> None:
        self.pop("created")

    def _start_dc_date(self, attrs: dict[str, str]) -> None:
        del attrs
        self.push("dc_date", 1)

    def _end_dc_date(self) -> None:
        self.pop("dc_date")

    def _start_itunes_summary(self, attrs: dict[str, str]) -> None:
        self.push_content("itunes_summary", attrs, "text/plain", 1)

    def _end_itunes_summary(self) -> None:
        self.pop_content("itunes_summary")

    def _start_media_description(self, attrs: dict[str, str]) -> None:
        self.push_content("media_description", attrs, "text/plain", 1)

    def _end_media_description(self) -> None:
        self.pop_content("media_description")

    def _start_dc_description(self, attrs: dict[str, str]) -> None:
        self.push_content("dc_description", attrs, "text/html", 1)

    def _end_dc_description(self) -> None:
        self.pop_content("dc_description")

    def _end_media_keywords(self) -> None:
        self._keep_keywords("media_keywords")

    def _end_itunes_keywords(self) -> None:
        self._keep_keywords("itunes_keywords")

    def _keep_keywords(self, element: str) -> None:
        words = [word.strip() for word in (self.pop(element) or "").split(",")]
        context = self._get_context()
        context["x_keywords"] = [*dict.get(context, "x_keywords", ()), *filter(None, words)]


class _Strict(QuickReader, _Reader, StrictFeedParser):  # type: ignore[misc]
    """For well-formed XML."""

    characters = _Reader.handle_data  # which feedparser calls from there

    def __init__(self) -> None:
        # The encoding is spelled so that feedparser does not know it: it "repairs" text only in "utf-8".
        super().__init__("", None, "utf8")
        self.contentparams = _Params()
        self.broken = set()
        self.guidislink = 0


class _Loose(_Reader, LooseFeedParser):  # type: ignore[misc]
    """For anything: an SGML reader that sees tags in a soup."""

    elements = 0

    def unknown_starttag(self, tag: str, attrs: list[tuple[str, str]]) -> None:
        """The start of an element."""
        self.elements += 1
        if self.elements > MAX_ELEMENTS:
            raise TooMuch
        super().unknown_starttag(tag, attrs)

    def handle_charref(self, ref: str) -> None:
        try:
            super().handle_charref(ref)
        except SURPRISES:
            self.handle_data(f"&#{ref};")


@dataclass(frozen=True, slots=True)
class Read:
    """What feedparser saw in a document, as its own dictionaries."""

    version: str  # `rss20`, `atom10`, …: feedparser's names
    feed: dict[str, Any]
    entries: list[dict[str, Any]]
    broken: frozenset[int]  # the numbers of entries that it could not read to their end
    warning: str = ""
    context: str = (
        ""  # what each of the entries was read in; empty unless that is the same for all, and nothing was mended
    )


def read(data: bytes) -> Read:
    """What a document in UTF-8, without DOCTYPE and XML declaration, holds: read strictly, or mended and read, or loosely.

    A last entry in which the document ends is left out.
    """
    strict, failure = _strictly(data)
    if failure and not _is_usable(failure):
        text = data.decode(errors="replace")
        mended_text = mended(text)
        again, second_failure = _strictly(mended_text.encode()) if mended_text != text else (strict, failure)
        if second_failure and not _is_usable(second_failure):
            return _loosely(mended_text, failure)
        strict = again
        if second_failure is None:
            return _as_read(strict, warning=f"The document is not well-formed ({_in_words(failure)}); it was mended.")
        failure = second_failure
    if failure is None:
        return _as_read(strict, context=strict.context())
    if _code(failure) == _JUNK_AFTER:
        return _as_read(strict, warning="Something follows after the end of the document; it was ignored.")
    return _as_read(strict, torn=bool(strict.inentry), warning="The document ends in the middle.")


def read_strictly(data: bytes) -> Read | None:
    """What a document holds that is well-formed UTF-8; None where it is not."""
    strict, failure = _strictly(data)
    return None if failure else _as_read(strict, context=strict.context())


def _strictly(data: bytes) -> tuple[_Strict, SAXException | None]:
    """The strict reader after it has read the bytes, and what stopped it."""
    reader = _Strict()
    source = InputSource()
    source.setEncoding("utf-8")  # whatever the document says of itself
    source.setByteStream(io.BytesIO(data))
    try:
        QuickParser(reader).parse(source)  # the text has no DOCTYPE any more
    except TooMuch:
        reader.close()
    except SAXException as error:
        return reader, error
    except SURPRISES as error:  # Python's XML reader stumbles over a namespace with a space in it
        return reader, SAXException(f"it cannot be read: {type(error).__name__}", error)
    return reader, None


def _loosely(text: str, failure: SAXException) -> Read:
    """What the loose reader sees; whether the last entry is torn is seen from its end tag."""
    reader = _Loose("", None, "utf8", {})
    reader.broken = set()
    warning = f"The document is not well-formed ({_in_words(failure)}); it was read leniently."
    try:
        reader.feed(_closed(text))
    except TooMuch:
        return _as_read(reader, torn=bool(reader.inentry), warning=warning)
    except SURPRISES:
        reader.broken.add(len(reader.entries) - 1)
    return _as_read(reader, torn=_ends_within_an_entry(text), warning=warning)


def _closed(text: str) -> str:
    """The text in which what opens a comment or a CDATA section that never closes is no markup.

    The SGML reader would look for its end to the end of the document, for each one anew.
    """
    for start, end in (("<!--", "-->"), ("<![CDATA[", "]]>")):
        last = text.rfind(end) + 1
        text = text[:last] + text[last:].replace(start, "&lt;" + start[1:])
    return text


def _ends_within_an_entry(text: str) -> bool:
    """Whether nothing closes the last entry: neither its own end tag nor the document's."""
    lower = text.lower()
    start = max(lower.rfind("<item"), lower.rfind("<entry"))
    return start >= 0 and not any(
        end in lower[start:] for end in ("</item", "</entry", "</rss", "</feed", "</rdf:rdf", "</channel")
    )


def _as_read(reader: _Strict | _Loose, *, torn: bool = False, warning: str = "", context: str = "") -> Read:
    entries = list(reader.entries)
    if reader.elements > MAX_ELEMENTS:
        warning = (
            f"{warning} The document has more than {MAX_ELEMENTS:,} elements; what follows them was left out.".strip()
        )
        context = ""
    if torn and entries:
        entries.pop()
        warning += " Its last entry is torn, and was left out."
    return Read(reader.version, reader.feeddata, entries, frozenset(reader.broken), warning, context)


def _code(failure: SAXException) -> int:
    return getattr(failure.getException(), "code", 0)


def _is_usable(failure: SAXException) -> bool:
    """Whether everything before the fault is good: the document just ends, or goes on after its end."""
    return _code(failure) in _ENDS_EARLY or _code(failure) == _JUNK_AFTER


def _in_words(failure: SAXException) -> str:
    if isinstance(failure, SAXParseException):
        return f"line {failure.getLineNumber()}: {failure.getMessage()}"
    return str(failure.getMessage())
