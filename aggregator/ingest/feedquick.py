"""Short cuts through feedparser's strict reader for the elements that nearly all of an entry is made of.

Python's XML reader and feedparser's between them take each element's name apart and put it together again at its start
and at its end, and each attribute's twice, and look up namespaces and handlers for each: a third of the time it takes to
read a feed. Of an element within an entry, with attributes that mean nothing to feedparser itself, only the calls of its
handlers are left here. All else (the feed's own elements, inline XHTML, `xml:base`, `xml:lang`, …) goes the long way,
through feedparser's own methods: the short cuts change how long a feed takes, and never what is read. They are written
after feedparser 6.0.11 to 6.0.14, in which these methods are the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax import expatreader, handler

from aggregator.ingest.entryscope import ScopedReader

# What a handler of feedparser's may raise on input that its author did not think of.
SURPRISES = (ValueError, TypeError, LookupError, OverflowError, AttributeError, RecursionError)
_C1 = re.compile(rb"\xc2[\x80-\x9f]")
_LONG_NAME = 200  # characters with its namespace, which is written once and stands before each name
_MANY_ATTRIBUTES = 20  # the long way counts them
_SCOPING = ("base", "lang", "xmlns")  # attributes that feedparser itself reads; with a prefix they have a space in them
_ROOTS = ("feed", "rss")  # elements whose language is the feed's
_INLINE = ("math", "svg")  # elements that are given a namespace in inline XHTML
_IN_TEXTINPUT = ("title", "link", "description", "name")
_IN_IMAGE = ("title", "link", "description", "url", "href", "width", "height")
# Elements whose end ends a content, so that nothing is known of it when unknown_endtag looks whether to write the tag.
_CONTENTS = frozenset(
    (
        *("title", "media_title", "dc_title"),
        *("description", "dc_description", "media_description"),
        *("summary", "itunes_summary", "subtitle", "itunes_subtitle"),
        *("content", "content_encoded"),
    )
)
_STORED_OTHERWISE = ("content", "description", "link", "title")
_STORED_ELSEWHERE = ("category", "tags", "itunes_keywords")  # by their handlers


def has_c1(text: str) -> bool:
    """Whether a text has a C1 control in it, which feedparser takes for windows-1252.

    Only what is in U+0080 to U+00BF begins with that byte in UTF-8: to look for it takes a tenth of the time.
    """
    if text.isascii():
        return False
    data = text.encode("utf-8", "surrogatepass")
    return b"\xc2" in data and _C1.search(data) is not None


@dataclass(frozen=True, slots=True)
class _Element:
    """What the name of an element stands for."""

    name: tuple[str | None, str]  # as SAX has it
    key: str  # as feedparser has it: with its own prefix for the namespace, `media_title`
    start: Callable[..., None] | None  # feedparser's handlers, where it knows the element
    end: Callable[..., None] | None
    leaves_textinput: bool
    leaves_image: bool
    is_content: bool


class QuickReader(ScopedReader):
    """What makes a strict reader of feedparser's quick; `begins` and `ends` say whether they have read an element's tag."""

    baseuri: str
    basestack: list[str]
    broken: set[int]
    contentparams: dict[str, Any]
    decls: dict[str, str]
    depth: int
    elementstack: list[tuple[str, int, list[str]]]
    entries: list[Any]
    incontent: int
    inentry: int
    inimage: int
    insource: int
    intextinput: int
    lang: str | None
    langstack: list[str | None]
    namespacemap: dict[str | None, str]
    namespaces_in_use: dict[str, str]
    svgOK: int  # noqa: N815
    property_depth_map: dict[Any, dict[str, int]]
    push: Callable[[str, int], None]
    _get_context: Callable[[], dict[str, Any]]
    _matchnamespaces: dict[str, str]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.names: dict[str, _Element | None] = {}  # by expat's name; None for those that always go the long way

    def begins(self, name: str, attributes: Mapping[str, str]) -> bool:
        """The start of an element: what startElementNS and unknown_starttag do, where no base nor content is open."""
        if not self.scope.depth or self.incontent or self.baseuri or self.decls or len(attributes) > _MANY_ATTRIBUTES:
            return False
        element = self._element(name)
        said = _normalized(attributes)
        if element is None or said is None:
            return False
        self.count(element.name, None)
        self.scope.depth += 1
        self.depth += 1
        self.basestack.append(self.baseuri)
        self.langstack.append(self.lang)
        if element.leaves_textinput:
            self.intextinput = 0
        if element.leaves_image:
            self.inimage = 0
        try:
            self._start(element, said)
        except SURPRISES:
            self.broken.add(len(self.entries) - 1)
        return True

    def _start(self, element: _Element, said: dict[str, str]) -> None:
        """Gives an element to its handler; where that fails, the element is treated as an unknown one: as feedparser does."""
        if element.start:
            try:
                element.start(self, said)
            except AttributeError:
                pass
            else:
                return
        if said:
            self._get_context()[element.key] = said
        else:
            self.push(element.key, 1)

    def ends(self, name: str) -> bool:
        """The end of an element: what endElementNS and unknown_endtag do, where it is no entry's nor a tag in a content."""
        if self.scope.depth < 2 or self.svgOK:
            return False
        element = self._element(name)
        if element is None or (self.incontent and not element.is_content):
            return False
        self.unclosed.pop()
        try:
            self._end(element)
            self._unscope()
        except SURPRISES:
            self.broken.add(len(self.entries) - 1)
        self.scope.depth -= 1
        return True

    def _end(self, element: _Element) -> None:
        if element.end:
            try:
                element.end(self)
            except AttributeError:
                pass
            else:
                return
        self.pop(element.key)

    def _unscope(self) -> None:
        """What an element's language and base were to it is over."""
        if self.basestack:
            self.basestack.pop()
            if self.basestack and self.basestack[-1]:
                self.baseuri = self.basestack[-1]
        if self.langstack:
            self.langstack.pop()
            if self.langstack:
                self.lang = self.langstack[-1]
        self.depth -= 1

    def pop(self, element: str, strip_whitespace: int = 1) -> str | None:
        """The text of an element that ends, which its entry keeps: feedparser's pop, where it is no content nor a link.

        That is a twentieth of the time. What pop does for those, and with `xml:base`, base64 and XHTML, has nothing to do where no content is open.
        """
        stack = self.elementstack
        is_usual = stack and stack[-1][0] == element and element not in _STORED_OTHERWISE
        if not is_usual or not self.inentry or self.insource or self.incontent or self.contentparams:
            return super().pop(element, strip_whitespace)  # type: ignore[misc, no-any-return]
        _, expects_text, pieces = stack[-1]
        text = "".join(pieces)
        if has_c1(text):
            return super().pop(element, strip_whitespace)  # type: ignore[misc, no-any-return]
        del stack[-1]
        if strip_whitespace:
            text = text.strip()
        if expects_text and element not in _STORED_ELSEWHERE:
            depths = self.property_depth_map.setdefault(self.entries[-1], {})
            if self.depth <= depths.get(element, self.depth):
                depths[element] = self.depth
                self.entries[-1][element] = text
        return text

    def endElementNS(self, name: tuple[str | None, str], qname: str | None) -> None:  # noqa: N802
        """The end of an element; after an entry the namespaces are again what they were before."""
        declared = self.namespacemap, self.namespaces_in_use
        super().endElementNS(name, qname)
        if declared != (self.namespacemap, self.namespaces_in_use):
            self.names.clear()

    def track_namespace(self, prefix: str | None, uri: str) -> None:
        """Remember a namespace, with which names can stand for something else."""
        super().track_namespace(prefix, uri)  # type: ignore[misc]
        self.names.clear()

    def _element(self, name: str) -> _Element | None:
        """What a name of expat's (`URI local prefix`, `URI local` or `local`) stands for; None for the long way."""
        if len(name) > _LONG_NAME:
            return None
        if name not in self.names:
            self.names[name] = self._found(name)
        return self.names[name]

    def _found(self, name: str) -> _Element | None:
        """What a name stands for, as startElementNS and unknown_starttag find it, and endElementNS and unknown_endtag."""
        parts = name.split()
        uri, local = (None, name) if len(parts) == 1 else parts[:2]
        tag = local.lower()
        # A letter may have more than one lower case, and a namespace with white space in it makes more parts.
        if not name.isascii() or len(parts) > 3 or tag in _ROOTS or tag in _INLINE:
            return None
        if prefix := self._prefix(uri):
            tag = f"{prefix}:{tag}"
        prefix, _, suffix = tag.partition(":") if ":" in tag else ("", "", tag)
        prefix = self.namespacemap.get(prefix, prefix)
        key = f"{prefix}_{suffix}" if prefix else suffix
        return _Element(
            name=(uri, local),
            key=key,
            start=getattr(type(self), "_start_" + key, None),
            end=getattr(type(self), "_end_" + key, None),
            leaves_textinput=not prefix and tag not in _IN_TEXTINPUT,
            leaves_image=not prefix and tag not in _IN_IMAGE,
            is_content=key in _CONTENTS,
        )

    def _prefix(self, uri: str | None) -> str:
        """The prefix that feedparser has for a namespace, or else the document's own."""
        if uri is None:
            return ""
        own = (prefix for prefix, value in self.namespaces_in_use.items() if prefix and value == uri)
        return (self._matchnamespaces.get(uri.lower()) or next(own, "")).lower()


