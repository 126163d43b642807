"""The configuration's JSON Schema, which editors complete and check from."""

from __future__ import annotations

import json

from aggregator.config.models import Config


def json_schema() -> str:
    """The schema of the file as it is written, with a newline at its end."""
    schema = Config.model_json_schema()
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
