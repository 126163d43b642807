"""The `aggregator` command: one thin function per verb.

Results go to stdout, what had to be said on the way goes to stderr. Exit codes: 0 all well; 1 finished, but some source
or feed failed; 2 wrong usage or configuration, and nothing was touched; 3 another run holds the lock.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator import __version__
from aggregator.cli import sources
from aggregator.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, LogOption
from aggregator.errors import AggregatorError, ConfigError, LockHeld

if TYPE_CHECKING:
    from aggregator.config.models import Config
    from aggregator.config.sources import Source
    from aggregator.errors import Fault
    from aggregator.store.store import Store

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Gathers posts from web feeds and front-matter files, recovers their images, and publishes feeds by category.",
)
app.add_typer(sources.app, name="sources")


def main() -> None:
    """Runs the command, and turns what it raises into a sentence and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a title must not end the run
    try:
        app()
    except ConfigError as error:
        _fail(str(error), 2)
    except LockHeld as error:
        _fail(str(error), 3)
    except AggregatorError as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("interrupted", 130)


def _fail(message: str, code: int) -> None:
    typer.echo(message, err=True)
    sys.stdout.flush()
    raise SystemExit(code)


def _json(data: object) -> str:
    import json  # noqa: PLC0415

    return json.dumps(data, ensure_ascii=False, indent=2)


def _now() -> datetime:
    """The moment of this run; `SOURCE_DATE_EPOCH` (reproducible-builds.org) sets it, in seconds since 1970."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        return datetime.fromtimestamp(int(epoch), UTC)
    except (ValueError, OverflowError, OSError):
        raise typer.BadParameter("is no number of seconds since 1970", param_hint="SOURCE_DATE_EPOCH") from None


@contextmanager
def _locked_store(config: Config) -> Iterator[Store]:
    """The store, open, with the lock of a run on it."""
    from aggregator.store.lock import run_lock  # noqa: PLC0415
    from aggregator.store.store import Store  # noqa: PLC0415

    store = Store(config.store)
    with run_lock(config.store, "aggregator run"):
        store.open()
        try:
            yield store
        finally:
            store.close()


@contextmanager
def peeking_store(config: Config) -> Iterator[Store]:
    """The store for those who only look; an empty one that is thrown away where there is none yet."""
    import tempfile  # noqa: PLC0415

    from aggregator.store.store import Store  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        file = config.store.removeprefix("sqlite:///")
        is_new = file != config.store and not Path(file).exists()
        store = Store(f"sqlite:///{folder}/empty.db" if is_new else config.store)
        store.open()
        try:
            yield store
        finally:
            store.close()


def _named_sources(config: Config, names: Sequence[str]) -> list[Source]:
    """The sources with these names; a name that no source has is wrong usage."""
    known = {source.name: source for source in config.sources}
    for name in names:
        if name not in known:
            raise typer.BadParameter(_unknown("source", name, known), param_hint="--source")
    return [known[name] for name in names]


def _check_feeds(config: Config, slugs: Sequence[str]) -> None:
    """Refuses a feed that is not configured; the feed of a category may come into being by the refresh."""
    known = ["all", *(feed.slug for feed in config.feeds)]
    for slug in slugs:
        if slug not in known and not slug.startswith("category/"):
            raise typer.BadParameter(_unknown("feed", slug, known), param_hint="--feed")


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    import difflib  # noqa: PLC0415

    near = difflib.get_close_matches(name, list(known), 1)
    return f"there is no {what} {name!r}" + (f" (did you mean {near[0]}?)" if near else "")


@app.callback(invoke_without_command=True)
def version(
    ctx: typer.Context,  # noqa: ARG001 - typer's signature
    show: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """The options that stand before a command."""
    if show:
        typer.echo(f"aggregator {__version__}")
        raise typer.Exit


@app.command()
def run(
    config: ConfigOption = Path(DEFAULT_CONFIG),
    *,
    every_source: Annotated[bool, typer.Option("--all", help="Refresh every source now, due or not.")] = False,
    source: Annotated[list[str] | None, typer.Option(help="Refresh only this source (again for more).")] = None,
    feed: Annotated[list[str] | None, typer.Option(help="Regenerate only this feed (again for more).")] = None,
    refresh: Annotated[bool, typer.Option("--refresh/--no-refresh", help="Whether to ask sources at all.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Render every feed, changed or not.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; ask and write nothing.")] = False,
    as_json: JsonOption = False,
    log_format: LogOption = "text",
) -> None:
    """Refresh what is due, regenerate what changed."""
    from aggregator.cli.run_report import RunReport  # noqa: PLC0415
    from aggregator.config.reading import read_config  # noqa: PLC0415
    from aggregator.pipeline.subscriptions import with_subscriptions  # noqa: PLC0415
    from aggregator.schedule.once import due_sources, run_once, would_do  # noqa: PLC0415

    read, now = read_config(config), _now()
    has_lists = any(one.type == "opml" for one in read.sources)
    named = [] if has_lists else _named_sources(read, source or ())
    _check_feeds(read, feed or ())
    with peeking_store(read) if dry_run else _locked_store(read) as store:
        if has_lists:  # only the store knows what is in them
            read = with_subscriptions(read, store)
            named = _named_sources(read, source or ())
        chosen: list[Source] = []
        if refresh:
            chosen = named or (list(read.sources) if every_source else due_sources(read, store, now))
        if dry_run:
            lines = list(would_do(read, store, chosen))
            typer.echo(_json({"would": lines}) if as_json else "\n".join(lines))
            return
        with RunReport(len(chosen), as_json=as_json, log_format=log_format) as report:
            result = run_once(
                read,
                store,
                now,
                chosen,
                feeds=feed or (),
                force=force,
                on_source=report.source,
                on_feed=report.feed,
            )
        report.finish(result)
    if result.failed:
        raise typer.Exit(1)


@app.command()
def check(
    config: ConfigOption = Path(DEFAULT_CONFIG),
    *,
    online: Annotated[bool, typer.Option("--online", help="Ask every web source, too; nothing is kept.")] = False,
    source: Annotated[list[str] | None, typer.Option(help="Ask only this source (again for more).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Validate the configuration; list every fault at once."""
    from aggregator.config.reading import find_faults  # noqa: PLC0415
    from aggregator.pipeline.results import counted  # noqa: PLC0415

    if source and not online:
        raise typer.BadParameter("goes with --online", param_hint="--source")
    read, faults, missing = find_faults(config)
    named = _named_sources(read, source) if source and read is not None and not faults else ()
    if not as_json:
        for fault in (*faults, *missing):
            typer.echo(str(fault), err=True)
        if read is not None and not (faults or missing):
            listed = f"{counted(len(read.sources), 'source')}, {counted(len(read.feeds), 'feed')} listed"
            typer.echo(f"{config}: {listed}; no faults")
    tried: list[dict[str, object]] = []
    if online and read is not None and not faults:
        from aggregator.cli.online import askable, check_online  # noqa: PLC0415 - what asks takes a moment to import

        if local := [one.name for one in named if not askable([one])]:
            raise typer.BadParameter(f"{local[0]} is no web source", param_hint="--source")
        with peeking_store(read) as store, store.read() as tx:
            waits = tx.hosts.waits(_now())
        tried = check_online(read, named or read.sources, _now(), waits=waits, quiet=as_json)
    if as_json:
        said = {"faults": [_as_data(f) for f in faults], "missing": [_as_data(f) for f in missing]}
        typer.echo(_json({**said, "online": tried} if online else said))
    if faults or missing or any(one["error"] for one in tried):
        raise typer.Exit(2 if faults else 1)


