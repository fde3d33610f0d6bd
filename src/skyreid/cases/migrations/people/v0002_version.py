"""The version of the tables is kept; nothing else changed."""

revision, down_revision = "0002", "0001"


def upgrade() -> None:
    """Do nothing: noting the version is all."""
