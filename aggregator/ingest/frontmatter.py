"""A file with front matter as a draft: YAML between `---`, TOML between `+++`, JSON with `;;;` or in braces.

python-frontmatter splits and loads; its loaders are told to leave values as text, because YAML's own typing makes other
things of titles (`NO`, `1.10`, `012`, `12_00`, `2002`) and fails for a date with 74 seconds. What it cannot load, or loads
into something that nobody wrote, is read again line by line: no post is lost over its front matter.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import yaml
from frontmatter.default_handlers import BaseHandler, JSONHandler, YAMLHandler

from aggregator.ingest import bodies, filetext, frontfields
from aggregator.ingest.folder import shown
from aggregator.ingest.lenient import Field, Reader, unquoted
from aggregator.models import Draft

# PyYAML without its C loader is 7 times slower; it says so by not having the name.
_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

# libyaml overflows the C stack at some 25,000 levels, and Python's at 1,000; nobody's front matter has ten.
_DEEPEST: Final = 100
_DASHES: Final = re.compile(rf"(?:[-?:][ \t]+){{{_DEEPEST}}}")
_LONGEST: Final = 65_536  # characters; a longer block is read line by line, which is linear whatever it holds

_OPENING: Final = re.compile(r"(?:[ \t]*\n)*(?P<mark>-{3,}|\+{3,}|;{3,})[ \t]*\n")
# A comment may stand before the opening if a field follows it; `# Heading` and a ruled line are Markdown.
_LATE_OPENING: Final = re.compile(
    r"(?:[ \t\ufeff]*(?:#[^\n]*|<!--(?:(?!-->).)*-->[ \t]*)?\n)+?(?P<mark>-{3,}|\+{3,}|;{3,})[ \t]*\n(?=\s*[\"']?[A-Za-z_][\w-]*[\"']?[ \t]*[:=])",
    re.DOTALL,
)
_TOP_KEY: Final = re.compile(r"^([A-Za-z_][\w-]*)[ \t]*:(?=\s|$)", re.MULTILINE)


class TextLoader(_Loader):  # type: ignore[misc]  # which class it is depends on how PyYAML was built
    """A YAML loader that resolves no types and builds strings, lists and dicts: half of CBaseLoader's time.

    A node that an alias names is built once, so aliases cannot blow up; keys that are no text are left out.
    """

    def descend_resolver(self, current_node: object, current_index: object) -> None:
        """Nothing: there are no resolvers by path."""

    def ascend_resolver(self) -> None:
        """Nothing, likewise."""

    def resolve(self, kind: object, value: object, implicit: object) -> str:  # noqa: ARG002 - PyYAML's signature
        """No tag: a node's kind says all."""
        return ""

    def get_single_data(self) -> Any:
        """The document as plain text, lists and dicts."""
        node = self.get_single_node()
        return None if node is None else _built(node, {})


def _built(node: yaml.Node, done: dict[int, Any]) -> Any:
    """What a node holds; a node inside itself is empty there."""
    if isinstance(node, yaml.ScalarNode):
        return node.value
    if id(node) in done:
        return done[id(node)]
    if isinstance(node, yaml.SequenceNode):
        entries: list[Any] = []
        done[id(node)] = entries
        entries.extend(_built(entry, done) for entry in node.value)
        return entries
    fields: dict[str, Any] = {}
    done[id(node)] = fields
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode):
            fields[key.value] = _built(value, done)
    return fields


class YamlText(YAMLHandler):
    """YAML as text; `...` closes a block too, as YAML and Jekyll have it."""

    FM_BOUNDARY = re.compile(r"^(?:-{3,}|\.{3})[ \t]*$", re.MULTILINE)

    def load(self, fm: str, **kwargs: object) -> Any:
        """The block as text, lists and dicts."""
        if fm.count("[") + fm.count("{") > _DEEPEST or len(fm) > _LONGEST or _DASHES.search(fm):
            raise yaml.YAMLError("it is too large or too deeply nested")
        return super().load(fm, Loader=TextLoader, **kwargs)


class TomlText(BaseHandler):
    """TOML; the handler of python-frontmatter needs a library that is no longer maintained, Python has its own."""

    FM_BOUNDARY = re.compile(r"^\+{3,}[ \t]*$", re.MULTILINE)
    START_DELIMITER = END_DELIMITER = "+++"

    def load(self, fm: str) -> Any:
        """The block; numbers with a point stay as written."""
        import tomllib  # noqa: PLC0415 - for Hugo's files only

        return tomllib.loads(fm, parse_float=str)


class JsonText(JSONHandler):
    """Hexo's JSON: the members of an object without its braces, between `;;;`."""

    FM_BOUNDARY = re.compile(r"^;{3,}[ \t]*$", re.MULTILINE)

    def split(self, text: str) -> tuple[str, str]:
        """The block in braces, and the body."""
        _, block, body = self.FM_BOUNDARY.split(text, 2)
        return block, body

    def load(self, fm: str, **kwargs: object) -> Any:
        """The members; numbers stay as written."""
        whole = fm if fm.lstrip().startswith("{") else "{" + fm.strip().removesuffix(",") + "}"
        return super().load(whole, parse_float=str, parse_int=str, **kwargs)