def _as_data(fault: Fault) -> dict[str, str | int]:
    return {"file": str(fault.file), "line": fault.line, "key": fault.key, "message": fault.message}


@app.command()
def status(
    config: ConfigOption = Path(DEFAULT_CONFIG),
    *,
    as_json: JsonOption = False,
) -> None:
    """Show sources and feeds: last result, next due, posts, errors."""
    from aggregator.cli.status import print_status, read_status  # noqa: PLC0415
    from aggregator.config.reading import read_config  # noqa: PLC0415
    from aggregator.pipeline.subscriptions import with_subscriptions  # noqa: PLC0415

    read = read_config(config)
    with peeking_store(read) as store:
        found = read_status(with_subscriptions(read, store), store, _now())
    if as_json:
        typer.echo(_json({"sources": found.sources, "feeds": found.feeds}))
        return
    print_status(found)


@app.command()
def image(
    urls: Annotated[list[str], typer.Argument(metavar="URL...", help="Image URLs, as they stand in posts.")],
    config: ConfigOption = Path(DEFAULT_CONFIG),
    *,
    as_json: JsonOption = False,
) -> None:
    """Show what an image URL unwraps to, by which rule, and what it is published as."""
    from aggregator.config.models import Images  # noqa: PLC0415
    from aggregator.config.reading import read_config  # noqa: PLC0415
    from aggregator.pipeline.images import explain_image, proxy_table  # noqa: PLC0415

    is_default = str(config) == DEFAULT_CONFIG and not config.exists()
    table = proxy_table(Images.model_validate({}) if is_default else read_config(config).images)
    found = [explain_image(table, url) for url in urls]
    if as_json:
        typer.echo(_json(found))
        return
    for row in found:
        typer.echo(
            f"{row['url']}\n  origin     {row['origin']}\n  rule       {row['rule'] or 'none: it is no proxy we know'}"
        )
        typer.echo(f"  published  {row['published']}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from aggregator.config.schema import json_schema  # noqa: PLC0415

    typer.echo(json_schema(), nl=False)
