"""The tables, as SQLAlchemy Core sees them.

Moments are whole seconds since 1970 in UTC (BIGINT): they sort, compare and index alike in every database. Bodies live
in a table of their own, so that choosing posts never reads them (measured: newest 50 of a category among a million
posts, 1,302 ms with the bodies beside, 0.06 ms without).
"""

from __future__ import annotations

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    event,
)

# The newest migration in `migrations/versions`; a test holds that the migrations end in exactly these tables.
SCHEMA_VERSION = "0004"

metadata = MetaData()

version = Table("alembic_version", metadata, Column("version_num", Text, primary_key=True))

sources = Table(
    "sources",
    metadata,
    Column("name", Text, primary_key=True),
    Column("rules", Text, nullable=False, server_default=""),  # what normalised its posts: config and code
    Column("title", Text, nullable=False, server_default=""),
    Column("link", Text, nullable=False, server_default=""),
    Column("etag", Text, nullable=False, server_default=""),
    Column("last_modified", Text, nullable=False, server_default=""),
    Column("body_hash", Text, nullable=False, server_default=""),
    Column("checked_at", BigInteger),  # last asked
    Column("ok_at", BigInteger),  # last asked with success
    Column("changed_at", BigInteger),  # last gave something new
    Column("result", Text, nullable=False, server_default=""),  # of the last refresh, in plain words
    Column("error", Text, nullable=False, server_default=""),  # of the last refresh; empty when it was well
    Column("failures", Integer, nullable=False, server_default="0"),  # refreshes failed in a row
    Column("asked", Text, nullable=False, server_default=""),  # hash of where it is configured to be asked
    Column("url", Text, nullable=False, server_default=""),  # where it is asked instead: moved to, or found
    Column("moved_to", Text, nullable=False, server_default=""),  # where permanent redirects led the last time
    Column("moved_times", Integer, nullable=False, server_default="0"),  # … and how many times in a row
    Column("hints", Text, nullable=False, server_default=""),  # JSON: how long its answers hold
    Column("not_before", BigInteger),  # the earliest moment to ask again, whatever its interval
    Column("waits_for", Text, nullable=False, server_default=""),  # why, in plain words
    Column("full_at", BigInteger),  # last gave a whole body
    Column("gone_at", BigInteger),  # answered 410 since
    Column("note", Text, nullable=False, server_default=""),  # what its operator should know
    Column("gap_s", BigInteger),  # between its newest posts, the median; None: too few, or dated by nobody
    Column("hub", Text, nullable=False, server_default=""),  # the WebSub hub that its document names
    Column("topic", Text, nullable=False, server_default=""),  # … and the address under which it is known there
    Column("push_until", BigInteger),  # news is pushed until then, so it is asked once a day
)

