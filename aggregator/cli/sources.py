"""`aggregator sources`: find a feed and note it down, and subscription lists both ways."""

from __future__ import annotations

import re
import sys
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aggregator.cli.options import DEFAULT_CONFIG, ConfigOption, command
from aggregator.errors import AggregatorError, IngestError

if TYPE_CHECKING:
    from aggregator.cli.sourcefiles import Entry
    from aggregator.config.models import Config
    from aggregator.pipeline.discovery import Candidate

app = typer.Typer(no_args_is_help=True, help="Find feeds and note them down; import and export subscription lists.")


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="A feed, a page that has one, or rsshub://ROUTE.")],
    config: ConfigOption = Path(DEFAULT_CONFIG),
    *,
    name: Annotated[str | None, typer.Option(help="The source's name; by default from its title or host.")] = None,
    category: Annotated[str | None, typer.Option(help="Its category path, such as 编程/博客.")] = None,
    allow_private: Annotated[bool, typer.Option("--allow-private", help="It may lie in a private network.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Take the first feed where there are several.")] = False,
) -> None:
    """Find the feed of a page, and write config/sources.d/NAME.yaml."""
    from aggregator.cli.sourcefiles import Entry, file_for, name_for, unique  # noqa: PLC0415
    from aggregator.config.reading import read_config  # noqa: PLC0415
    from aggregator.pipeline.discovery import has_credentials, safe_url  # noqa: PLC0415

    read = read_config(config)
    asked, everything = _typed(url), _with_lists(read)
    _refuse_known(everything, asked)
    options = {"--name": name, "--category": category}
    if name is not None:
        _check_name(read, config, name)
    if asked.startswith("rsshub://"):
        keys, title, kind = _route(read, asked, allow_private=allow_private)
    else:
        chosen = _choose(_candidates(read, asked, allow_private=allow_private), config, options, allow_private, yes=yes)
        _refuse_known(everything, chosen.url)
        keys, title, kind = {"type": "feed", "url": chosen.url}, chosen.title, chosen.kind
    if name is None:
        taken = {source.name for source in everything.sources}
        taken |= {file.stem for file in file_for(config, "x").parent.glob("*.yaml")}
        name = unique(name_for(title or keys.get("path", ""), asked), taken)
    keys = {"name": name, **keys}
    if category:
        keys["category"] = category
    if allow_private:
        keys["allow_private"] = True
    comment = ": ".join(filter(None, (title, kind))) + f"; found at {safe_url(asked)}"
    is_private = has_credentials(keys.get("url", asked))
    then = _write(config, file_for(config, name), [Entry(keys, comment)], is_private=is_private)
    typer.echo(f"{then}: {command(config, 'run', '--source', name)}")


@app.command(name="import")
def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A subscription list (OPML).", exists=True, dir_okay=False)
    ],
    config: ConfigOption = Path(DEFAULT_CONFIG),
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be written; write nothing.")] = False,
) -> None:
    """Write the feeds of a subscription list (OPML) into one file, config/sources.d/FILE.yaml."""
    from aggregator.cli.importing import entries_of  # noqa: PLC0415
    from aggregator.cli.sourcefiles import file_for, slug, unique  # noqa: PLC0415
    from aggregator.cli.tables import print_table  # noqa: PLC0415
    from aggregator.config.reading import read_config  # noqa: PLC0415
    from aggregator.pipeline.discovery import has_credentials, printable, read_opml, safe_url  # noqa: PLC0415
    from aggregator.pipeline.results import counted  # noqa: PLC0415

    read = read_config(config)
    try:
        body = file.read_bytes()
    except OSError as error:
        raise AggregatorError(f"{file} cannot be read: {error.strerror}") from error
    try:
        listing = read_opml(body, url=str(file))
    except IngestError as error:
        raise AggregatorError(printable(f"{file}: {error}")) from error
    entries, skipped = entries_of(listing, _with_lists(read))
    for line in (*listing.warnings, *skipped):
        typer.echo(printable(line), err=True)
    if not entries:
        typer.echo("There is nothing new in it; nothing was written.")
        return
    if dry_run:
        rows = [(one.keys["name"], one.keys.get("category", ""), safe_url(one.keys["url"])) for one in entries]
        print_table(("name", "category", "url"), rows)
        return
    folder = file_for(config, "x").parent
    target = file_for(config, unique(slug(file.stem) or "imported", {there.stem for there in folder.glob("*.yaml")}))
    is_private = any(has_credentials(entry.keys["url"]) for entry in entries)
    then = _write(config, target, entries, is_private=is_private)
    typer.echo(f"{counted(len(entries), 'feed')} imported. {then}: {command(config, 'run')}")


