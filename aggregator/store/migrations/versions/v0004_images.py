"""Which images are kept as copies of our own, and which posts show them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Makes three tables."""
    op.create_table(
        "media",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("newest", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False, server_default="") for name in ("hash", "suffix", "type")),
        sa.Column("bytes", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("width", sa.Integer),
        sa.Column("height", sa.Integer),
        sa.Column("fetched_at", sa.BigInteger),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("not_before", sa.BigInteger),
        sa.Column("error", sa.Text, nullable=False, server_default=""),
    )
    op.create_index("media_by_hash", "media", ["hash"])
    op.create_index("media_due", "media", ["not_before"])
    op.create_table(
        "media_uses",
        sa.Column("post_id", sa.BigInteger, primary_key=True),
        sa.Column("media_id", sa.BigInteger, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("media_uses_by_media", "media_uses", ["media_id"])
    op.create_table(
        "media_leaving",
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("suffix", sa.Text, primary_key=True),
    )
