"""The web feeds of the configuration as a subscription list, without anything that is secret."""

from __future__ import annotations

from collections.abc import Mapping

from aggregator.config.models import Config
from aggregator.config.sources import FeedSource, FrontMatterSource, RsshubInstance, RsshubSource, WebSource
from aggregator.models import Category
from aggregator.pipeline.discovery import has_credentials, opml_of, public_url, route_url
from aggregator.pipeline.results import counted

_SECRET = ("auth", "headers", "headers_file", "cookies", "cookies_file", "query", "query_file")


def exported(config: Config, states: Mapping[str, tuple[str, str, str]]) -> tuple[bytes, list[str]]:
    """The list, and what is to be said of what is missing in it; `states` holds title, site and where it is asked now, by source."""
    rows: list[tuple[str, str, str, tuple[str, ...]]] = []
    notes: list[str] = []
    others = 0
    for source in config.sources:
        title, site, present = states.get(source.name, ("", "", ""))
        url = _url(source, config, present) if isinstance(source, WebSource) else ""
        if not url:
            others += not isinstance(source, FrontMatterSource)
            continue
        assert isinstance(source, WebSource)
        public = public_url(url)
        if has_credentials(url) or any(getattr(source, key) for key in _SECRET) or _has_access_key(source, config):
            notes.append(f"{source.name}: exported without its credentials; elsewhere it may need them.")
        rows.append((title or source.name, public, public_url(site), Category.parse(source.category or "").names))
    if others:
        notes.append(f"{counted(others, 'source')} left out: what is no web feed, no other reader could ask.")
    return opml_of(config.site.title, rows), notes


def _has_access_key(source: WebSource, config: Config) -> bool:
    """Whether the instance of a route wants to know who asks."""
    if not isinstance(source, RsshubSource):
        return False
    instance = _instance(source, config)
    keys = (source.access_code, instance.access_key, instance.access_key_file)
    return any(keys) or has_credentials(instance.url)


def _instance(source: RsshubSource, config: Config) -> RsshubInstance:
    return (source.instances or config.rsshub.instances)[0]


def _url(source: WebSource, config: Config, present: str) -> str:
    """Where another reader would ask for the source, which may have moved since; empty where it cannot."""
    if isinstance(source, RsshubSource):
        instance = present or public_url(_instance(source, config).url)
        return route_url(instance, source.path, source.parameters).url
    return (present or source.url) if isinstance(source, FeedSource) and not source.is_local else ""
