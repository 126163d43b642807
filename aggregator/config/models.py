"""The YAML file as frozen pydantic models: every key, its meaning and its default live here and nowhere else.

The descriptions become the JSON Schema that editors show and `docs/config.md`, so they are written for operators.
Paths arrive here already made absolute, `${NAME}` already replaced: see `reading`.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

Format = Literal["rss", "atom", "json"]
ALL_FORMATS: tuple[Format, ...] = ("rss", "atom", "json")

RESERVED_SLUGS = frozenset(
    [
        "category",
        "feeds",
        "healthz",
        "img",
        "index",
        "media",
        "metrics",
        "posts",
        "private",
        "readyz",
        "search",
        "static",
        "status",
        "websub",
    ]
)
LINK_PARTS = frozenset({"path", "name", "year", "month", "day"})  # of the template for posts without a link
_INTERVAL = re.compile(r"(\d+)\s*([smhdw])")
_LONGEST = {"s": 31_536_000, "m": 525_600, "h": 8_760, "d": 365, "w": 52}  # a year, whatever is written
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]{1,100}", value):
        raise ValueError("may hold only lower-case letters, digits and hyphens, 100 at the most")
    return value


def _slug(value: str) -> str:
    if _name(value) in RESERVED_SLUGS:
        raise ValueError("is reserved for our own use; choose another")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("is no time zone of the IANA database, such as Asia/Shanghai or UTC") from error
    return value


def _base_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*)?", value):
        raise ValueError("must be an absolute http:// or https:// URL without query or fragment")
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
        if not host.isascii():  # documents want URIs, and so do HTTP headers
            value = value.replace(parts.netloc, host.encode("idna").decode() + (f":{port}" if port else ""), 1)
    except ValueError as error:
        raise ValueError("names a host that cannot be one") from error
    return value if value.endswith("/") else value + "/"


def _http_url(value: str) -> str:
    if not re.match(r"https?://[^/?#\s]+", value):
        raise ValueError("must start with http:// or https://")
    return value


def _language(value: str) -> str:
    if value and not re.fullmatch(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*", value):
        raise ValueError("is no language tag (RFC 5646), such as zh-CN or en")
    return value


def _every(value: str) -> str:
    if value == "adaptive":
        raise ValueError("`adaptive` is not supported yet; give an interval such as 30m, or a cron expression")
    if interval(value) is None and not _is_cron(value):
        raise ValueError("is neither an interval such as 30m, 2h or 1d nor a cron expression of five fields")
    return value


def _is_cron(value: str) -> bool:
    if len(value.split()) != 5:
        return False
    from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415 - a fifth of a second that few configs need

    try:
        CronTrigger.from_crontab(value)
    except ValueError:
        return False
    return True


def interval(every: str) -> timedelta | None:
    """The interval that `every` names, or None where it is a cron expression."""
    match = _INTERVAL.fullmatch(every.strip())
    if match is None or not int(match[1]):
        return None
    return timedelta(**{_UNITS[match[2]]: min(int(match[1]), _LONGEST[match[2]])})


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error.msg}") from error
    return value


def _path(value: Any, info: ValidationInfo) -> Any:
    """A path written in the file, made absolute against the folder of that file."""
    if not isinstance(value, str) or not value:
        return value
    if "\0" in value:
        raise ValueError("holds a NUL character")
    return Path((info.context or {}).get("folder", "."), Path(value).expanduser())


def _url_or_path(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str):
        return value
    if re.match(r"https?://", value):
        return _http_url(value)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", value):
        raise ValueError("must be an http:// or https:// URL, or the path of a local file")
    return str(_path(value, info))


def _store(value: Any, info: ValidationInfo) -> Any:
    """A store's URL, with SQLite's relative path made absolute and PostgreSQL's driver named."""
    if not isinstance(value, str):
        return value
    if value.startswith("sqlite:///"):
        path = value.removeprefix("sqlite:///")
        if not path or path == ":memory:":
            raise ValueError("needs a file: a store in memory would forget everything between two runs")
        return f"sqlite:///{_path(path, info)}"
    scheme, separator, rest = value.partition("://")
    if separator and scheme in {"postgresql", "postgres", "postgresql+psycopg"}:
        if "@" in urlsplit(value).path or not re.fullmatch(r"([^@]*@)?[^@:]*(:\d+)?", urlsplit(value).netloc):
            raise ValueError("is no URL; a password in it needs `/`, `@` and `:` percent-encoded")
        return f"postgresql+psycopg://{rest}"
    raise ValueError("must be sqlite:///PATH or postgresql://USER@HOST/NAME")


