"""A file of configuration, read into models, with everything that is wrong with it said at once.

Every fault names its file, its line and its key path (`config/aggregator.yaml:12: sources[0].url: is required`); values
are never shown, because any of them may hold a secret from the environment.
"""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from aggregator.config.document import Key, YamlDocument, dotted, read_yaml
from aggregator.config.models import Config, FeedSource, FrontMatterSource
from aggregator.errors import ConfigError, Fault

# Keys and kinds that the design has and the code does not yet: refused by name, so that nobody thinks they work.
NOT_YET_KEYS: Mapping[str, frozenset[str]] = {
    "sources[]": frozenset({"allow_private", "fulltext", "max_items", "ca_bundle", "headers", "robots"}),
    "fetch": frozenset({"per_host", "min_gap_s", "allow_private"}),
    "images": frozenset({"rules", "former_prefixes", "mirror", "proxy"}),
    "feeds[]": frozenset({"match", "private"}),
    "by_category": frozenset({"match"}),
    "": frozenset({"websub", "serve", "status"}),
}
NOT_YET_TYPES = frozenset({"opml", "rsshub", "page", "json"})
_WORDS = {  # what pydantic says of these is about Python
    "model_type": "must be a mapping",
    "tuple_type": "must be a list",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "string_type": "must be text; put it in quotes",
}
_MODELS: Mapping[str, type[BaseModel]] = {"front-matter": FrontMatterSource, "feed": FeedSource}


def read_config(file: Path, environment: Mapping[str, str] | None = None) -> Config:
    """The configuration in a file and in what it includes; raises ConfigError with every fault found."""
    config, document = _read(file, environment)
    if document.faults or config is None:
        raise ConfigError(_in_order(document.faults))
    return config


def find_faults(
    file: Path, environment: Mapping[str, str] | None = None
) -> tuple[Config | None, list[Fault], list[Fault]]:
    """The configuration, if it is well; everything wrong with it; and what it names that is not there on this machine."""
    config, document = _read(file, environment)
    missing = []
    listed = document.data.get("sources") if isinstance(document.data, dict) else None
    for index, source in enumerate(listed if isinstance(listed, list) else []):
        key: Key = ("sources", index, "path" if isinstance(source, dict) and "path" in source else "url")
        if problem := _not_there(source, document, key):
            missing.append(Fault(*document.place(key), dotted(key), problem))
    return config, _in_order(document.faults), missing


def _not_there(source: Any, document: YamlDocument, key: Key) -> str:
    """What a source names that is not there; empty where all is well, or where it is no path."""
    value = source.get(key[-1]) if isinstance(source, dict) else None
    if not isinstance(value, str) or not value or "://" in value:
        return ""
    path = document.place(key)[0].parent / Path(value).expanduser()
    if key[-1] == "path":
        return "" if path.is_dir() else f"there is no folder {path}"
    return "" if path.is_file() else f"there is no file {path}; does its URL lack the https://?"


def _in_order(faults: list[Fault]) -> list[Fault]:
    return sorted(set(faults), key=lambda fault: (str(fault.file), fault.line, fault.key))


def _read(file: Path, environment: Mapping[str, str] | None) -> tuple[Config | None, YamlDocument]:
    """What can be made of a file, and the document with the faults found."""
    document = read_yaml(file, environment)
    if document.data is None and not document.faults:
        document.data = {}
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

    def take(source: Any, origin: YamlDocument, key: Key, folder: Path) -> None:
        for path, place in origin.places.items():
            if path[: len(key)] == key:
                places["sources", len(merged), *path[len(key) :]] = place
        merged.append(source)
        folders.append(folder)

    for index, item in enumerate(listed):
        if not (isinstance(item, dict) and set(item) == {"include"}):
            take(item, document, ("sources", index), file.parent)
            continue
        for included in _matching(item["include"], document, ("sources", index, "include"), file.parent):
            inner = read_yaml(included, environment)
            document.faults.extend(inner.faults)
            for key, source in _sources_of(inner):
                take(source, inner, key, included.parent)
    document.data["sources"] = merged
    document.places = places
    return folders


def _matching(pattern: Any, document: YamlDocument, key: Key, folder: Path) -> list[Path]:
    """The files that an `include:` names, in the order of their names; one that cannot name any is a fault."""
    problem = ""
    if not isinstance(pattern, str) or not pattern or Path(pattern).is_absolute():
        problem = "must be a pattern relative to this file, such as sources.d/*.yaml"
    elif not any(sign in pattern for sign in "*?[") and not (folder / pattern).is_file():
        problem = f"there is no file {pattern}"
    if problem:
        document.faults.append(Fault(*document.place(key), dotted(key), problem))
        return []
    try:
        return sorted(found for found in folder.glob(pattern) if found.is_file())
    except (ValueError, IndexError, NotImplementedError) as error:
        document.faults.append(Fault(*document.place(key), dotted(key), f"is no pattern: {error}"))
        return []


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
    if isinstance(kind, str) and kind in NOT_YET_TYPES:
        fault(f"type {kind} is not supported yet", "type")
        return None
    if not isinstance(kind, str) or kind not in _MODELS:
        near = difflib.get_close_matches(str(kind), _MODELS, 1)
        fault(f"must be {_either(_MODELS)}" + (f" (did you mean {near[0]}?)" if near else ""), "type")
        return None
    try:
        return _MODELS[kind].model_validate(source, context={"folder": folder.absolute()})
    except ValidationError as error:
        document.faults.extend(_faults(error, document, key, _MODELS[kind]))
        return None


def _faults(error: ValidationError, document: YamlDocument, prefix: Key, model: type[BaseModel]) -> Iterator[Fault]:
    for problem in error.errors(include_url=False, include_input=False):
        inner: Key = tuple(part for part in problem["loc"] if part != "[key]")
        key = (*prefix, *inner)
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
    near = difflib.get_close_matches(name, model.model_fields, 1) if model else []
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
    return " or ".join(names)
