"""Refreshing a folder of front-matter files: look at all, read those that changed, withdraw those that are gone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from datetime import datetime

from aggregator.config.images import Images
from aggregator.config.models import Config, Fetch, Site
from aggregator.config.sources import FrontMatterSource
from aggregator.errors import IngestError
from aggregator.ingest.folder import FileStat, scan
from aggregator.models import State
from aggregator.normalize.identity import beside
from aggregator.pipeline.matching import Changes, Prepared, settle
from aggregator.pipeline.remembering import after_reading
from aggregator.pipeline.results import SourceResult
from aggregator.store.files import SeenFile
from aggregator.store.store import Store, Transaction

_AHEAD = 6  # pieces of a folder that may be read before they are written, so that memory stays flat
CHUNK = 100  # files that are read, normalised and written together

# A file written within this time of being looked at may be written again without its size or time telling (the clock of
# a file system ticks in up to 2 s): it is read once more. Git calls such an entry "racily clean".
_TICK_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What reading one file gave: its post, or the reason why there is none."""

    stat: FileStat
    digest: str
    prepared: Prepared | None
    warnings: tuple[str, ...] = ()
    lenient: bool = False
    unchanged: bool = False  # only its time changed
    failed: bool = False  # could not be read this time: what it gave before stays


@dataclass(frozen=True, slots=True)
class FolderPlan:
    """What there is to do in a folder: files to read, with the hash of those seen before, and files that are gone."""

    source: FrontMatterSource
    rules: str
    to_read: tuple[tuple[FileStat, str], ...]
    present: frozenset[str]
    gone: tuple[SeenFile, ...]
    seen: dict[str, SeenFile]
    warnings: tuple[str, ...]

    def chunks(self) -> Iterator[tuple[tuple[FileStat, str], ...]]:
        """The files to read, in pieces of at most `CHUNK`."""
        for start in range(0, len(self.to_read), CHUNK):
            yield self.to_read[start : start + CHUNK]


def plan_folder(source: FrontMatterSource, seen: dict[str, SeenFile], rules: str, *, trust: bool) -> FolderPlan:
    """Looks at every file's size and time; with `trust` False (the rules changed), everything is read again."""
    if not source.path.is_dir():
        raise IngestError(f"there is no folder {source.path}", source=source.name)
    found = scan(source.path, source.glob)
    to_read = []
    for stat in found.files:
        before = seen.get(stat.path) if trust else None
        if before is None:
            to_read.append((stat, ""))
        elif (before.size, before.mtime_ns) != (stat.size, stat.mtime_ns) or (
            before.mtime_ns > before.checked_ns - _TICK_NS
        ):
            to_read.append((stat, before.digest))
    present = frozenset(stat.path for stat in found.files)
    gone = tuple(
        file for path, file in seen.items() if path not in present and not path.startswith(found.unread or "\0")
    )
    return FolderPlan(source, rules, tuple(to_read), present, gone, seen, found.warnings)


def read_files(
    site: Site,
    source: FrontMatterSource,
    images: Images,
    fetch: Fetch,
    files: Sequence[tuple[FileStat, str]],
    now: datetime,
) -> list[FileOutcome]:
    """Reads and normalises files; runs in a worker process, so what it takes and gives can be pickled."""
    from aggregator.pipeline.reading import FileReader  # noqa: PLC0415 - its libraries are for runs that read

    reader = FileReader(site, source, images, fetch, now)
    return [reader.read(stat, before) for stat, before in files]