@app.command()
def export(
    config: ConfigOption = Path(DEFAULT_CONFIG),
    *,
    output: Annotated[Path | None, typer.Option(dir_okay=False, help="Where to write it, instead of stdout.")] = None,
) -> None:
    """Print the web feeds as a subscription list (OPML), without their credentials."""
    from aggregator.cli.exporting import exported  # noqa: PLC0415
    from aggregator.config.reading import read_config  # noqa: PLC0415

    read = _with_lists(read_config(config))
    body, notes = exported(read, _states(read))
    for note in notes:
        typer.echo(note, err=True)
    if output is None:
        typer.echo(body, nl=False)  # the bytes: it is UTF-8, whatever the terminal's locale is
        return
    try:
        output.write_bytes(body)
    except OSError as error:
        raise AggregatorError(f"{output} cannot be written: {error.strerror}") from error


def _with_lists(config: Config) -> Config:
    """The configuration with the feeds of its subscription lists, as far as the store can be asked for them."""
    from aggregator.cli.commands import peeking_store  # noqa: PLC0415 - which imports this module
    from aggregator.pipeline.subscriptions import with_subscriptions  # noqa: PLC0415

    if not any(source.type == "opml" for source in config.sources):
        return config
    try:
        with peeking_store(config) as store:
            return with_subscriptions(config, store)
    except AggregatorError:
        return config


def _states(config: Config) -> dict[str, tuple[str, str, str]]:
    """Title, site and present address of each source, as far as the store knows them; a list is better without than none."""
    from aggregator.cli.commands import peeking_store  # noqa: PLC0415 - which imports this module

    try:
        with peeking_store(config) as store, store.read() as tx:
            return {name: (state.title, state.link, state.url) for name, state in tx.sources.all().items()}
    except AggregatorError:
        return {}


def _typed(url: str) -> str:
    """The URL that somebody meant: `feed:` schemes are http, and one without any is https."""
    found = re.sub(r"^feed:(//)?(?=https?://)", "", url.strip(), flags=re.IGNORECASE)
    found = re.sub(r"^feed://", "http://", found, flags=re.IGNORECASE)
    if "://" not in found:
        with suppress(OSError):  # too long for a file
            if Path(found).exists():
                raise typer.BadParameter("is a file here; `aggregator sources import` takes a subscription list")
        found = f"https://{found}"
    scheme, _, rest = found.partition("://")
    if scheme.lower() not in ("http", "https", "rsshub") or not re.match(r"[^\s/?#]", rest) or re.search(r"\s", rest):
        raise typer.BadParameter("must be an http:// or https:// URL, or rsshub://ROUTE")
    return f"{scheme.lower()}://{rest}"


def _refuse_known(config: Config, url: str) -> None:
    """Ends the command where a source asks this URL already."""
    from aggregator.cli.importing import known_places, place_of  # noqa: PLC0415

    known = known_places(config).get(place_of(url))
    if known:
        raise AggregatorError(f"It is configured already, as source {known}; nothing was written.")


def _check_name(config: Config, file: Path, name: str) -> None:
    """Refuses a name that no source can have, or that one has."""
    from aggregator.cli.sourcefiles import file_for  # noqa: PLC0415

    if not re.fullmatch(r"[a-z0-9-]{1,100}", name):
        problem = "may hold only lower-case letters, digits and hyphens, 100 at the most"
    elif name in {source.name for source in config.sources}:
        problem = "is the name of another source"
    elif file_for(file, name).exists():
        problem = f"is the name of a file that is there already: {file_for(file, name)}"
    else:
        return
    raise typer.BadParameter(problem, param_hint="--name")


