"""Which stored post a draft of a web feed is, by the rules of `normalize.identity`, where its key alone does not say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from aggregator.normalize.identity import Identity, beside, is_moved, is_renamed, is_reused
from aggregator.pipeline.matching import Prepared
from aggregator.store.posts import Known
from aggregator.store.sources import stamp
from aggregator.store.store import Transaction


class Finder:
    """Finds the stored post that each draft of one document is; no two drafts are the same one."""

    def __init__(self, tx: Transaction, source: str, identities: Sequence[Identity]) -> None:
        self._tx, self._source = tx, source
        keys = {identity.key for identity in identities}
        keys |= {beside(one.key, one.link_key) for one in identities if one.link_key}
        keys |= {_plain(one.key) for one in identities}
        keys |= set(chain.from_iterable(one.others for one in identities))
        # Most of what is new is in a source that is: then nothing needs to be looked for, at a tenth of the cost.
        self._is_empty = not tx.posts.any(source)
        self._known = {} if self._is_empty else tx.posts.known(source, keys)
        unknown = {one.link_key for one in identities if one.key not in self._known}
        self._by_link = {} if self._is_empty else tx.posts.known_by_link(source, unknown - {""})
        # A source without posts has nothing that could have moved here, nor one whose known posts are on this host.
        self._hosts = {one.link_key.partition("/")[0] for one in self._known.values()}
        # What a draft is by its own key is nobody else's, whatever comes first in the document.
        self._named = {one.key for one in identities}
        self._claimed: set[str] = set()

    def exactly(self, identity: Identity) -> Known | None:
        """The stored post that this identity names, whatever it says now."""
        found = self._known.get(beside(identity.key, identity.link_key)) if identity.link_key else None
        return found or self._known.get(identity.key)

    def claim(self, known: Known) -> None:
        """Notes that a draft is this post."""
        self._claimed.add(known.key)

    def find(self, prepared: Prepared) -> tuple[str, Known | None]:
        """The key under which a draft belongs, and the stored post with that key, if there is one."""
        key, known = self._find(prepared)
        number = 2
        while key in self._claimed:  # several drafts that nothing tells apart: each keeps a place of its own
            key, known = beside(prepared.identity.key, f"{prepared.identity.link_key}#{number}"), None
            known = self._tx.posts.known(self._source, [key]).get(key)
            number += 1
        self._claimed.add(key)
        return key, known

    def _find(self, prepared: Prepared) -> tuple[str, Known | None]:
        identity, post = prepared.identity, prepared.post
        second = beside(identity.key, identity.link_key)
        if identity.link_key and self._is_free(second):
            return second, self._known[second]
        if self._is_free(identity.key):
            known = self._known[identity.key]
            reused = is_reused(
                same_link=known.link_key == identity.link_key,
                same_title=known.title == post.title,
                same_date=prepared.dated and known.published == stamp(post.published),
            )
            return (second, None) if reused else (known.key, known)
        others = (self._known[key] for key in (_plain(identity.key), *identity.others) if self._is_free(key))
        for known in others:  # its document was trusted otherwise when it was stored
            if known.link_key == identity.link_key if identity.link_key else known.title == post.title:
                return known.key, known
        for known in chain(self._by_link.get(identity.link_key, ()), self._moved(prepared)):
            if known.key in self._named or known.key in self._claimed:
                continue
            if is_renamed(
                same_link=known.link_key == identity.link_key or is_moved(known.link_key, identity.link_key),
                same_title=bool(post.title) and known.title == post.title,
                same_date=not prepared.dated or known.published == stamp(post.published),
            ):
                return known.key, known
        return identity.key, None

    def _is_free(self, key: str) -> bool:
        return key in self._known and key not in self._claimed

    def _moved(self, prepared: Prepared) -> Iterable[Known]:
        """Stored posts of the same second, one of which may be this one before its site moved to another host."""
        host = prepared.identity.link_key.partition("/")[0]
        if self._is_empty or not prepared.dated or not host or host in self._hosts:
            return ()  # its site is where it was
        return self._tx.posts.known_by_date(self._source, stamp(prepared.post.published))


def _plain(key: str) -> str:
    """A key without what tells its post apart from another with the same one."""
    return key.partition("\n")[0]