def _normalized(attributes: Mapping[str, str]) -> dict[str, str] | None:
    """Attributes as feedparser normalizes them; None where one has a namespace, or counts for more."""
    said: dict[str, str] = {}
    for name, value in attributes.items():
        key = name.lower()
        if " " in key or key in _SCOPING:
            return None
        said[key] = value.lower() if key in ("rel", "type") else value
    return said


class QuickParser(expatreader.ExpatParser):
    """Python's XML reader, which asks a quick reader first, and gives a text as one piece, not line by line."""

    _parser: Any

    def __init__(self, reader: Any) -> None:
        super().__init__(namespaceHandling=1)
        self.reader: QuickReader = reader
        self.setFeature(handler.feature_external_ges, 0)
        self.setContentHandler(reader)
        self.setErrorHandler(reader)

    def reset(self) -> None:
        """Start anew."""
        super().reset()
        self._parser.buffer_text = True  # 13 times fewer calls
        self._parser.buffer_size = 1 << 16

    def start_element_ns(self, name: str, attrs: Mapping[str, str]) -> None:
        """The start of an element."""
        if not self.reader.begins(name, attrs):
            super().start_element_ns(name, attrs)

    def end_element_ns(self, name: str) -> None:
        """The end of an element."""
        if not self.reader.ends(name):
            super().end_element_ns(name)