_HANDLERS: Final[dict[str, tuple[str, type[BaseHandler]]]] = {
    "-": ("yaml", YamlText),
    "+": ("toml", TomlText),
    ";": ("json", JsonText),
}
_NAMES: Final = {"yaml": "YAML", "toml": "TOML", "json": "JSON"}
_FAILURES: Final = (yaml.YAMLError, ValueError, TypeError, RecursionError)  # ValueError covers tomllib's and json's


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What one file held: its draft, None where there is no post in it, and what had to be guessed.

    `lenient` says that a part of its front matter was read line by line. Warnings name the file.
    """

    draft: Draft | None
    warnings: tuple[str, ...] = ()
    lenient: bool = False


@dataclass(frozen=True, slots=True)
class _Matter:
    """Front matter as fields by their lower-case names, the title as it was written, and the body below it."""

    fields: dict[str, Any]
    title: str | None
    body: str
    warnings: tuple[str, ...] = ()
    lenient: bool = False


def read_post(data: bytes, path: str) -> ReadFile:
    """The post in the bytes of the file at `path`, which also says its format (`.html`) and may hold its date.

    Never raises for what the bytes hold; only a file without text holds no post.
    """
    text, warning = filetext.decode(data)
    if text is None:
        return ReadFile(None, (f"{shown(path)}: skipped, {warning}",))
    matter = _read_matter(text)
    body = bodies.read_body(matter.body, is_html=path.lower().endswith((".html", ".htm", ".xhtml")))
    draft = frontfields.draft(matter.fields, path, matter.title, body.html or None, body.excerpt)
    warnings = [warning] if warning else []
    warnings += (*matter.warnings, *body.warnings)
    return ReadFile(draft, tuple(f"{shown(path)}: {text}" for text in warnings), matter.lenient)


def _read_matter(text: str) -> _Matter:
    """The front matter of the text, and its body."""
    opening = _OPENING.match(text) or _LATE_OPENING.match(text)
    if opening is None:
        return _without_opening(text)
    style, make = _HANDLERS[opening["mark"][0]]
    handler = make()
    start = opening.start("mark")
    first_line = text.count("\n", 0, opening.end()) + 1
    try:
        block, body = handler.split(text[start:])
    except ValueError:  # nothing closes it
        return _unclosed(text[opening.end() :], style, text)
    try:
        loaded = handler.load(block)
    except _FAILURES as error:
        return _broken(block.lstrip("\n"), body, style, text, _reason(error, block, style, first_line))
    return _loaded(loaded, block, body, style, text)


def _without_opening(text: str) -> _Matter:
    """Front matter that Hexo reads without its first `---`, Hugo's JSON, or a text without any."""
    reader = Reader(frontfields.KNOWN)
    stripped = text.lstrip()
    if stripped.startswith("{") and not stripped.startswith(("{%", "{{")):
        try:
            loaded, end = json.JSONDecoder(parse_float=str, parse_int=str).raw_decode(stripped)
        except (ValueError, RecursionError):
            loaded = None
        if isinstance(loaded, dict) and frontfields.KNOWN & {str(name).lower() for name in loaded}:
            return _matter(loaded, "", stripped[end:], "json")
    closing = re.compile(r"^(-{3,}|;{3,})[ \t]*$", re.MULTILINE).search(text, 0, _LONGEST)
    if (
        closing
        and reader.fields(stripped.partition("\n")[0])
        and reader.end(block := text[: closing.start()].lstrip("\n")) == len(block)
    ):
        style, make = _HANDLERS[closing[1][0]]
        if any(field.name.lower() in frontfields.KNOWN for field in Reader(frontfields.KNOWN, style).fields(block)):
            try:
                return _loaded(make().load(block), block, text[closing.end() :], style, text)
            except _FAILURES as error:
                return _broken(block, text[closing.end() :], style, text, _reason(error, block, style, 1))
    return _Matter({}, None, text, ("it has no front matter",))


def _loaded(loaded: Any, block: str, body: str, style: str, text: str) -> _Matter:
    """The matter that a parser read, once it is sure that it is what somebody wrote."""
    if loaded is None:
        return _Matter({}, None, body)
    if isinstance(loaded, list):
        fields = frontfields.merged(loaded)
        problem = "the front matter is a list, not fields"
        return _matter(fields, block, body, style, (problem,), lenient=True)
    if not isinstance(loaded, dict):
        return _broken(block, body, style, text, "the front matter holds no fields")
    if style == "yaml":
        named = _TOP_KEY.findall(block)
        if len(named) != len(loaded) and (problem := _swallowed(named, loaded)):
            return _broken(block, body, style, text, problem)
    return _matter(loaded, block, body, style)


