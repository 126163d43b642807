"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def upgrade() -> None:
    """Makes every table of version 0001."""
    op.create_table(
        "sources",
        sa.Column("name", sa.Text, primary_key=True),
        *(_text(name) for name in ("rules", "title", "link", "etag", "last_modified", "body_hash")),
        sa.Column("checked_at", sa.BigInteger),
        sa.Column("ok_at", sa.BigInteger),
        sa.Column("changed_at", sa.BigInteger),
        _text("result"),
        _text("error"),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    )
    op.create_table(
        "files",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("path", sa.Text, primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("mtime_ns", sa.BigInteger, nullable=False),
        sa.Column("checked_ns", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("post_id", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "posts",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        _text("link_key"),
        sa.Column("path", sa.Text),
        sa.Column("guid", sa.Text, nullable=False),
        sa.Column("link", sa.Text),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("published", sa.BigInteger, nullable=False),
        sa.Column("dated", sa.Boolean, nullable=False),
        sa.Column("updated", sa.BigInteger),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("image", sa.Text),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("draft_hash", sa.Text, nullable=False),
        sa.Column("post_hash", sa.Text, nullable=False),
        sa.Column("first_seen", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
    )
    op.create_index("posts_by_key", "posts", ["source", "key"], unique=True)
    op.create_index("posts_by_link", "posts", ["source", "link_key"])
    op.create_index("posts_by_date", "posts", ["source", "published"])
    op.create_index("posts_held", "posts", ["state", "published"])
    op.create_table(
        "bodies",
        sa.Column(
            "post_id",
            sa.BigInteger,
            sa.ForeignKey("posts.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("draft", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "categories",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("path", sa.Text, nullable=False, unique=True),
        sa.Column("directory", sa.Text),
        sa.Column("posts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("changed", sa.BigInteger, nullable=False, server_default="0"),
    )
    op.create_table(
        "memberships",
        sa.Column("category_id", sa.Integer, primary_key=True),
        sa.Column("published", sa.BigInteger, primary_key=True),
        sa.Column("post_id", sa.BigInteger, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("memberships_by_post", "memberships", ["post_id"])
    op.create_table(
        "feeds",
        sa.Column("slug", sa.Text, primary_key=True),
        sa.Column("recipe", sa.Text, nullable=False),
        sa.Column("rendered", sa.BigInteger, nullable=False),
        sa.Column("posts", sa.Integer, nullable=False),
        sa.Column("updated", sa.BigInteger),
    )
