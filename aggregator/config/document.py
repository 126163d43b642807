"""A YAML document as plain data that remembers where everything stands.

PyYAML's own loaders drop line numbers and let the second of two equal keys win in silence; both matter to somebody
who is looking for a mistake. Environment variables are put in here, where a value can still be told from its name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from aggregator.errors import Fault

Key = tuple[str | int, ...]
Place = tuple[Path, int]  # file, line (from 1)

_VARIABLE = re.compile(r"\$(\$|\{([A-Za-z_][A-Za-z0-9_]*)\})")
_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C loader is 6 times faster where it is there


@dataclass(slots=True)
class YamlDocument:
    """The data of one file, the place of every key path in it, and what is wrong with it so far."""

    data: Any
    places: dict[Key, Place] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    patterns: list[tuple[Path, str]] = field(
        default_factory=list
    )  # of the files that were taken in, each with its folder

    def place(self, key: Key) -> Place:
        """Where a key path stands, or the nearest of its ancestors that stands anywhere."""
        for end in range(len(key), -1, -1):
            if key[:end] in self.places:
                return self.places[key[:end]]
        raise KeyError(key)


def read_yaml(file: Path, environment: Mapping[str, str] | None = None) -> YamlDocument:
    """The document in a file; what cannot be read becomes faults, with `data` None."""
    document = YamlDocument(None, {(): (file, 1)})
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        document.faults.append(Fault(file, 1, "", "there is no such file; name one with -c, or in $AGGREGATOR_CONFIG"))
        return document
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        document.faults.append(Fault(file, 1, "", f"cannot be read: {reason}"))
        return document
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is not None:
            reader = _Reader(file, loader, document, os.environ if environment is None else environment)
            document.data = reader.value(node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        document.data = None
        document.faults.append(Fault(file, mark.line + 1 if mark else 1, "", f"is not YAML: {_in_words(error)}"))
    except RecursionError:
        document.data = None
        document.faults.append(Fault(file, 1, "", "holds an alias of something that it is itself part of"))
    except (yaml.YAMLError, ValueError) as error:
        document.data = None
        document.faults.append(Fault(file, 1, "", f"is not YAML: {error}"))
    return document


def _in_words(error: yaml.MarkedYAMLError) -> str:
    problem = str(error.problem)
    return f"{problem} (is there a tab? YAML wants spaces)" if "cannot start any token" in problem else problem


class _Reader:
    """Turns nodes into data, noting the line of each on the way."""

    def __init__(self, file: Path, loader: Any, document: YamlDocument, environment: Mapping[str, str]) -> None:
        self._file, self._loader, self._document, self._environment = file, loader, document, environment
        self._own: dict[int, list[tuple[yaml.Node, yaml.Node]]] = {}  # pairs of each mapping before its merges

    def value(self, node: yaml.Node, key: Key) -> Any:
        if key:
            self._document.places.setdefault(key, (self._file, node.start_mark.line + 1))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*key, index)) for index, item in enumerate(node.value)]
        value = self._loader.construct_object(node)
        return self._with_environment(value, node, key) if isinstance(value, str) else value

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        own = self._own.setdefault(id(node), [pair for pair in node.value if not pair[0].tag.endswith(":merge")])
        self._loader.flatten_mapping(node)
        merged = [pair for pair in node.value if not any(pair is mine for mine in own)]
        found: dict[str, Any] = {}
        for name_node, value_node in own:
            name = name_node.value if isinstance(name_node, yaml.ScalarNode) else ""
            line = name_node.start_mark.line + 1
            path = (*key, name)
            if name in found:
                first = self._document.places[path][1]
                self._fault(line, path, f"is given twice, first on line {first}")
                continue
            self._document.places[path] = (self._file, line)
            found[name] = self.value(value_node, path)
        for name_node, value_node in merged:  # `<<: *base`: a key of one's own wins
            if isinstance(name_node, yaml.ScalarNode) and name_node.value not in found:
                found[name_node.value] = self.value(value_node, (*key, name_node.value))
        return found

    def _with_environment(self, text: str, node: yaml.Node, key: Key) -> str:
        """The text with each `${NAME}` replaced; a name that is not set is a fault, its value is never shown."""

        def replace(match: re.Match[str]) -> str:
            if match[1] == "$":
                return "$"
            if match[2] not in self._environment:
                line = node.start_mark.line + 1
                self._fault(line, key, f"the environment variable {match[2]} is not set")
            return self._environment.get(match[2], "")

        return _VARIABLE.sub(replace, text)

    def _fault(self, line: int, key: Key, message: str) -> None:
        self._document.faults.append(Fault(self._file, line, dotted(key), message))


def dotted(key: Key) -> str:
    """A key path as people write it.

    >>> dotted(("sources", 0, "url"))
    'sources[0].url'
    """
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
