"""A file of configuration, read into models, with everything that is wrong with it said at once.

Every fault names its file, its line and its key path (`config/aggregator.yaml:12: sources[0].url: is required`); values
are never shown, because any of them may hold a secret from the environment.
"""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError

from aggregator.config.document import Key, YamlDocument, dotted, read_yaml
from aggregator.config.missing import find_missing
from aggregator.config.models import Config
from aggregator.config.sources import FeedSource, FrontMatterSource, JsonSource, OpmlSource, PageSource, RsshubSource
from aggregator.errors import ConfigError, Fault

# Keys and kinds that the design has and the code does not yet: refused by name, so that nobody thinks they work.
NOT_YET_KEYS: Mapping[str, frozenset[str]] = {
    "feeds[]": frozenset({"match"}),
    "by_category": frozenset({"match"}),
}
_WORDS = {  # what pydantic says of these is about Python
    "model_type": "must be a mapping",
    "tuple_type": "must be a list",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "string_type": "must be text; put it in quotes",
    "dict_type": "must be a mapping",
    "mapping_type": "must be a mapping",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
}
_ALIKE = ("url", "path")  # which of them says where a source is depends on its kind
_LONGEST_PATTERN = 255  # a longer name no file can have
_MODELS: Mapping[str, type[BaseModel]] = {
    "front-matter": FrontMatterSource,
    "feed": FeedSource,
    "rsshub": RsshubSource,
    "opml": OpmlSource,
    "page": PageSource,
    "json": JsonSource,
}


def read_config(file: Path, environment: Mapping[str, str] | None = None) -> Config:
    """The configuration in a file and in what it includes; raises ConfigError with every fault found."""
    config, document = _read(file, environment)
    if document.faults or config is None:
        raise ConfigError(_in_order(document.faults))
    return config


@dataclass(frozen=True, slots=True)
class Files:
    """The files that a configuration is made of: the one that was named, and whatever its `include:` patterns match."""

    file: Path
    patterns: tuple[tuple[Path, str], ...] = ()  # a folder, and what it takes in from there

    def signature(self) -> tuple[tuple[str, int, int, int], ...]:
        """Names the files as they stand now: another signature means that somebody saved, added or removed one."""
        found = {self.file}
        for folder, pattern in self.patterns:
            found.update(folder.glob(pattern))
        return tuple(sorted(one for one in map(_seen, found) if one is not None))


def _seen(file: Path) -> tuple[str, int, int, int] | None:
    try:
        status = file.stat()  # of what a link leads to: whole folders are swapped that way
    except OSError:
        return None
    return str(file), status.st_ino, status.st_mtime_ns, status.st_size


def read_files(file: Path, environment: Mapping[str, str] | None = None) -> tuple[Config | None, list[Fault], Files]:
    """The configuration, if it is well; everything wrong with it; and the files to watch for a better one."""
    config, document = _read(file, environment)
    faults = _in_order(document.faults)
    return None if faults else config, faults, Files(file, tuple(document.patterns))


def find_faults(
    file: Path, environment: Mapping[str, str] | None = None
) -> tuple[Config | None, list[Fault], list[Fault]]:
    """The configuration, if it is well; everything wrong with it; and what it names that is not there on this machine."""
    config, document = _read(file, environment)
    return config, _in_order(document.faults), find_missing(document)


def _in_order(faults: list[Fault]) -> list[Fault]:
    return sorted(set(faults), key=lambda fault: (str(fault.file), fault.line, fault.key))


def _read(file: Path, environment: Mapping[str, str] | None) -> tuple[Config | None, YamlDocument]:
    """What can be made of a file, and the document with the faults found."""
    document = read_yaml(file, environment)
    if document.data is None and not document.faults:
        # A disk that was full, or an editor in the middle of saving: taken at its word, it would withdraw every post.
        document.faults.append(Fault(file, 1, "", "is empty; `aggregator init DIR` writes one to begin with"))
    if document.data is not None and not isinstance(document.data, dict):
        document.faults.append(Fault(file, 1, "", "must be a mapping of keys to values"))
    if not isinstance(document.data, dict):
        return None, document
    folders = _include(document, file, environment)
    config = _validate(document, file, folders)
    document.faults.extend(_duplicates(document, "sources", "name"))
    document.faults.extend(_duplicates(document, "feeds", "slug"))
    return config, document