# What is kept once for the whole store: keys that sign, tokens that were minted.
settings = Table(
    "settings",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# How asking went, counted by the hour: what /status draws.
fetches = Table(
    "fetches",
    metadata,
    Column("hour", BigInteger, primary_key=True, autoincrement=False),  # hours since 1970
    Column("outcome", Text, primary_key=True),  # new | unchanged | not-modified | failed | waiting
    Column("count", Integer, nullable=False),
)

# The words of live posts as they are looked for. The newest have the highest numbers, so that both databases can read
# matches from the newest on and stop: see `search.number_of`.
search = Table(
    "search",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("post_id", BigInteger, nullable=False, unique=True),
    Column("title", Text, nullable=False),  # cut into words: see `words.cut`
    Column("words", Text, nullable=False),  # of the text, likewise
)

# What SQLAlchemy has no words for. SQLite: an index over `search` that triggers keep (https://sqlite.org/fts5.html §4.4.3).
_SEARCH_SQLITE = (
    "CREATE VIRTUAL TABLE search_index USING fts5(title, words, content='search', content_rowid='number')",
    (
        "CREATE TRIGGER search_added AFTER INSERT ON search BEGIN"
        " INSERT INTO search_index (rowid, title, words) VALUES (new.number, new.title, new.words); END"
    ),
    (
        "CREATE TRIGGER search_removed AFTER DELETE ON search BEGIN"
        " INSERT INTO search_index (search_index, rowid, title, words)"
        " VALUES ('delete', old.number, old.title, old.words); END"
    ),
)
_SEARCH_POSTGRESQL = ("CREATE INDEX search_index ON search USING gin (to_tsvector('simple', title || ' ' || words))",)
for _dialect, _statements in (("sqlite", _SEARCH_SQLITE), ("postgresql", _SEARCH_POSTGRESQL)):
    for _statement in _statements:
        event.listen(search, "after_create", DDL(_statement).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]

# Our subscriptions at the hubs of others (WebSub §5): one for each source that names a hub, and those that ended lately.
leases = Table(
    "leases",
    metadata,
    Column("callback", Text, primary_key=True),  # the last part of our callback's URL; nobody can guess it
    Column("source", Text, nullable=False),
    Column("hub", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("state", Text, nullable=False),  # asked | active | renewing | leaving | ended
    Column("until", BigInteger),  # when the lease ends; None: not verified yet
    Column("failures", Integer, nullable=False),  # times that the hub was asked since it last confirmed
    Column("not_before", BigInteger, nullable=False),  # when something is to be done next: ask, renew, forget
)

# What hubs pushed, so that nobody on the way can send an old version again.
pushes = Table(
    "pushes",
    metadata,
    Column("callback", Text, primary_key=True),
    Column("hashed", Text, primary_key=True),
    Column("taken_at", BigInteger, nullable=False),
)

# Who subscribed at our own hub (WebSub §5), verified.
subscribers = Table(
    "subscribers",
    metadata,
    Column("topic", Text, primary_key=True),  # the path of the document below the output
    Column("callback", Text, primary_key=True),
    Column("host", Text, nullable=False),  # of the callback
    Column("secret", Text, nullable=False),
    Column("until", BigInteger, nullable=False),  # when the lease ends
    Column("sent", Text, nullable=False),  # the ETag of the newest document that was delivered, or given up
    Column("failures", Integer, nullable=False, server_default="0"),  # deliveries of the newest that failed
    Column("not_before", BigInteger),  # when it may be tried again
    Index("subscribers_by_host", "host"),
)

hosts = Table(
    "hosts",
    metadata,
    Column("name", Text, primary_key=True),  # a host, or the domain of a platform
    Column("wait_until", BigInteger),  # it said Retry-After
    Column("robots", Text),  # the rules of its robots.txt; None: never asked
    Column("robots_at", BigInteger),
)

# What a subscription list holds, or held: a feed that left it is asked no more, and keeps its posts.
subscriptions = Table(
    "subscriptions",
    metadata,
    Column("list", Text, primary_key=True),  # the source that is the list
    Column("name", Text, primary_key=True),  # of the source that the outline becomes
    Column("position", Integer, nullable=False),
    Column("url", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("left_at", BigInteger),  # None: it is in the list
)

# The items of a source's last document, so that they need not be read again: zlib over JSON.
seen = Table(
    "seen",
    metadata,
    Column("source", Text, primary_key=True),
    Column("context", Text, nullable=False),
    Column("items", LargeBinary, nullable=False),
)

files = Table(
    "files",
    metadata,
    Column("source", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("checked_ns", BigInteger, nullable=False),  # when it was read: a file written in that instant is read again
    Column("digest", Text, nullable=False),
    Column("post_id", BigInteger),  # None: the file holds no post
    sqlite_with_rowid=False,
)

posts = Table(
    "posts",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("source", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("link_key", Text, nullable=False, server_default=""),
    Column("path", Text),
    Column("guid", Text, nullable=False),  # as published, minted once
    Column("link", Text),
    Column("title", Text, nullable=False),
    Column("published", BigInteger, nullable=False),
    Column("dated", Boolean, nullable=False),  # whether its source gave the date
    Column("updated", BigInteger),
    Column("state", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("image", Text),
    Column("details", Text, nullable=False),  # JSON: authors, categories, tags, enclosures, media, origin, rights
    Column("draft_hash", Text, nullable=False),  # of the draft it was made from
    Column("post_hash", Text, nullable=False),  # of what is published of it
    Column("first_seen", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column(
        "changed", BigInteger, nullable=False, server_default="0"
    ),  # the write that last changed it, as in `categories`
    Index("posts_by_change", "changed", "id"),
    Index("posts_by_key", "source", "key", unique=True),
    Index("posts_by_link", "source", "link_key"),
    Index("posts_by_date", "source", "published"),
    Index("posts_held", "state", "published"),
)

bodies = Table(
    "bodies",
    metadata,
    Column("post_id", BigInteger, ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("content", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("draft", LargeBinary, nullable=False),  # what the source gave: zlib over JSON
)

categories = Table(
    "categories",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("path", Text, nullable=False, unique=True),  # "" is the root, which holds every live post
    Column("directory", Text),  # given once, never changed: it is part of published URLs
    Column("posts", Integer, nullable=False, server_default="0"),  # live ones, at any depth
    Column("changed", BigInteger, nullable=False, server_default="0"),  # the write that last touched its posts
)

# A live post stands here once for each category that holds it, ancestors and the root among them.
memberships = Table(
    "memberships",
    metadata,
    Column("category_id", Integer, primary_key=True),
    Column("published", BigInteger, primary_key=True),
    Column("post_id", BigInteger, primary_key=True),
    Index("memberships_by_post", "post_id"),
    sqlite_with_rowid=False,
)

feeds = Table(
    "feeds",
    metadata,
    Column("slug", Text, primary_key=True),
    Column("recipe", Text, nullable=False),  # what its documents were made by: config and code
    Column("rendered", BigInteger, nullable=False),  # the newest write that its documents hold
    Column("posts", Integer, nullable=False),
    Column("updated", BigInteger),  # newest change among its posts
)

# The images that live posts show and that we are to keep copies of, or kept: the files below `media/` in the output.
media = Table(
    "media",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),  # a hash of the origin: no index takes 8 KB of URL
    Column("origin", Text, nullable=False),  # of a file that was found, and nobody knows what of: its path
    Column("host", Text, nullable=False),  # of the origin; empty: it is a path
    Column("newest", BigInteger, nullable=False),  # date of the newest post that shows it: those are fetched first
    Column("hash", Text, nullable=False, server_default=""),  # of the copy's bytes, its name; empty: there is no copy
    Column("suffix", Text, nullable=False, server_default=""),
    Column("type", Text, nullable=False, server_default=""),
    Column("bytes", BigInteger, nullable=False, server_default="0"),
    Column("width", Integer),  # in pixels; None: its header does not say
    Column("height", Integer),
    Column("fetched_at", BigInteger),
    Column("failures", Integer, nullable=False, server_default="0"),  # in a row
    Column("not_before", BigInteger),  # when it may be asked for; None: it need not be, there is a copy
    Column("error", Text, nullable=False, server_default=""),  # of the last try
    Index("media_by_hash", "hash"),
    Index("media_due", "not_before"),
)

# Which live posts show which of them.
media_uses = Table(
    "media_uses",
    metadata,
    Column("post_id", BigInteger, primary_key=True),
    Column("media_id", BigInteger, primary_key=True),
    Index("media_uses_by_media", "media_id"),
    sqlite_with_rowid=False,
)

# Files that are to be removed: who is killed before he has done it finds them here.
media_leaving = Table(
    "media_leaving",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("suffix", Text, primary_key=True),
)
