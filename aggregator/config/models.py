"""The YAML file as frozen pydantic models: every key, its meaning and its default live here and nowhere else.

The descriptions become the JSON Schema that editors show and `docs/config.md`, so they are written for operators.
Paths arrive here already made absolute, `${NAME}` already replaced: see `reading`.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from aggregator.config.fields import (
    ALL_FORMATS,
    BaseUrl,
    ConfigPath,
    Formats,
    Hub,
    Language,
    Model,
    Slug,
    StoreUrl,
    Zone,
)
from aggregator.config.images import Images
from aggregator.config.sources import Instances, Source


class Site(Model):
    """Who publishes, and where."""

    title: str = Field(
        "My planet", min_length=1, description="Title of the site, shown on its pages and in the list of feeds."
    )
    base_url: BaseUrl = Field(
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


class Fetch(Model):
    """How sources are asked."""

    timeout_s: float = Field(
        30, gt=0, le=600, description="Seconds for a whole exchange, from connecting to the last byte."
    )
    max_bytes: int = Field(
        15_728_640, gt=0, le=1_000_000_000, description="Largest body accepted, in bytes after decoding."
    )
    per_host: int = Field(1, gt=0, le=64, description="Connections to one host at a time.")
    min_gap_s: float = Field(
        1, ge=0, le=3600, description="Seconds between the end of one request to a host and the next; others go on."
    )
    allow_private: bool = Field(
        False,
        description="Whether addresses of private networks may be asked. Better set it for the sources that need it. For images "
        "only this counts, whatever their source says.",
    )
    proxy: SecretStr | None = Field(
        None,
        description="An HTTP proxy to ask through, such as `http://user:${PASSWORD}@proxy.example.com:3128`. The environment "
        "is never looked at.",
    )
    contact: str = Field(
        "", description="A URL or address that goes into the User-Agent; by default the site's `base_url`."
    )


class Rsshub(Model):
    """The RSSHub instances that `type: rsshub` sources are asked of."""

    instances: Instances = Field((), description="URLs, or mappings with an access key; the first is asked first.")


def _token(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[A-Za-z0-9_-]{16,200}", value.get_secret_value()):
        raise ValueError("must be 16 to 200 letters, digits, hyphens and underscores")
    return value


class Serve(Model):
    """What `aggregator daemon` serves, and where."""

    host: str = Field(
        "127.0.0.1",
        description="The address to listen on; a web server with TLS belongs in front of anything but this machine.",
    )
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on; 0: any that is free.")
    access_log: bool = Field(True, description="Whether each request is logged; tokens in URLs never are.")
    metrics: bool = Field(True, description="Whether `/metrics` (Prometheus) is served.")
    search: bool = Field(True, description="Whether posts are indexed and `/search` is served.")
    socket: ConfigPath | None = Field(
        None,
        description="Where a daemon takes work from `aggregator run`; by default beside the SQLite store, or in the "
        "folder for run-time files of this user.",
    )


class StatusPage(Model):
    """The page that says how sources and feeds stand."""

    enabled: bool = Field(True, description="Whether `/status` and `/status.json` are served.")
    token: Annotated[SecretStr, AfterValidator(_token)] | None = Field(
        None,
        description="Who wants to see them has to know it: `/status?token=…`, or `Authorization: Bearer …`. At least 16 of "
        "`[A-Za-z0-9_-]`.",
    )


class Websub(Model):
    """WebSub (https://www.w3.org/TR/websub/): news is pushed, to our readers and to us."""

    hub: Hub | None = Field(
        None,
        description="Who tells readers of our feeds that there is news: the URL of a hub, or `builtin`, our own at "
        "`/websub`; `null`: nobody.",
    )
    subscribe: bool = Field(
        True,
        description="Whether sources that name a hub are subscribed to there; only where `base_url` is public.",
    )


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
    private: bool = Field(
        False,
        description="Whether it is listed nowhere and lies at `/private/TOKEN/SLUG/`, which `aggregator status` shows with "
        "`--private`.",
    )
    token: Annotated[SecretStr, AfterValidator(_token)] | None = Field(
        None,
        description="The secret in a private feed's URL, at least 16 of `[A-Za-z0-9_-]`; by default one that the store keeps.",
    )


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
    store: StoreUrl = Field(
        "sqlite:///../var/aggregator.db",
        validate_default=True,
        description="Where posts are kept: `sqlite:///PATH`, or `postgresql://USER:PASSWORD@HOST/NAME`.",
    )
    output: ConfigPath = Field(
        "../feeds",
        validate_default=True,
        description="The folder in which feeds are published, for one configuration alone: files of others with the names of ours are replaced.",
    )
    sources: tuple[Annotated[Source, Field(discriminator="type")], ...] = Field(
        (), description="Where posts come from. `- include: sources.d/*.yaml` takes in more files."
    )
    fetch: Fetch = Field(default_factory=lambda: Fetch.model_validate({}), description="How sources are asked.")
    rsshub: Rsshub = Field(
        default_factory=lambda: Rsshub.model_validate({}), description="Instances of RSSHub, for its routes."
    )
    images: Images = Field(default_factory=lambda: Images.model_validate({}), description="What happens to image URLs.")
    feeds: tuple[FeedConfig, ...] = Field(
        (), description="Feeds to publish. `all` (everything) is always there; an entry with that slug changes it."
    )
    by_category: ByCategory = Field(
        default_factory=lambda: ByCategory.model_validate({}),
        description="One feed per category and per ancestor, without listing them.",
    )
    serve: Serve = Field(
        default_factory=lambda: Serve.model_validate({}), description="What `aggregator daemon` serves, and where."
    )
    status: StatusPage = Field(
        default_factory=lambda: StatusPage.model_validate({}),
        description="The page that says how sources and feeds stand.",
    )
    websub: Websub = Field(
        default_factory=lambda: Websub.model_validate({}), description="News is pushed, to our readers and to us."
    )
