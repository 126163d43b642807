"""What is not for everybody: private feeds, and where things lie on this machine.

A private feed is listed nowhere, and found only by who knows the secret in its URL, `private/TOKEN/SLUG/`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # whoever only hides tokens needs none of them
    from aggregator.config.models import Config
    from aggregator.store.store import Transaction

PRIVATE = "private"
_TOKEN = re.compile(r"\bprivate/[^/\s]+")
# A URL of the web, which stays; or the URL of a store, or a path, up to the last slash before the next mark. None of it may
# be matched in two ways: the text may hold a stranger's words, and whoever asks for /healthz waits for this.
_PLACE = re.compile(
    r"""(?P<web>(?<![\w+.-])(?!sqlite|postgres|file:)[a-z][a-z0-9+.-]*://\S*)
    | (?<![\w+.-])(?:sqlite|postgres\w*|file)(?:\+\w+)?://(?:\S*/)?
    | (?<![\w./%~-])/(?=\S)[^:;`"\n]*/""",
    re.VERBOSE,
)


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


def without_folders(text: str) -> str:
    """The text without the folders of this machine, and without where its database is: what is wrong, and not where.

    >>> without_folders("cannot write /srv/my feeds/all/rss.xml: Permission denied")
    'cannot write rss.xml: Permission denied'
    >>> without_folders("the store sqlite:////var/lib/a.db is locked, and https://a.example/feed/b.xml failed")
    'the store a.db is locked, and https://a.example/feed/b.xml failed'
    """
    return _PLACE.sub(lambda found: found["web"] or "", text)


def _name(slug: str) -> str:
    return f"token of feed {slug}"
