"""The configuration's JSON Schema, which editors complete and check from."""

from __future__ import annotations

import json
from typing import Any

from aggregator.config.models import Config


def json_schema() -> str:
    """The schema of the file as it is written, with a newline at its end."""
    schema = _plain(Config.model_json_schema())
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "aggregator configuration"
    include = {
        "additionalProperties": False,
        "description": "Takes in the sources of more files: a pattern relative to this file.",
        "properties": {"include": {"type": "string"}},
        "required": ["include"],
        "type": "object",
    }
    listed = schema["properties"]["sources"]
    listed["items"] = {"anyOf": [listed["items"], include]}
    return json.dumps(schema, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _plain(part: Any) -> Any:
    """The schema with secrets as the texts that they are in the file: no editor need hide `${NAME}` or refuse to show it."""
    if isinstance(part, list):
        return [_plain(item) for item in part]
    if not isinstance(part, dict):
        return part
    is_secret = part.get("format") == "password"
    return {key: _plain(item) for key, item in part.items() if not (is_secret and key in {"format", "writeOnly"})}