def _swallowed(named: list[str], loaded: dict[str, Any]) -> str:
    """What of the names at the beginning of lines YAML did not make a field of, in words; empty if all is well."""
    twice = [name for name, count in Counter(named).items() if count > 1]
    if twice:
        return f"the front matter names {', '.join(twice)} more than once"
    lost = [name for name in named if name not in loaded and name.lower() in frontfields.KNOWN]
    return f"the front matter hides {', '.join(lost)} inside another field" if lost else ""


def _matter(
    loaded: dict[str, Any], block: str, body: str, style: str, warnings: tuple[str, ...] = (), *, lenient: bool = False
) -> _Matter:
    """The matter with names in lower case; of names that differ by case only, the first that says something."""
    fields: dict[str, Any] = {}
    for name, value in loaded.items():
        key = name.strip().lower()
        fields[key] = fields.get(key) or value
    title = fields.get("title")
    if isinstance(title, list | dict):  # `title: [转载] …` is a list to YAML, and a title to who wrote it
        title = _written(block, style) or ""
        warnings = (*warnings, "its title is no text to a parser; it was taken as written")
        lenient = True
    return _Matter(fields, _title(title), body, warnings, lenient)


def _title(value: object) -> str | None:
    """The title on one line as it was written: here, `null` and `~` are words."""
    text = value if isinstance(value, str) else frontfields.text_of(value)
    return " ".join(text.split()) or None if text else None


def _written(block: str, style: str) -> str | None:
    """The title as its lines say it."""
    fields = Reader(frontfields.KNOWN, style).fields(block)
    return next((_raw_text(field, style) for field in fields if field.name.lower() == "title"), None)


def _raw_text(field: Field, style: str) -> str:
    """The text of a field that must be one, list or not."""
    if not field.items:
        return field.text
    return unquoted(" ".join(field.source.partition("=" if style == "toml" else ":")[2].split()))


def _broken(block: str, body: str, style: str, text: str, problem: str) -> _Matter:
    """The matter of a block that no parser reads, line by line."""
    reader = Reader(frontfields.KNOWN, style)
    end = reader.end(block) if style == "yaml" and "\n\n" in block else len(block)
    if block[end:].strip():  # nobody closed it, and the line that seemed to is a rule in the body
        return _unclosed(_after_opening(text), style, text)
    fields = reader.fields(block)
    if not any(field.name.lower() in frontfields.KNOWN for field in fields):
        return _Matter({}, None, text.lstrip("\n"), ("it begins with a ruled line and has no front matter",))
    return _from_lines(fields, body, style, problem)


def _unclosed(rest: str, style: str, text: str) -> _Matter:
    """The matter of a block that nothing closes: it ends where the lines stop being fields."""
    reader = Reader(frontfields.KNOWN, style)
    end = reader.end(rest)
    fields = reader.fields(rest[:end])
    if not any(field.name.lower() in frontfields.KNOWN for field in fields):
        return _Matter({}, None, text.lstrip("\n"), ("it begins with a ruled line and has no front matter",))
    return _from_lines(fields, rest[end:], style, "nothing closes the front matter")


def _after_opening(text: str) -> str:
    """What follows the line that opens the front matter."""
    opening = _OPENING.match(text) or _LATE_OPENING.match(text)
    return text[opening.end() :] if opening else text


def _from_lines(fields: tuple[Field, ...], body: str, style: str, problem: str) -> _Matter:
    """The matter of fields read line by line; of a field that stands there twice, the last that says something."""
    loaded: dict[str, Any] = {}
    title = None
    for field in fields:
        name = field.name.lower()
        if name == "title":
            title = _title(_raw_text(field, style)) or title
        elif value := _value(field, style):
            loaded[name] = value
    return _Matter(loaded, title, body, (f"{problem}; it was read line by line",), lenient=True)


def _value(field: Field, style: str) -> Any:
    """The value of one field: what its lines say, or where they look like more than that, what its parser says alone."""
    if field.simple:
        return field.value
    handler = next(make for name, make in _HANDLERS.values() if name == style)()
    try:
        loaded: Any = handler.load(field.source)
    except _FAILURES:
        return field.value
    return next(iter(loaded.values()), None) if isinstance(loaded, dict) else field.value


def _reason(error: Exception, block: str, style: str, first_line: int) -> str:
    """What the parser did not like, in one line that says where it stands and which field that is."""
    where, what = "", str(error).partition("\n")[0]
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        what = error.problem or what
        line = error.problem_mark.line
        named = [match[1] for match in _TOP_KEY.finditer("\n".join(block.split("\n")[: line + 1]))]
        where = f" at line {first_line - 1 + line}" + (f" ({named[-1]})" if named else "")
    elif isinstance(error, yaml.reader.ReaderError):
        what = f"it holds a character that YAML does not allow, #x{error.character:04x}"
    return f"the front matter is not valid {_NAMES[style]}{where}: {what}"
