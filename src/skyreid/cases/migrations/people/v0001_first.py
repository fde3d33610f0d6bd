"""The tables with which servers of cases began, without a version."""

revision, down_revision = "0001", None


def upgrade() -> None:
    """Do nothing: it is where the others begin."""
