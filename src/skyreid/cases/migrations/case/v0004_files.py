"""Where the files of the case lie is known to the database too: a folder that says otherwise is refused."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0004", "0003"


def upgrade() -> None:
    """Say of every case that they lie in its folder."""
    op.add_column("case_facts", sa.Column("files", sa.Text))
