"""The items of a JSON API, by the JMESPath expressions of its source (jmespath.org)."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions

from aggregator.config.sources import JsonSource
from aggregator.errors import ParseError
from aggregator.ingest.feedtext import decode, paragraphs
from aggregator.ingest.feedurls import absolute, is_web, public_url
from aggregator.ingest.sniff import binary_kind, describe
from aggregator.models import Draft, Origin, Parsed

_WARNINGS = 20
_FIELDS = ("title", "link", "date", "content", "image", "id")
_LONGEST_INT = 40  # digits; longer numbers stay text, since reading them takes the square of their length
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>|&(?:#\d{1,7}|#[xX][\da-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_TITLE_MARKUP = re.compile(r"</[a-zA-Z]|&(?:#\d{1,7}|#[xX][\da-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
# What a function of JMESPath may trip over in data of another shape.
_SURPRISES = (JMESPathError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError)


def parse_json(body: bytes, *, url: str, paths: JsonSource, max_items: int = 500) -> Parsed:
    """The drafts of an API's items, in the order in which it lists them.

    `url` is where the body came from, after redirects: relative links resolve against it. A title that holds references
    or end tags is HTML (WordPress writes `&#8217;`), any other is plain text; content without a tag is text that is made
    HTML. Raises ParseError, which says where the JSON is broken, or what there is instead of the list.
    """
    url = public_url(url)
    document = _document(body, url)
    asked = {key: _compiled(key, getattr(paths, key)) for key in ("item", *_FIELDS) if getattr(paths, key)}
    items = _items(document, asked.pop("item"), paths.item)
    reader = _Reader(url, asked, Origin("", "", url), {})
    drafts = [reader.draft(number, item) for number, item in enumerate(items[:max_items], start=1)]
    warnings = reader.warnings()
    if items and not any(drafts):
        raise ParseError(
            f"none of the {len(items)} items has a title, a link or a content; the first is {_kind(items[0])}"
        )
    if len(items) > max_items:
        warnings.insert(0, f"The document has {len(items)} items; the first {max_items} were read.")
    return Parsed(tuple(draft for draft in drafts if draft is not None), "", url, tuple(warnings))


def path_fault(expression: str) -> str:
    """What is wrong with a JMESPath expression, as the end of a sentence; empty where it can be used.

    JMESPath itself finds an unknown function, or one with too few arguments, only when it meets the data.
    """
    try:
        nodes = [jmespath.compile(expression).parsed]
    except JMESPathError as error:
        return f"is no JMESPath expression: {' '.join(str(error).split())[:200]}"
    except (ValueError, RecursionError):  # a literal that is no JSON; a thousand brackets
        return "is no JMESPath expression"
    for node in nodes:  # which grows meanwhile
        nodes.extend(child for child in node["children"] if isinstance(child, dict))
        if node["type"] == "function_expression":
            name, given = node["value"], len(node["children"])
            if name not in Functions.FUNCTION_TABLE:
                return f"calls {name}(), a function that JMESPath does not have"
            signature = Functions.FUNCTION_TABLE[name]["signature"]
            variadic = bool(signature) and signature[-1].get("variadic", False)
            if given < len(signature) or (given > len(signature) and not variadic):
                return f"calls {name}() with {given} arguments, of which it takes {len(signature)}"
    return ""


def _compiled(key: str, expression: str) -> Any:
    fault = path_fault(expression)
    if fault:
        raise ParseError(f"the path of `{key}` ({expression}) {fault}")
    return jmespath.compile(expression)


def _document(body: bytes, url: str) -> Any:
    """What the bytes hold, with numbers as numbers, because expressions compare them."""
    kind = binary_kind(body)
    if kind:
        raise ParseError(f"{kind}, not JSON")
    text = decode(body)[0].lstrip("\ufeff\0 \t\r\n")
    if text.startswith("<"):
        raise ParseError(re.sub(r"\b(?:not a|no) feed\b", "not JSON", describe(body, text, url), count=1))
    try:
        return json.loads(text, parse_int=_whole, parse_constant=lambda _name: None)
    except json.JSONDecodeError as error:
        raise ParseError(f"broken JSON: {error.msg.lower()} in line {error.lineno}, column {error.colno}") from error
    except RecursionError:
        raise ParseError("JSON that is nested too deeply to be read") from None


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) <= _LONGEST_INT else digits


def _items(document: Any, path: Any, expression: str) -> list[Any]:
    """The list that the path leads to."""
    try:
        found = path.search(document)
    except _SURPRISES as error:
        raise ParseError(f"the path of `item` ({expression}) cannot be followed: {_reason(error)}") from error
    if isinstance(found, list):
        return found
    leads = "matches nothing" if found is None else f"leads to {_kind(found)}, not to a list"
    raise ParseError(f"the path of `item` ({expression}) {leads}; the document is {_kind(document)}")


def _kind(value: Any) -> str:
    """What a value is, with the keys that it has."""
    if isinstance(value, dict):
        keys = ", ".join(str(key)[:40] for key in list(value)[:12])
        more = f" and {len(value) - 12} more" if len(value) > 12 else ""
        return f"an object with the keys {keys}{more}" if keys else "an object with nothing in it"
    names = ((bool, "a truth value"), (list, "a list"), (str, "a text"), (int, "a number"), (float, "a number"))
    return next((name for kind, name in names if isinstance(value, kind)), "null")


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


@dataclass(slots=True)
class _Reader:
    """The items of one document, one after the other."""

    url: str
    asked: dict[str, Any]
    origin: Origin
    found: dict[str, None]
    more: int = 0

    def draft(self, number: int, item: Any) -> Draft | None:
        """One item; None where there is nothing that a post could be made of."""
        values = {key: self._value(number, key, item) for key in _FIELDS}
        title = " ".join(_text(values["title"], " ").split())
        link = self._link(values["link"])
        content = _text(values["content"], "\n").strip()
        guid = _text(values["id"], "/").strip()
        if not title and not link and not content:
            self._warn(f"Item {number} has no title, link or content; it was left out.")
            return None
        return Draft(
            guid=guid or None,
            link=link or None,
            base_url=next(filter(is_web, (link, self.url)), None),
            title=title or None,
            title_is_plain=_TITLE_MARKUP.search(title) is None,
            content=(content if _MARKUP.search(content) else paragraphs(content)) or None,
            published=_date(values["date"]) or None,
            image=self._link(values["image"]) or None,
            origin=self.origin,
        )

    def warnings(self) -> list[str]:
        return [*self.found, *([f"{self.more} more warnings of this kind."] if self.more else [])]

    def _warn(self, text: str) -> None:
        if len(self.found) < _WARNINGS:
            self.found[text] = None
        else:
            self.more += 1

    def _value(self, number: int, key: str, item: Any) -> Any:
        """What a path leads to within an item; nothing, with a warning, where it cannot be followed."""
        if key not in self.asked:
            return None
        try:
            return self.asked[key].search(item)
        except _SURPRISES as error:
            self._warn(f"The path of `{key}` cannot be followed in item {number}: {_reason(error)}")
            return None

    def _link(self, value: Any) -> str:
        """A URL, absolute; of a list the first one. A number is none."""
        if isinstance(value, list):
            value = next((entry for entry in value if isinstance(entry, str) and entry.strip()), "")
        if not isinstance(value, str) or not value.strip():
            return ""
        link = absolute(value, self.url)
        return link if is_web(link) else ""


def _text(value: Any, between: str) -> str:
    """A text or a number as text, and those of a list joined; empty for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return between.join(filter(None, (_text(entry, between) for entry in value if not isinstance(entry, list))))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if isinstance(value, float):
        if not math.isfinite(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e18 else repr(value)
    return str(value)


def _date(value: Any) -> str:
    """A date as the source wrote it; a number in a form that is read as seconds or milliseconds since 1970."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _text(value, " ").strip()
    if not math.isfinite(value) or value <= 0 or value >= 1e20:  # a zero is nobody's date
        return ""
    whole = int(value)
    while whole >= 10**14:  # micro- and nanoseconds
        whole //= 1000
    return str(whole)
