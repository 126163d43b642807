"""Drafts held against what the store knows: which are new, which changed, and which post each of them is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple

from aggregator.models import Draft, Post, State
from aggregator.normalize.identity import Identity, mint_guid
from aggregator.normalize.post import Normalizer
from aggregator.normalize.urls import permalink_key
from aggregator.store.codec import details, digest, draft_bytes, pack
from aggregator.store.posts import Entry, Known, post_hash
from aggregator.store.sources import stamp


@dataclass(frozen=True, slots=True)
class Prepared:
    """A draft that was normalised, before anybody asked the store about it."""

    post: Post
    dated: bool
    identity: Identity
    path: str | None
    draft: bytes  # packed
    draft_hash: str
    warnings: tuple[str, ...]


@dataclass(slots=True)
class Changes:
    """What a refresh found, in the order in which it found it, on its way into the store."""

    entries: list[Entry] = field(default_factory=list)  # new posts, and those of which something published changed
    touched: list[Entry] = field(default_factory=list)  # another draft, the same post
    known: dict[int, Known] = field(default_factory=dict)  # what the store had of the entries, by id
    unchanged: int = 0
    warnings: list[str] = field(default_factory=list)

    @property
    def new(self) -> int:
        """How many posts the store did not have."""
        return sum(entry.id not in self.known for entry in self.entries)

    @property
    def changed(self) -> int:
        """How many posts the store had otherwise."""
        return len(self.entries) - self.new


class Written(NamedTuple):
    """A draft in the store's form, and the hash of what its source gave."""

    raw: bytes
    hash: str


def written(draft: Draft) -> Written:
    """Where a draft was found does not count for its hash (a feed's title may hold the hour), nor what its page says."""
    raw = draft_bytes(draft)
    if draft.origin is None and not draft.article:
        return Written(raw, digest(raw))
    return Written(raw, digest(draft_bytes(draft, without=("origin", "article"))))


def prepare(
    normalize: Normalizer, draft: Draft, identity: Identity, now: datetime, kept: Written | None = None
) -> Prepared:
    """Normalises a draft, which the caller may have written already."""
    post, dated, warnings = normalize(draft, identity, now)
    raw, hashed = kept or written(draft)
    return Prepared(post, dated, identity, draft.path, pack(raw), hashed, warnings)


def settle(changes: Changes, prepared: Prepared, *, key: str, known: Known | None, base_url: str) -> int:
    """Files a prepared draft under the post it is, which has this key and, if it is stored, is `known`; returns its id.

    What the store has once said stays: the GUID, and the date of a post whose source gives none.
    """
    post = prepared.post
    if key != post.key:
        minted = mint_guid(base_url, post.source, key)
        post = replace(post, key=key, guid=minted)
    if known is not None:
        post = replace(post, guid=known.guid)
        if known.state is State.LIVE and post.state is State.HELD and known.published == stamp(post.published):
            post = replace(post, state=State.LIVE)  # the clock was set back: what was published stays
        if not prepared.dated:
            post = replace(post, published=datetime.fromtimestamp(known.published, UTC))
    said = details(post)
    entry = Entry(
        post=post,
        details=said,
        id=known.id if known is not None else post.id,
        dated=prepared.dated or (known is not None and known.dated),
        path=prepared.path,
        link_key=prepared.identity.link_key or (permalink_key(post.link) if post.link else ""),
        draft=prepared.draft,
        draft_hash=prepared.draft_hash,
        post_hash=post_hash(post, said, dated=prepared.dated),
    )
    if known is not None and known.post_hash == entry.post_hash:
        changes.unchanged += 1
        if known.draft_hash != entry.draft_hash or known.path != entry.path:
            changes.touched.append(entry)
    else:
        changes.entries.append(entry)
        if known is not None:
            changes.known[known.id] = known
    return entry.id