def refresh_folder(
    store: Store, config: Config, plan: FolderPlan, now: datetime, executor: Executor | None
) -> SourceResult:
    """Reads the files that changed, writing each piece as soon as it is read, then withdraws the posts of gone files.

    Each piece is one transaction with all that follows from it, so that a run that is killed leaves nothing to be
    remembered by the next.
    """
    name = plan.source.name
    result = SourceResult(name, how="files", warnings=list(plan.warnings))
    result.unchanged = len(plan.present) - len(plan.to_read)
    for outcomes in _read_ahead(config, plan, now, executor):
        with store.write() as tx:
            changes, seen = _match(tx, plan, outcomes, config.site, int(now.timestamp() * 1e9))
            tx.posts.put(changes.entries, changes.known, now)
            tx.posts.touch(changes.touched)
            tx.files.put(name, seen)
            before = [plan.seen[file.path] for file in seen if file.path in plan.seen]
            now_gives = {file.path: file.post_id for file in seen}
            result.withdrawn += _withdraw(tx, name, [f for f in before if now_gives[f.path] != f.post_id], now)
        result.add(changes)
        result.unchanged += sum(outcome.unchanged for outcome in outcomes)
        result.lenient += sum(outcome.lenient for outcome in outcomes)
    with store.write() as tx:
        tx.files.forget(name, [file.path for file in plan.gone])
        result.withdrawn += _withdraw(tx, name, plan.gone, now)
        state = after_reading(tx.sources.get(name), now=now, rules=plan.rules)
        tx.sources.put([replace(state, result=result.in_words, changed_at=now if result.is_news else state.changed_at)])
    return result


def _withdraw(tx: Transaction, source: str, before: Sequence[SeenFile], now: datetime) -> int:
    """Withdraws the posts that these files gave before and no file gives now: a renamed one took its post along."""
    left = {file.post_id for file in before if file.post_id is not None}
    left -= tx.files.claimed(source, left)
    tx.posts.withdraw(left, now)
    return len(left)


def _read_ahead(
    config: Config, plan: FolderPlan, now: datetime, executor: Executor | None
) -> Iterator[list[FileOutcome]]:
    """What the files to read hold, piece by piece in their order, a few pieces ahead of who writes them."""
    under_way: deque[Future[list[FileOutcome]]] = deque()
    how = (config.site, plan.source, config.images, config.fetch)
    for chunk in plan.chunks():
        if executor is None:
            yield read_files(*how, chunk, now)
            continue
        under_way.append(executor.submit(read_files, *how, chunk, now))
        if len(under_way) >= _AHEAD:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


def _match(
    tx: Transaction, plan: FolderPlan, outcomes: Sequence[FileOutcome], site: Site, checked_ns: int
) -> tuple[Changes, list[SeenFile]]:
    """Holds what files gave against the store: the changes of these files alone, and what to remember of them.

    Two files that name the same id are two posts, the second known by its path as well; one that was renamed keeps its
    post, and two that swap their ids swap their posts.
    """
    changes, seen = Changes(), []
    now_has = {outcome.stat.path: outcome.prepared.identity.key for outcome in outcomes if outcome.prepared}
    read_anew = {stat.path for stat, _ in plan.to_read}
    shared = {beside(key, path) for path, key in now_has.items()}
    known = tx.posts.known(plan.source.name, shared.union(now_has.values()))
    owners = {found.key: found.path for found in known.values() if found.state is not State.WITHDRAWN}
    for outcome in outcomes:
        path, before = outcome.stat.path, plan.seen.get(outcome.stat.path)
        changes.warnings.extend(outcome.warnings)
        if outcome.failed:
            continue
        post_id = before.post_id if before and outcome.unchanged else None
        if outcome.prepared is not None:
            key = outcome.prepared.identity.key
            owner = owners.get(key)
            # The owner still has the key if its file is there and names it, or is not among those read anew.
            names_it = now_has[owner] == key if owner in now_has else owner not in read_anew
            is_taken = owner not in {None, path} and owner in plan.present and names_it
            if is_taken or (beside(key, path) in owners and owner != path):
                key = beside(key, path)
            owners[key] = path
            changes.warnings.extend(f"{path}: {warning}" for warning in outcome.prepared.warnings)
            post_id = settle(changes, outcome.prepared, key=key, known=known.get(key), base_url=site.base_url)
        seen.append(SeenFile(path, outcome.stat.size, outcome.stat.mtime_ns, checked_ns, outcome.digest, post_id))
    return changes, seen
