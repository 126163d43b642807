"""Which post a draft is: its key within the source, and the GUID it is published under.

A draft is known by its GUID, else by its permalink, else by its path in the source, else by a hash of link and title.
Feeds lie about all four; what happens then is decided here, without looking anything up:

- GUIDs of which more than 5 % collide within a document identify nothing, and the next key is used for all of it;
- two drafts that share a key but neither link nor title are two posts, the second under a key of its own;
- a known GUID with another link, another title and another date is a new post (`is_reused`);
- a new GUID on the link, title and date of a post that no other draft of the document is, is that post (`is_renamed`), and so
  is one on the same path of another host (`is_moved`).
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from aggregator.models import Draft
from aggregator.normalize.text import clean_text
from aggregator.normalize.urls import permalink_key

_COLLIDING = 0.05  # the share of a document's keys of one kind that may collide before the kind is given up
# RFC 3986 §3: a scheme, a colon, something; no space, nothing that a URI may not hold.
_URI = re.compile(
    r"https?://[^\s/]+\S*|(doi|info|ni|acct|cid|mid|yt):\S+"
    r"|tag:([\w.+-]+@)?[a-z0-9][a-z0-9.-]*,\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?:\S*"  # RFC 4151 §2.1
    r"|(?i:urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|urn:(?!uuid:)[a-z0-9][a-z0-9-]{1,31}:\S+)",
)
_NOT_IN_URI = re.compile(r"[^!#$%&'()*+,\-./0-9:;=?@A-Z_a-z~\[\]]")


@dataclass(frozen=True, slots=True)
class Identity:
    """A draft's key, the canonical form of its link (empty: none), and its GUID where that is fit to be published.

    `others` are the keys that it would have if its document had been trusted otherwise: a feed whose GUIDs are all equal
    may have but one item the next day.
    """

    key: str
    link_key: str
    guid: str | None
    others: tuple[str, ...] = ()


def identify(drafts: Sequence[Draft]) -> list[Identity | None]:
    """The identity of each draft of one document, in order; None for one that is the same post as an earlier one."""
    links = [_short(clean_text(permalink_key(draft.link))) if draft.link else "" for draft in drafts]
    guids = [clean_text(draft.guid or "") for draft in drafts]
    kinds = {
        "guid": _trusted(guids),
        "link": _trusted(links),
    }
    taken: dict[str, tuple[str, str]] = {}
    found: list[Identity | None] = []
    for draft, guid, link in zip(drafts, guids, links, strict=True):
        usable = guid if guid and kinds["guid"] else ""
        key = _key(draft, usable, link if kinds["link"] else "", link)
        facts = (link, (draft.title or "").strip())
        published: str | None = usable if is_uri(usable) else None
        if key in taken and draft.path is None:
            if taken[key] == facts:
                found.append(None)
                continue
            key, published = beside(key, link or _hash(*facts)), None
            if key in taken:
                found.append(None)
                continue
        taken[key] = facts
        others = {_key(draft, guid, "", link), _key(draft, "", link, link), _key(draft, "", "", link)} - {key}
        found.append(Identity(key, link, published, tuple(sorted(others))))
    return found


def beside(key: str, what: str) -> str:
    """The key of a post whose own key another post has: that key, and what tells the two apart."""
    return f"{key}\n{what}"


def is_uri(text: str) -> bool:
    """Whether a GUID is an absolute URI of a kind that feeds use as names, and so can be published as it is."""
    return bool(_URI.fullmatch(text)) and not _NOT_IN_URI.search(text)


def is_reused(*, same_link: bool, same_title: bool, same_date: bool) -> bool:
    """Whether a known GUID now names another post: nothing else about it is what it was."""
    return not (same_link or same_title or same_date)


def is_renamed(*, same_link: bool, same_title: bool, same_date: bool) -> bool:
    """Whether a draft with an unknown GUID is a known post under a new one (some generators make one up each time)."""
    return same_link and same_title and same_date


def is_moved(link_key: str, other: str) -> bool:
    """Whether two links are the same page of a site that moved to another host."""
    path, other_path = link_key.partition("/")[2], other.partition("/")[2]
    return bool(path) and path == other_path


def mint_guid(base_url: str, source: str, key: str) -> str:
    """A `tag:` URI (RFC 4151) for a post whose origin gave no URI: the same for the same post in a rebuilt store.

    Its date is a constant: the day a post is dated changes with an edit, and the day it was first seen with the store.
    """
    host = re.sub(r"[^a-z0-9.-]", "-", urlsplit(base_url).hostname or "").strip("-.") or "localhost"
    return f"tag:{host},2000:{source}/{_hash(key)}"


def _trusted(values: Sequence[str]) -> bool:
    """Whether keys of one kind tell the drafts of a document apart."""
    given = [value for value in values if value]
    colliding = sum(count - 1 for count in Counter(given).values())
    return bool(given) and (colliding <= 1 or colliding <= _COLLIDING * len(given))


def _key(draft: Draft, guid: str, link: str, any_link: str) -> str:
    if guid:
        return f"guid:{_short(guid)}"
    if link:
        return f"link:{link}"
    if draft.path is not None:
        return f"path:{draft.path}"
    text = (draft.title or "").strip() or (draft.content or draft.summary or "")
    return f"hash:{_hash(any_link, text)}"


def _short(key: str) -> str:
    """A key that an index can hold: PostgreSQL's take 2,700 bytes."""
    return key if len(key) <= 500 else f"{key[:200]}…{_hash(key)}"


def _hash(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
