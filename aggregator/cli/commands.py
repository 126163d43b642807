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
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator import __version__
from aggregator.cli import sources
from aggregator.cli.moments import now
from aggregator.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, LogOption
from aggregator.errors import AggregatorError, ConfigError, LockHeld

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.cli.logs import LogFormat
    from aggregator.config.models import Config
    from aggregator.config.sources import Source
    from aggregator.errors import Fault
    from aggregator.schedule.once import Order, RunResult
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
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed: what is said is for nobody, and must not reach another file
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - as long as the process
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
    from aggregator.pipeline.private import without_tokens  # noqa: PLC0415

    typer.echo(without_tokens(message), err=True)
    sys.stdout.flush()
    raise SystemExit(code)


def _json(data: object) -> str:
    import json  # noqa: PLC0415

    return json.dumps(data, ensure_ascii=False, indent=2)


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
    from aggregator.config.reading import read_config  # noqa: PLC0415
    from aggregator.pipeline.subscriptions import with_subscriptions  # noqa: PLC0415
    from aggregator.schedule.once import Order, would_do  # noqa: PLC0415

    read, moment = read_config(config), now()
    if not any(one.type == "opml" for one in read.sources):  # only the store knows what is in a list
        _named_sources(read, source or ())
    _check_feeds(read, feed or ())
    order = Order(every_source, tuple(source or ()), tuple(feed or ()), refresh, force)
    if dry_run:
        with peeking_store(read) as store:
            read = with_subscriptions(read, store)
            lines = list(would_do(read, store, _chosen(read, store, moment, order)))
        typer.echo(_json({"would": lines}) if as_json else "\n".join(lines))
        return
    try:
        with _locked_store(read) as store:
            result = _run(read, store, moment, order, as_json=as_json, log_format=log_format)
    except LockHeld as held:
        from aggregator.cli.handing import run_by_daemon  # noqa: PLC0415

        if order.sources:
            with peeking_store(read) as store:
                _named_sources(with_subscriptions(read, store), order.sources)
        result = run_by_daemon(config, read, order, held, as_json=as_json, log_format=log_format)
    if result.failed:
        raise typer.Exit(1)


def _run(
    config: Config, store: Store, moment: datetime, order: Order, *, as_json: bool, log_format: LogFormat
) -> RunResult:
    """Does the work in this process, and prints how it went."""
    from aggregator.cli.logs import Log  # noqa: PLC0415
    from aggregator.cli.run_report import RunReport  # noqa: PLC0415
    from aggregator.pipeline.subscriptions import with_subscriptions  # noqa: PLC0415
    from aggregator.schedule.once import run_once  # noqa: PLC0415

    config = with_subscriptions(config, store)
    chosen = _chosen(config, store, moment, order)
    with RunReport(len(chosen), as_json=as_json, log_format=log_format) as report:
        result = run_once(
            config,
            store,
            moment,
            chosen,
            feeds=order.feeds,
            force=order.force,
            mirrors=order.refresh,
            on_source=report.source,
            on_feed=report.feed,
        )
    if config.websub.hub not in {None, "builtin"}:
        from aggregator.pipeline.websub.notifying import tell_once  # noqa: PLC0415 - for those who name a hub

        tell_once(config, result.feeds, Log(log_format).warning)
    report.finish(result)
    return result


def _chosen(config: Config, store: Store, moment: datetime, order: Order) -> list[Source]:
    """The sources that a run is to refresh."""
    from aggregator.schedule.once import due_sources  # noqa: PLC0415

    named = _named_sources(config, order.sources)
    if not order.refresh:
        return []
    return named or (list(config.sources) if order.every_source else due_sources(config, store, moment))


@app.command()
def daemon(
    config: ConfigOption = Path(DEFAULT_CONFIG),
    *,
    host: Annotated[str | None, typer.Option(help="The address to listen on; by default `serve.host`.")] = None,
    port: Annotated[
        int | None, typer.Option(help="The port to listen on; by default `serve.port`.", min=0, max=65535)
    ] = None,
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Whether to serve feeds and pages.")] = True,
    log_format: LogOption = "text",
) -> None:
    """Keep sources fresh and serve feeds, until SIGTERM."""
    import signal  # noqa: PLC0415

    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # whoever wants it reloaded that early gets what it reads now
    from aggregator.cli.daemon import run_daemon  # noqa: PLC0415

    run_daemon(config, host=host, port=port, serve=serve, log_format=log_format)


