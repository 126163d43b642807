"""`aggregator image`: the way of an image's URL, from what stands in a post to what is published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aggregator.config.images import Images
from aggregator.config.models import Config
from aggregator.pipeline.imagerules import ImageRules, image_rules, is_proxied, signing_key
from aggregator.pipeline.images import Way, ways_of
from aggregator.store.store import Store

_WHY = {  # a rule that matches does not do its job
    "wrap": "its template cannot hold this URL",
    "proxy": "it is a URL of our own, or holds a password",
    "mirror": "there is no copy, or none yet",
}


def image_ways(config: Config | None, urls: Sequence[str], *, source: str, feed: str) -> list[Way]:
    """The way of each URL by a configuration; without one, by the defaults, which need no store."""
    if config is None:
        return ways_of(ImageRules(Images.model_validate({}), ""), None, urls, source=source, feed=feed)
    if not config.images.rules:
        return ways_of(ImageRules(config.images, config.site.base_url), None, urls, source=source, feed=feed)
    return _with_store(config, urls, source=source, feed=feed)


def _with_store(config: Config, urls: Sequence[str], *, source: str, feed: str) -> list[Way]:
    """The same where the store has a say: it keeps the key of our proxy, and knows our copies."""
    store = Store(config.store)
    store.open()
    try:
        if is_proxied(config.images):
            signing_key(config, store)
        with store.read() as tx:
            return ways_of(image_rules(config, tx), tx, urls, source=source, feed=feed)
    finally:
        store.close()


def as_data(way: Way) -> dict[str, Any]:
    """The way for `--json`; `rule` is None for what is no proxy, `published` for what is not shown at all."""
    rule = " > ".join(way.unwrapped) or None
    return {"url": way.url, "origin": way.made.origin, "rule": rule, "published": way.made.url}


def in_words(way: Way) -> str:
    """The way as a few lines."""
    made = way.made
    lines = [
        way.url,
        f"  origin     {made.origin}",
        f"  rule       {' > '.join(way.unwrapped) or 'none: it is no proxy we know'}",
        *(["             and what we put in front of it is taken off"] if way.is_ours else []),
        *(f"  passed on  by {rule.name} ({rule.action}): {_WHY[rule.action]}" for rule in way.passed),
        f"  published  {made.url or 'not at all'}",
        f"  by         {f'{made.rule} ({made.action})' if made.rule else 'no rule: it is linked to'}",
    ]
    return "\n".join(lines)