def _include(document: YamlDocument, file: Path, environment: Mapping[str, str] | None) -> list[Path]:
    """Puts the sources of included files where their `include:` stands; returns the folder of each source."""
    listed = document.data.get("sources")
    if not isinstance(listed, list):
        return []
    merged: list[Any] = []
    places = {key: place for key, place in document.places.items() if key[:1] != ("sources",) or len(key) == 1}
    folders: list[Path] = []

    def take(found: Iterable[tuple[Key, Any]], origin: YamlDocument, folder: Path) -> None:
        numbers = {}
        for key, source in found:
            numbers[key] = len(merged)
            merged.append(source)
            folders.append(folder)
        lengths = {len(key) for key in numbers}
        for path, place in origin.places.items():
            for length in lengths:
                if (number := numbers.get(path[:length])) is not None:
                    places["sources", number, *path[length:]] = place

    own: list[tuple[Key, Any]] = []
    for index, item in enumerate(listed):
        if not (isinstance(item, dict) and set(item) == {"include"}):
            own.append((("sources", index), item))
            continue
        take(own, document, file.parent)
        own = []
        for included in _matching(item["include"], document, ("sources", index, "include"), file.parent):
            inner = read_yaml(included, environment)
            document.faults.extend(inner.faults)
            take(_sources_of(inner), inner, included.parent)
    take(own, document, file.parent)
    document.data["sources"] = merged
    document.places = places
    return folders


def _matching(pattern: Any, document: YamlDocument, key: Key, folder: Path) -> list[Path]:
    """The files that an `include:` names, in the order of their names; one that cannot name any is a fault."""
    problem = ""
    if not isinstance(pattern, str) or len(pattern) > _LONGEST_PATTERN or not pattern or Path(pattern).is_absolute():
        problem = "must be a pattern relative to this file, such as sources.d/*.yaml"
    elif not any(sign in pattern for sign in "*?[") and not (folder / pattern).is_file():
        problem = f"there is no file {pattern}"
    if problem:
        document.faults.append(Fault(*document.place(key), dotted(key), problem))
        return []
    try:
        found = sorted(found for found in folder.glob(pattern) if found.is_file())
    except (ValueError, IndexError, NotImplementedError) as error:
        document.faults.append(Fault(*document.place(key), dotted(key), f"is no pattern: {error}"))
        return []
    document.patterns.append((folder, pattern))
    return found


def _sources_of(document: YamlDocument) -> Iterator[tuple[Key, Any]]:
    """The sources of an included file: one mapping, a list of them, or a list below `sources:`."""
    data: Any = document.data
    key: Key = ()
    if isinstance(data, dict) and set(data) == {"sources"}:
        data, key = data["sources"], ("sources",)
    if isinstance(data, list):
        yield from (((*key, index), source) for index, source in enumerate(data))
    elif data is not None:
        yield key, data


def _validate(document: YamlDocument, file: Path, folders: list[Path]) -> Config | None:
    """The models of the data, or None; what pydantic refuses becomes faults at the place where it stands."""
    data = {key: value for key, value in document.data.items() if value is not None}  # a section all commented out
    sources = data.get("sources")
    models = None
    if isinstance(sources, list):
        models = [_source(document, index, source, folders[index]) for index, source in enumerate(sources)]
        data["sources"] = []
        document.faults.extend(_without_instance(document, models, data.get("rsshub")))
    try:
        config = Config.model_validate(data, context={"folder": file.parent.absolute()})
    except ValidationError as error:
        document.faults.extend(_faults(error, document, (), Config))
        return None
    if models is None:
        return config
    for index, model in enumerate(models):
        if isinstance(model, FrontMatterSource) and _overlap(model.path, config.output):
            key: Key = ("sources", index, "path")
            message = "is also where feeds are published: their pages would become posts"
            document.faults.append(Fault(*document.place(key), dotted(key), message))
    return config.model_copy(update={"sources": tuple(model for model in models if model is not None)})


def _without_instance(document: YamlDocument, models: list[BaseModel | None], rsshub: Any) -> Iterator[Fault]:
    """Routes of RSSHub that there is nobody to ask for."""
    if isinstance(rsshub, dict) and rsshub.get("instances"):
        return
    for index, model in enumerate(models):
        if isinstance(model, RsshubSource) and not model.instances:
            key: Key = ("sources", index)
            message = "needs `instances`, here or at the top level under `rsshub`"
            yield Fault(*document.place(key), dotted(key), message)


def _overlap(folder: Path, output: Path) -> bool:
    """Whether the output lies in the folder, or the folder in the output."""
    inner, outer = folder.resolve(), output.resolve()
    return inner.is_relative_to(outer) or outer.is_relative_to(inner)


