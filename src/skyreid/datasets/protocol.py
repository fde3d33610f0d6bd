"""The evaluation protocol as data: who asks whom, and what is ignored."""

from dataclasses import dataclass

from skyreid.tracklet import Platform


@dataclass(frozen=True, kw_only=True)
class EvaluationProtocol:
    """Which queries are compared with which gallery entries.

    Source: paper section 5.1; METHOD section 9.
    """

    name: str
    query_platform: Platform | None = None
    """Only queries of this platform ask; None = all of them."""
    gallery_platform: Platform | None = None
    """Only gallery entries of this platform are ranked; None = all of them."""
    gallery_includes_queries: bool = False
    """Put the queries in front of the gallery (MARS; else 140 of its queries have no match)."""
    junk_same_camera: bool = True
    """For one query, ignore gallery entries with its pid and its camera."""


CROSS_CAMERA = EvaluationProtocol(name="cross-camera")
MARS = EvaluationProtocol(name="mars", gallery_includes_queries=True)
GROUND_TO_AERIAL = EvaluationProtocol(
    name="ground-to-aerial", query_platform=Platform.GROUND, gallery_platform=Platform.AERIAL
)
AERIAL_TO_GROUND = EvaluationProtocol(
    name="aerial-to-ground", query_platform=Platform.AERIAL, gallery_platform=Platform.GROUND
)
