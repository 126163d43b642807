"""What the daemon keeps: the pace of sources, hubs and leases, fetches by the hour, words to search, settings."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


# The index that posts are searched in, for which SQLAlchemy has no words.
_SEARCH = {
    "sqlite": (
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
    ),
    "postgresql": ("CREATE INDEX search_index ON search USING gin (to_tsvector('simple', title || ' ' || words))",),
}


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _empty_text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def upgrade() -> None:
    """Adds to the sources and posts, and makes six tables."""
    op.add_column("posts", sa.Column("changed", sa.BigInteger, nullable=False, server_default="0"))
    op.create_index("posts_by_change", "posts", ["changed", "id"])
    op.add_column("sources", sa.Column("gap_s", sa.BigInteger))
    op.add_column("sources", _empty_text("hub"))
    op.add_column("sources", _empty_text("topic"))
    op.add_column("sources", sa.Column("push_until", sa.BigInteger))
    op.create_table("settings", sa.Column("name", sa.Text, primary_key=True), _text("value"))
    op.create_table(
        "fetches",
        sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("outcome", sa.Text, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
    )
    op.create_table(
        "search",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("post_id", sa.BigInteger, nullable=False, unique=True),
        _text("title"),
        _text("words"),
    )
    for statement in _SEARCH[op.get_bind().dialect.name]:
        op.execute(statement)
    op.create_table(
        "leases",
        sa.Column("callback", sa.Text, primary_key=True),
        *(_text(name) for name in ("source", "hub", "topic", "secret", "state")),
        sa.Column("until", sa.BigInteger),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("not_before", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "pushes",
        sa.Column("callback", sa.Text, primary_key=True),
        sa.Column("hashed", sa.Text, primary_key=True),
        sa.Column("taken_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "subscribers",
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("callback", sa.Text, primary_key=True),
        *(_text(name) for name in ("host", "secret")),
        sa.Column("until", sa.BigInteger, nullable=False),
        _text("sent"),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("not_before", sa.BigInteger),
    )
    op.create_index("subscribers_by_host", "subscribers", ["host"])