@app.command()
def check(
    config: ConfigOption = Path(DEFAULT_CONFIG),
    *,
    online: Annotated[bool, typer.Option("--online", help="Ask every web source, too; nothing is kept.")] = False,
    source: Annotated[list[str] | None, typer.Option(help="Ask only this source (again for more).")] = None,
    images: Annotated[
        bool, typer.Option("--images", help="Ask for the images of recent posts, too, as they are published.")
    ] = False,
    feed: Annotated[list[str] | None, typer.Option(help="Only the images of this feed (again for more).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Validate the configuration; list every fault at once."""
    from aggregator.config.reading import find_faults  # noqa: PLC0415

    for given, option, wanted, other in (
        (source, "--source", online, "--online"),
        (feed, "--feed", images, "--images"),
    ):
        if given and not wanted:
            raise typer.BadParameter(f"goes with {other}", param_hint=option)
    read, faults, missing = find_faults(config)
    sound = None if faults else read
    named = _named_sources(sound, source or ()) if sound is not None else []
    if sound is not None:
        _check_feeds(sound, feed or ())
    if not as_json:
        _print_faults(config, read, (*faults, *missing))
    said: dict[str, object] = {"faults": [_as_data(f) for f in faults], "missing": [_as_data(f) for f in missing]}
    is_bad = bool(faults or missing)
    if online:
        fails, said["online"] = _check_online(sound, named, quiet=as_json) if sound else (False, [])
        is_bad |= fails
    if images:
        fails, said["images"] = _check_images(sound, feed or (), quiet=as_json) if sound else (False, [])
        is_bad |= fails
    if as_json:
        typer.echo(_json(said))
    if is_bad:
        raise typer.Exit(2 if faults else 1)


def _print_faults(file: Path, read: Config | None, faults: Sequence[Fault]) -> None:
    """What is wrong with a configuration, or that nothing is."""
    from aggregator.pipeline.results import counted  # noqa: PLC0415

    for fault in faults:
        typer.echo(str(fault), err=True)
    if read is not None and not faults:
        listed = f"{counted(len(read.sources), 'source')}, {counted(len(read.feeds), 'feed')} listed"
        typer.echo(f"{file}: {listed}; no faults")


def _check_online(config: Config, named: Sequence[Source], *, quiet: bool) -> tuple[bool, list[dict[str, object]]]:
    """Whether some source fails, and what each gave, for `--json`."""
    from aggregator.cli.online import askable, check_online  # noqa: PLC0415 - what asks takes a moment to import

    if local := [one.name for one in named if not askable([one])]:
        raise typer.BadParameter(f"{local[0]} is no web source", param_hint="--source")
    with peeking_store(config) as store, store.read() as tx:
        waits = tx.hosts.waits(now())
    tried = check_online(config, named or config.sources, now(), waits=waits, quiet=quiet)
    return any(one["error"] for one in tried), tried


def _check_images(config: Config, feeds: Sequence[str], *, quiet: bool) -> tuple[bool, list[dict[str, object]]]:
    """Whether readers do not see some image, and what was found at each host, for `--json`."""
    from aggregator.cli.checkimages import as_data, check_shown, is_bad  # noqa: PLC0415 - likewise

    with peeking_store(config) as store:
        with store.read() as tx:
            waits = tx.hosts.waits(now())
        reports = check_shown(config, store, now(), feeds, waits, quiet=quiet)
    return is_bad(reports), [as_data(report) for report in reports]


def _as_data(fault: Fault) -> dict[str, str | int]:
    return {"file": str(fault.file), "line": fault.line, "key": fault.key, "message": fault.message}


@app.command()
def status(
    config: ConfigOption = Path(DEFAULT_CONFIG),
    *,
    private: Annotated[bool, typer.Option("--private", help="Show where private feeds are.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show sources and feeds: last result, next due, posts, errors."""
    from aggregator.cli.status import print_private, print_status, read_status  # noqa: PLC0415
    from aggregator.config.reading import read_config  # noqa: PLC0415
    from aggregator.pipeline.subscriptions import with_subscriptions  # noqa: PLC0415

    read = read_config(config)
    with peeking_store(read) as store:
        found = read_status(with_subscriptions(read, store), store, now(), private=private)
    if as_json:
        typer.echo(_json({"sources": found.sources, "feeds": found.feeds, "images": found.images}))
    elif private:
        print_private(read, found)
    else:
        print_status(found)


@app.command()
def image(
    urls: Annotated[list[str], typer.Argument(metavar="URL...", help="Image URLs, as they stand in posts.")],
    config: ConfigOption = Path(DEFAULT_CONFIG),
    *,
    source: Annotated[str, typer.Option(help="As if in a post of this source.")] = "",
    feed: Annotated[str, typer.Option(help="As if in this feed; otherwise on a page of its own.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Show the way of an image URL: what it unwraps to, what it is published as, and by which rules."""
    from aggregator.cli.imageway import as_data, image_ways, in_words  # noqa: PLC0415
    from aggregator.config.reading import read_config  # noqa: PLC0415
    from aggregator.config.sources import OpmlSource  # noqa: PLC0415

    is_default = str(config) == DEFAULT_CONFIG and not config.exists()
    read = None if is_default else read_config(config)
    if read is not None:
        if source and not any(isinstance(one, OpmlSource) for one in read.sources):  # what lists hold is in the store
            _named_sources(read, [source])
        _check_feeds(read, [feed] if feed else [])
    found = image_ways(read, urls, source=source, feed=feed)
    typer.echo(_json([as_data(way) for way in found]) if as_json else "\n".join(map(in_words, found)))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from aggregator.config.schema import json_schema  # noqa: PLC0415

    typer.echo(json_schema(), nl=False)
