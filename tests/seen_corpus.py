"""Compares reading only the items of a feed that are new with reading it whole, on files in folders.

    python tests/seen_corpus.py FOLDER…

Each file is served in two versions, several times over: the last half of its items, then all; all, then all with the first
edited, or with an edited copy before or after it; all, then all with another `lastBuildDate`; all, then all in reverse,
without one. The drafts of the second version have to be the same either way. Exits with 1 where any differ.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aggregator.errors import ParseError
from aggregator.ingest.feed import parse_feed
from aggregator.ingest.feedtext import decode, without_doctype
from aggregator.ingest.items import Split, split
from aggregator.models import Draft, Parsed, Seen, SeenItem

URL = "https://example.com/feeds/news.xml"
_START = re.compile(r"\A[\ufeff\s\0]*(?:<\?xml\s[^>]*>\s*)?")
_BUILT = "<lastBuildDate>Sun, 04 Jul 2021 06:56:06 GMT</lastBuildDate>"


def remember(parsed: Parsed, before: Seen | None = None) -> tuple[Seen | None, dict[str, Draft]]:
    """What a caller knows after it has read a document, and the drafts that this stands for."""
    drafts = {key: draft for key, draft in zip(parsed.items, parsed.drafts, strict=bool(parsed.items)) if key}
    known = {n: parsed.items[n] for n in parsed.seen}
    items = {
        key: before.items[key]
        if before and key in known.values()
        else SeenItem(draft.guid, draft.link, draft.title, str(hash(draft)))
        for key, draft in drafts.items()
    }
    return (Seen(parsed.context, items) if parsed.context else None), drafts


def filled(parsed: Parsed, drafts: dict[str, Draft]) -> Parsed:
    """A document whose stubs are replaced by the drafts that they stand for."""
    for number, item in parsed.seen.items():
        stub = Draft(guid=item.guid, link=item.link, title=item.title)
        assert parsed.drafts[number] == stub
    return Parsed(
        tuple(drafts[parsed.items[n]] if n in parsed.seen else draft for n, draft in enumerate(parsed.drafts)),
        parsed.title,
        parsed.link,
        (),
        parsed.hints,
        parsed.context,
        parsed.items,
    )


@dataclass(frozen=True)
class Outcome:
    """How a second version was read, and whether that is the same as reading it whole."""

    how: str  # shortcut | whole
    same: bool


def compare(first: bytes, second: bytes, **arguments: str) -> Outcome:
    """Reads a document, then its next version with what is known of the first, and whole."""
    arguments = {"url": URL, **arguments}
    seen, drafts = remember(parse_feed(first, **arguments))
    again = parse_feed(second, **arguments, seen=seen)
    whole = parse_feed(second, **arguments)
    return Outcome("shortcut" if again.seen else "whole", filled(again, drafts) == filled(whole, {}))


def versions(body: bytes) -> Iterator[tuple[str, bytes, bytes]]:
    """Pairs of versions that a document could have had, by name; none where its items cannot be told apart."""
    text = decode(body)[0]
    parts = split(without_doctype(text[_START.match(text).end() :]).encode("utf-8", "replace"))
    if parts is None:
        return
    parts = split(_named(parts))
    assert parts is not None
    data, count = parts.data, len(parts.spans)
    if count > 1:
        yield "half", parts.only(range(count // 2, count)).data, data
    start, end = parts.spans[0]
    item = data[start:end]
    close = item.rindex(b"</")
    other = item[:close] + b"<category>edited</category>" + item[close:]
    yield "edited", data, data[:start] + other + data[end:]
    yield "before", data, data[:start] + other + item + data[end:]
    yield "after", data, data[:start] + item + other + data[end:]
    built = data[:start] + _BUILT.encode() + data[start:]
    yield "built", built, built.replace(b"06:56:06", b"07:00:00")
    order = [number for number in reversed(range(count)) if number != count // 2 or count == 1]
    yield (
        "reversed",
        data,
        b"".join((data[:start], *(data[slice(*parts.spans[n])] for n in order), data[parts.spans[-1][1] :])),
    )


def _named(parts: Split) -> bytes:
    """A document in which each item has a GUID: without one, nor a link, it is known by its content and always read."""
    data, made = parts.data, []
    for number, (start, end) in enumerate(parts.spans):
        item = data[start:end]
        if b"<guid" not in item and b"<id" not in item:
            close = item.rindex(b"</")
            item = b"%s<guid>urn:n:%d</guid>%s" % (item[:close], number, item[close:])
        made.append(item)
    return b"".join((data[: parts.spans[0][0]], *made, data[parts.spans[-1][1] :]))


def check(folders: list[Path]) -> Counter[str]:
    """Compares every file of the folders in all of its versions: how many were read how."""
    found: Counter[str] = Counter()
    for file in sorted(file for folder in folders for file in folder.rglob("*") if file.is_file()):
        body = file.read_bytes()
        try:
            pairs = [("as it is", body, body), *versions(body)]
            outcomes = [(name, compare(first, second)) for name, first, second in pairs]
        except ParseError:
            found["no feed"] += 1
            continue
        found["files"] += 1
        for name, outcome in outcomes:
            found[f"{name}: {outcome.how}"] += 1
            found[outcome.how] += 1
            if not outcome.same:
                found["differ"] += 1
                print(f"{file}: {name}: differs", file=sys.stderr)  # noqa: T201
    return found


if __name__ == "__main__":
    result = check([Path(folder) for folder in sys.argv[1:]])
    for what, count in sorted(result.items()):
        print(f"{count:7,}  {what}")  # noqa: T201
    sys.exit(1 if result["differ"] else 0)
