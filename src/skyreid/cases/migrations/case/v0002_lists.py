"""Lists are paged by the database: two indexes that hold what they ask by, and of which the two before were parts."""

from alembic import op

revision, down_revision = "0002", "0001"


def upgrade() -> None:
    """Make the new ones, and drop the old ones."""
    op.create_index("tracklets_by_pid", "tracklets", ["pid", "source"])
    op.create_index("tracklets_by_time", "tracklets", ["source", "first_s", "pid"])
    op.drop_index("ix_tracklets_source", "tracklets")
    op.drop_index("ix_tracklets_pid", "tracklets")
