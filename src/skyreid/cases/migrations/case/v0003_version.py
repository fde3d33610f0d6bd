"""The version of the tables stands where Alembic keeps it, and no longer among the facts of the case."""

from alembic import op

revision, down_revision = "0003", "0002"


def upgrade() -> None:
    """Drop what said it until now."""
    op.drop_column("case_facts", "schema_version")
