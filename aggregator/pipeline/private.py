"""Private feeds: listed nowhere, and found only by who knows the secret in their URL, `private/TOKEN/SLUG/`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # whoever only hides tokens needs none of them
    from aggregator.config.models import Config
    from aggregator.store.store import Transaction

PRIVATE = "private"
_TOKEN = re.compile(r"\bprivate/[^/\s]+")


def tokens(config: Config, tx: Transaction) -> dict[str, str | None]:
    """The secret of each private feed, by slug; None for one that names none itself and was given none yet."""
    return {
        feed.slug: feed.token.get_secret_value() if feed.token else tx.settings.get(_name(feed.slug))
        for feed in config.feeds
        if feed.private
    }


def give_token(tx: Transaction, slug: str) -> str:
    """The secret that the store keeps for a feed, for good: it is part of a URL that people subscribed to."""
    return tx.settings.minted(_name(slug))


def without_tokens(text: str) -> str:
    """The text without the secrets of private feeds' paths, for logs and messages.

    >>> without_tokens("cannot write /srv/feeds/private/s3cret/mine/rss.xml: No space left on device")
    'cannot write /srv/feeds/private/***/mine/rss.xml: No space left on device'
    """
    return _TOKEN.sub(f"{PRIVATE}/***", text)


def _name(slug: str) -> str:
    return f"token of feed {slug}"