Name = Annotated[str, AfterValidator(_name)]
Slug = Annotated[str, AfterValidator(_slug)]
Zone = Annotated[str, AfterValidator(_zone)]
Language = Annotated[str, AfterValidator(_language)]
Every = Annotated[str, AfterValidator(_every)]
Formats = Annotated[tuple[Format, ...], Field(min_length=1)]


def _link_template(value: str) -> str:
    unknown = sorted(set(re.findall(r"\{(\w*)\}", value)) - LINK_PARTS)
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in sorted(LINK_PARTS))
        raise ValueError(f"does not know {{{unknown[0]}}}; there are {known}")
    return _http_url(value)


LinkTemplate = Annotated[str, AfterValidator(_link_template)]
Pattern = Annotated[str, AfterValidator(_pattern)]
ConfigPath = Annotated[Path, BeforeValidator(_path)]


class Model(BaseModel):
    """Frozen, and closed: a key that is not declared is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Site(Model):
    """Who publishes, and where."""

    title: str = Field(
        "My planet", min_length=1, description="Title of the site, shown on its pages and in the list of feeds."
    )
    base_url: Annotated[str, AfterValidator(_base_url)] = Field(
        "http://localhost:8000/",
        description="Where `output` is reachable. Every self link and every GUID minted for a post builds on it.",
    )
    description: str = Field(
        "", description="One sentence about the site, for its page and for the feed of everything."
    )
    language: Language = Field("", description="Language of the site (RFC 5646), such as `zh-CN` or `en`.")
    timezone: Zone = Field(
        "UTC", description="Time zone of dates that are written without one, such as `Asia/Shanghai`."
    )


class SourceBase(Model):
    """What every kind of source has."""

    name: Name = Field(description="Stable and unique key of the source, `[a-z0-9-]+`. Renaming it makes new posts.")
    category: str | None = Field(
        None, description="A category path such as `编程/Dockone`; `category_mode` says what it does to the posts."
    )
    category_mode: Literal["fallback", "prefix", "replace"] = Field(
        "fallback",
        description="`fallback`: `category` is for posts without one of their own. `prefix`: it is joined before theirs. "
        "`replace`: it stands instead of theirs.",
    )
    every: Every | None = Field(
        None,
        description="How often the source is due: an interval (`30m`, `2h`, `1d`) or a cron expression of five fields. "
        "By default web feeds every 30 minutes, and files on this machine at every run.",
    )
    timezone: Zone | None = Field(None, description="Time zone of dates without one; by default the site's.")
    language: Language | None = Field(
        None, description="Language of posts that do not say; by default the site's for files, and none for web feeds."
    )
    future: Literal["hold", "publish"] = Field(
        "hold", description="Posts dated in the future are held until they are due, or published at once."
    )


class FrontMatterSource(SourceBase):
    """A folder of files with front matter: the posts of a Hexo, Jekyll or Hugo site."""

    type: Literal["front-matter"]
    path: ConfigPath = Field(description="The folder, relative to the file this stands in. Nothing outside it is read.")
    glob: str = Field(
        "**/*.{md,markdown,html}", description="Which files below the folder are posts; `{a,b}` means either."
    )
    dialect: Literal["hexo", "jekyll", "hugo", "flat"] = Field(
        "hexo",
        description="How `categories:` reads. Hexo: a list is one path, a list of lists is several. Jekyll, Hugo and flat: "
        "several categories of one name each.",
    )
    link: LinkTemplate | None = Field(
        None,
        description="Link of posts that carry none, such as `https://blog.example.com/{path}/`. `{path}` is the file's path "
        "in the folder without its suffix, `{name}` its last part, `{year}`, `{month}` and `{day}` the post's date.",
    )
    max_bytes: int = Field(
        20_000_000, gt=0, le=1_000_000_000, description="Files larger than this are skipped, by name."
    )


class FeedSource(SourceBase):
    """A web feed: RSS, Atom or JSON Feed."""

    type: Literal["feed"]
    url: Annotated[str, BeforeValidator(_url_or_path)] = Field(
        description="`http://` or `https://`, or the path of a local file, relative to the file this stands in."
    )

    @property
    def is_local(self) -> bool:
        """True where the feed is a file on this machine."""
        return not self.url.startswith(("http://", "https://"))


Source = FrontMatterSource | FeedSource


class Fetch(Model):
    """How sources are asked."""

    timeout_s: float = Field(
        30, gt=0, le=600, description="Seconds for a whole exchange, from connecting to the last byte."
    )
    max_bytes: int = Field(
        15_728_640, gt=0, le=1_000_000_000, description="Largest body accepted, in bytes after decoding."
    )
    contact: str = Field(
        "", description="A URL or address that goes into the User-Agent; by default the site's `base_url`."
    )


class ProxyRow(Model):
    """One image proxy to unwrap, in the form of the built-in table (`aggregator/images/proxies.py`)."""

    name: str = Field(description="What `aggregator image` calls it.")
    hosts: tuple[str, ...] = Field(
        ("*",),
        description="Globs, any of which the host must match, such as `*.workers.dev`. `*` is any host; then the URL must "
        "hold an absolute http(s) URL, and `path` should be unmistakable.",
    )
    path: Pattern = Field(
        "",
        description="A regular expression that the whole path must match; empty: any path. Without `parameter`, its groups, "
        "joined, are what the URL holds.",
    )
    parameter: str | None = Field(
        None,
        description="The query parameter that holds the origin; an empty string: the whole query; `null`: the path does.",
    )
    own: tuple[str, ...] = Field(
        (), description="The proxy's own query parameters: there ends an origin in `parameter` that was not escaped."
    )
    keep_query: bool = Field(False, description="Whether the query is the rest of an origin that the path holds.")
    decode: Literal["auto", "none", "percent", "hex", "base64"] = Field(
        "auto",
        description="`auto`: percent-decoded once when it was escaped as a whole, else verbatim; `percent`: "
        "percent-decoded once; `none`; `hex`; `base64`: URL-safe or not, with padding or without.",
    )
    value: Pattern = Field(
        "", description="A regular expression that the decoded text must match; its groups, joined, are the origin."
    )
    prefix: str = Field(
        "",
        description="What goes before an origin that is not absolute, such as `https://`; empty: it has to be absolute.",
    )
    secure: str = Field("", description="A parameter, such as `ssl=1`, that turns the `prefix` into https.")

    @model_validator(mode="after")
    def _holds_an_origin(self) -> ProxyRow:
        if self.parameter is None and not re.compile(self.path).groups:
            raise ValueError("without `parameter`, `path` needs a group around the origin")
        return self


class Images(Model):
    """What happens to image URLs."""

    unwrap: bool = Field(True, description="Recover the origin of images behind known proxies.")
    proxies: tuple[ProxyRow, ...] = Field((), description="More proxies to unwrap, tried before the built-in ones.")


class FeedConfig(Model):
    """A feed to publish."""

    slug: Slug = Field(description="Folder of the feed below `output`, `[a-z0-9-]+`.")
    title: str = Field(description="Title of the feed.")
    description: str = Field("", description="One sentence about the feed.")
    categories: tuple[str, ...] = Field(
        (),
        description="Category paths; the feed holds the posts of any of them and of everything below. Empty: all posts.",
    )
    limit: Annotated[int, Field(gt=0, le=1_000_000)] | None = Field(
        50, description="Newest posts to hold; `null`: all of them."
    )
    formats: Formats = Field(ALL_FORMATS, description="Any of `rss`, `atom`, `json`.")


class ByCategory(Model):
    """One feed per category and per ancestor, without listing them."""

    enabled: bool = Field(True, description="Whether these feeds are published.")
    depth: int = Field(3, gt=0, le=16, description="How many names deep a category may lie to get a feed of its own.")
    min_posts: int = Field(1, gt=0, description="Posts that a category must hold to get a feed.")
    limit: Annotated[int, Field(gt=0, le=1_000_000)] | None = Field(
        50, description="Newest posts to hold; `null`: all of them."
    )
    formats: Formats = Field(ALL_FORMATS, description="Any of `rss`, `atom`, `json`.")


class Config(Model):
    """The whole file. Paths are relative to it; unknown keys are errors; `${NAME}` stands for an environment variable."""

    site: Site = Field(default_factory=lambda: Site.model_validate({}), description="Who publishes, and where.")
    store: Annotated[str, BeforeValidator(_store)] = Field(
        "sqlite:///../var/aggregator.db",
        validate_default=True,
        description="Where posts are kept: `sqlite:///PATH`, or `postgresql://USER:PASSWORD@HOST/NAME`.",
    )
    output: ConfigPath = Field(
        "../feeds",
        validate_default=True,
        description="The folder in which feeds are published.",
    )
    sources: tuple[Annotated[Source, Field(discriminator="type")], ...] = Field(
        (), description="Where posts come from. `- include: sources.d/*.yaml` takes in more files."
    )
    fetch: Fetch = Field(default_factory=lambda: Fetch.model_validate({}), description="How sources are asked.")
    images: Images = Field(default_factory=lambda: Images.model_validate({}), description="What happens to image URLs.")
    feeds: tuple[FeedConfig, ...] = Field(
        (), description="Feeds to publish. `all` (everything) is always there; an entry with that slug changes it."
    )
    by_category: ByCategory = Field(
        default_factory=lambda: ByCategory.model_validate({}),
        description="One feed per category and per ancestor, without listing them.",
    )
