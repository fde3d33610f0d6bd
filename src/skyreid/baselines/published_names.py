"""Which tensor of somebody's published ImageNet weights stands where in a method."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class PositionTable:
    """A table of position embeddings (class token first) that is resized to another grid of patches."""

    name: str
    """Its name in the file."""
    grid: tuple[int, int]
    """(rows, columns) of patches in the file."""
    target: tuple[int, int]
    """(rows, columns) of patches in the method."""


@dataclass(frozen=True, kw_only=True)
class PublishedNames:
    """The account of a published state dict; `skyreid.pretrained.imagenet` reads the file with it."""

    targets: Mapping[str, tuple[str, ...]]
    """Name in the file: the places of the method's state dict that get a copy each, never none."""
    dropped: Mapping[str, str] = field(default_factory=dict)
    """Names that the file may have and the method does not use, each with the reason."""
    position_table: PositionTable | None = None
    """The one tensor whose shape may differ from its place."""
