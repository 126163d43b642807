"""Small makers of posts and drafts: a test names what it is about, and the rest is filled in."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from aggregator.models import Category, Draft, Post
from aggregator.store.codec import details, draft_bytes, pack
from aggregator.store.posts import Entry, post_hash

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
_numbers = itertools.count(1)


def a_post(*categories: str, **fields: Any) -> Post:
    """A live post of source `blog`, a minute newer than the one before it."""
    number = next(_numbers)
    defaults = {
        "source": "blog",
        "key": f"guid:{number}",
        "guid": f"https://blog.example.com/?p={number}",
        "link": f"https://blog.example.com/{number}/",
        "title": f"Post {number}",
        "content": f"<p>Text of post {number}</p>",
        "published": NOON + timedelta(minutes=number),
        "categories": tuple(Category.parse(path) for path in categories),
    }
    return Post(**{**defaults, **fields})


def an_entry(post: Post, *, dated: bool = True, **fields: Any) -> Entry:
    """A post on its way into the store."""
    raw = draft_bytes(Draft(title=post.title, content=post.content, guid=post.guid))
    defaults = {
        "post": post,
        "id": post.id,
        "details": details(post),
        "dated": dated,
        "path": None,
        "link_key": (post.link or "").removeprefix("https://"),
        "draft": pack(raw),
        "draft_hash": f"draft of {post.content}",
        "post_hash": post_hash(post, details(post), dated=dated),
    }
    return Entry(**{**defaults, **fields})