def _source(document: YamlDocument, index: int, source: Any, folder: Path) -> BaseModel | None:
    """One source, validated by the model of its own type: a union's errors would name all of them."""
    key: Key = ("sources", index)

    def fault(message: str, *more: str) -> None:
        document.faults.append(Fault(*document.place((*key, *more)), dotted((*key, *more)), message))

    if not isinstance(source, dict):
        fault("must be a mapping with `name` and `type`")
        return None
    kind = source.get("type")
    if kind is None:
        fault(f"`type` is required: {_either(_MODELS)}")
        return None
    if not isinstance(kind, str) or kind not in _MODELS:
        near = difflib.get_close_matches(str(kind), _MODELS, 1)
        fault(f"must be {_either(_MODELS)}" + (f" (did you mean {near[0]}?)" if near else ""), "type")
        return None
    is_route = kind == "feed" and str(source.get("url", "")).lower().startswith("rsshub://")
    if is_route:
        kind, source = "rsshub", as_route(source)
    try:
        return _MODELS[kind].model_validate(source, context={"folder": folder.absolute()})
    except ValidationError as error:
        found = _faults(error, document, key, _MODELS[kind], {"path": "url", "access_code": "url"} if is_route else {})
        document.faults.extend(found)
        return None


def as_route(source: dict[str, Any]) -> dict[str, Any]:
    """A feed at `rsshub://36kr/newsflashes?limit=5`, as RSSHub Radar writes routes, as the route that it means."""
    route, _, query = source["url"][len("rsshub://") :].partition("?")
    said = dict(parse_qsl(query, keep_blank_values=True))
    rest = {key: value for key, value in source.items() if key != "url"}
    found = {"type": "rsshub", "path": f"/{route.lstrip('/')}"}
    if code := said.pop("code", ""):
        found["access_code"] = code
    own = rest.get("parameters")
    if said and (own is None or isinstance(own, dict)):
        rest["parameters"] = said | (own or {})
    return rest | found


def _faults(
    error: ValidationError, document: YamlDocument, prefix: Key, model: type[BaseModel], written: Mapping[str, str] = {}
) -> Iterator[Fault]:
    """What pydantic refuses, in our words; `written` says under which other key a value stands in the file."""
    for problem in error.errors(include_url=False, include_input=False):
        inner: Key = tuple(part for part in problem["loc"] if part != "[key]")
        key = (*prefix, *(written.get(str(part), part) for part in inner))
        message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
        if problem["type"] == "missing":
            message = "is required"
        elif problem["type"] == "extra_forbidden":
            message = _unknown(key, _model_at(model, inner[:-1]))
        message = _WORDS.get(problem["type"], message)
        yield Fault(*document.place(key), dotted(key), message[:1].lower() + message[1:])


def _unknown(key: Key, model: type[BaseModel] | None) -> str:
    name = str(key[-1])
    where = "".join("[]" if isinstance(part, int) else str(part) for part in key[:-1])
    if name in NOT_YET_KEYS.get(where, ()):
        return "is not supported yet"
    known = model.model_fields if model else {}
    near = [other for other in _ALIKE if name in _ALIKE and other != name and other in known]
    near = near or difflib.get_close_matches(name, known, 1)
    return f"unknown key (did you mean {near[0]}?)" if near else "unknown key"


def _model_at(model: type[BaseModel], key: Key) -> type[BaseModel] | None:
    """The model whose keys stand at a key path below another model."""
    found: type[BaseModel] | None = model
    for part in key:
        if isinstance(part, int) or found is None:
            continue
        declared = found.model_fields.get(part)
        found = next(_models_in(declared.annotation), None) if declared else None
    return found


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from _models_in(inner)


def _duplicates(document: YamlDocument, section: str, name: str) -> Iterator[Fault]:
    """Entries of a list that carry a name which an earlier one has."""
    listed = document.data.get(section)
    seen: dict[Any, int] = {}
    for index, entry in enumerate(listed if isinstance(listed, list) else []):
        value = entry.get(name) if isinstance(entry, dict) else None
        if not isinstance(value, str):
            continue
        if value in seen:
            first_file, first_line = document.place((section, seen[value], name))
            message = f"is taken already, at {first_file}:{first_line}"
            yield Fault(*document.place((section, index, name)), dotted((section, index, name)), message)
        seen.setdefault(value, index)


def _either(names: Mapping[str, Any]) -> str:
    """`a, b or c`."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
