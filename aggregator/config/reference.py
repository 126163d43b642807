"""The reference of the configuration, `docs/config.md`, made from the models: `python -m aggregator.config.reference`."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from aggregator.config.fields import OrText
from aggregator.config.models import Config
from aggregator.config.sources import (
    Auth,
    FeedSource,
    FrontMatterSource,
    JsonSource,
    OpmlSource,
    PageSource,
    RsshubSource,
    SourceBase,
    WebSource,
)

_HEAD = """# Configuration

Every key, its type, its default and its meaning. This page is made from the code
(`python -m aggregator.config.reference > docs/config.md`); `aggregator schema` prints the same as JSON Schema, and
`config/aggregator.yaml` is a commented example.

Paths are relative to the file they stand in. Unknown keys are errors. `${NAME}` stands for an environment variable
and `$$` for a dollar sign. In `sources`, `- include: sources.d/*.yaml` takes in the sources of more files: each holds
one source, a list of them, or a list below `sources:`.
"""


def reference() -> str:
    """The whole page."""
    parts = [_HEAD]
    parts += _section("Top level", Config, "")
    for name, field in Config.model_fields.items():
        if name == "sources":
            parts += _section("`sources[]`: keys of every source", SourceBase, "sources[].")
            own = set(WebSource.model_fields) - set(SourceBase.model_fields)
            parts += _section("`sources[]`: keys of every source that is asked over HTTP", WebSource, "sources[].", own)
            parts += _section("`sources[].auth`", Auth, "sources[].auth.")
            for source in (FrontMatterSource, FeedSource, RsshubSource, OpmlSource, PageSource, JsonSource):
                base = WebSource if issubclass(source, WebSource) else SourceBase
                own = {key for key in source.model_fields if key not in base.model_fields}
                (kind,) = get_args(source.model_fields["type"].annotation)
                parts += _section(f"`sources[]` with `type: {kind}`", source, "sources[].", own)
            continue
        for model in _models_in(field.annotation):
            suffix = "[]" if get_origin(field.annotation) is tuple else ""
            parts += _section(f"`{name}{suffix}`", model, f"{name}{suffix}.")
            for inner_name, inner in model.model_fields.items():
                for inner_model in _models_in(inner.annotation):
                    inner_key = f"{name}.{inner_name}{'[]' if get_origin(inner.annotation) is tuple else ''}"
                    parts += _section(f"`{inner_key}`", inner_model, f"{inner_key}.")
    return "\n".join(parts)


def _section(title: str, model: type[BaseModel], prefix: str, only: set[str] | None = None) -> Iterator[str]:
    yield f"## {title}\n"
    yield f"{inspect.cleandoc(model.__doc__ or '')}\n"
    yield "| key | type | default | meaning |\n| --- | --- | --- | --- |"
    for name, field in model.model_fields.items():
        if only is None or name in only:
            described = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
            meaning = (field.description or "").replace("|", "\\|").replace("\n", " ")
            yield f"| `{prefix}{name}` | {_type(described)} | {_default(field)} | {meaning} |"
    yield ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is None:
        return "`null`"
    if isinstance(default, BaseModel):
        return "see below"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, tuple):
        return "`[" + ", ".join(map(str, default)) + "]`"
    return f"`{default}`" if str(default) else "empty"


def _type(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        is_or_text = any(isinstance(note, OrText) for note in annotation.__metadata__)
        return ("text or " if is_or_text else "") + _type(inner[0])
    if origin is Literal:
        return " \\| ".join(f"`{value}`" for value in inner)
    if origin is tuple:
        return f"list of {_type(inner[0])}"
    if origin in {types.UnionType, Union}:
        return " or ".join(dict.fromkeys(_type(part) for part in inner))  # six kinds of mapping are a mapping
    names = {
        str: "text",
        SecretStr: "text",
        int: "number",
        float: "number",
        bool: "`true` \\| `false`",
        Path: "path",
        type(None): "`null`",
    }
    return names.get(annotation, "mapping")


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


if __name__ == "__main__":
    sys.stdout.write(reference())
