"""What polite fetching remembers: hints, moves and waits of sources and hosts, subscription lists, items seen."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def upgrade() -> None:
    """Adds to the sources, and makes three tables."""
    columns: list[sa.Column[Any]] = [
        *(_text(name) for name in ("asked", "url", "moved_to")),
        sa.Column("moved_times", sa.Integer, nullable=False, server_default="0"),
        _text("hints"),
        sa.Column("not_before", sa.BigInteger),
        _text("waits_for"),
        sa.Column("full_at", sa.BigInteger),
        sa.Column("gone_at", sa.BigInteger),
        _text("note"),
    ]
    for column in columns:
        op.add_column("sources", column)
    op.create_table(
        "hosts",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("wait_until", sa.BigInteger),
        sa.Column("robots", sa.Text),
        sa.Column("robots_at", sa.BigInteger),
    )
    op.create_table(
        "subscriptions",
        sa.Column("list", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("left_at", sa.BigInteger),
    )
    op.create_table(
        "seen",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("context", sa.Text, nullable=False),
        sa.Column("items", sa.LargeBinary, nullable=False),
    )
