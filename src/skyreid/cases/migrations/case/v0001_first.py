"""The tables with which cases began; `skyreid case new` makes those of today at once, and no old ones first."""

revision, down_revision = "0001", None


def upgrade() -> None:
    """Do nothing: it is where the others begin."""