def _candidates(config: Config, url: str, *, allow_private: bool) -> list[Candidate]:
    """The feeds at a URL."""
    from aggregator.pipeline.discovery import find_feeds, printable  # noqa: PLC0415
    from aggregator.pipeline.web import Asker  # noqa: PLC0415

    with closing(Asker(config, datetime.now(UTC))) as asker:
        try:
            return find_feeds(lambda place: asker.fetch_once(place, allow_private=allow_private), url)
        except IngestError as error:
            raise AggregatorError(printable(str(error))) from error


def _choose(
    found: list[Candidate], config: Path, options: dict[str, str | None], allow_private: bool, *, yes: bool
) -> Candidate:
    """The one to take: the only one, the first with `--yes`, or the one that is chosen on a terminal."""
    from aggregator.cli.tables import print_table  # noqa: PLC0415
    from aggregator.pipeline.discovery import safe_url  # noqa: PLC0415

    rows = [
        (str(number), one.title or "(without a title)", one.kind, str(one.posts), one.newest or "", safe_url(one.url))
        for number, one in enumerate(found, 1)
    ]
    print_table(("", "title", "kind", "posts", "newest", "address"), rows)
    if len(found) == 1 or yes:
        return found[0]
    if sys.stdin.isatty():
        number = 0
        while not 1 <= number <= len(found):
            number = typer.prompt(f"Which one (1 to {len(found)})", type=int, default=1)
        return found[number - 1]
    more = [word for option, value in options.items() if value is not None for word in (option, value)]
    more += ["--allow-private"] if allow_private else []
    typer.echo(f"There are {len(found)} feeds. Choose one, or take the first by --yes:", err=True)
    for one in found:
        typer.echo(f"  {command(config, 'sources', 'add', safe_url(one.url), *more)}", err=True)
    raise typer.Exit(2)


def _route(config: Config, url: str, *, allow_private: bool) -> tuple[dict[str, Any], str, str]:
    """The keys of a route of RSSHub, its title and what it is; raises AggregatorError where no instance gives posts."""
    from pydantic import ValidationError  # noqa: PLC0415

    from aggregator.config.reading import as_route  # noqa: PLC0415
    from aggregator.config.sources import RsshubSource  # noqa: PLC0415
    from aggregator.pipeline.discovery import printable  # noqa: PLC0415
    from aggregator.pipeline.results import counted  # noqa: PLC0415
    from aggregator.pipeline.trial import try_out  # noqa: PLC0415
    from aggregator.pipeline.web import Asker  # noqa: PLC0415

    if not config.rsshub.instances:
        raise typer.BadParameter("needs `instances`, at the top level of the configuration under `rsshub`")
    keys = as_route({"url": url})
    try:
        source = RsshubSource.model_validate({"name": "new", "allow_private": allow_private or None, **keys})
    except ValidationError:
        raise typer.BadParameter("is no route such as rsshub://36kr/newsflashes") from None
    with closing(Asker(config, datetime.now(UTC))) as asker:
        trial = try_out(asker, source)
    if trial.error:
        raise AggregatorError(printable(f"{source.path}: {trial.error}"))
    kind = f"a route of RSSHub, {counted(trial.posts, 'post')}"
    typer.echo(kind + (f", newest {trial.newest}" if trial.newest else ""))
    return {"type": "rsshub"} | {key: value for key, value in keys.items() if key != "type"}, "", "a route of RSSHub"


def _write(config: Path, file: Path, entries: list[Entry], *, is_private: bool) -> str:
    """Writes the file, and says what is to be known of it; returns the word for when a run can use it."""
    from aggregator.cli.sourcefiles import as_yaml, is_taken_in, write_new  # noqa: PLC0415

    write_new(file, as_yaml(entries), private=is_private)
    is_included = is_taken_in(config, file, [entry.keys["name"] for entry in entries])
    typer.echo(f"{file} written.")
    if is_private:
        typer.echo("It holds credentials, so only you may read it. Better: `auth` or `query` with ${NAME}.", err=True)
    if not is_included:
        where = file.parent.name
        typer.echo(f"{config} does not take it in yet. Add below `sources:`\n  - include: {where}/*.yaml", err=True)
        return "Then"
    return "Next"
