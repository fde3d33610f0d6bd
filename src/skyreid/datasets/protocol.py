"""The evaluation protocol as data: who asks whom, and what is ignored."""

from dataclasses import dataclass

from skyreid.arguments import find_named
from skyreid.errors import ProtocolError
from skyreid.tracklet import Platform


@dataclass(frozen=True, kw_only=True)
class EvaluationProtocol:
    """Which queries are compared with which gallery entries.

    Whatever the protocol, gallery entries of pid -1 are ranked for nobody (METHOD section 8 leaves them out
    while reading; a table from elsewhere may still hold them) and distractors of pid 0 for everybody.

    Raises:
        ProtocolError: every query would find itself, or mAP_cut is below 1.

    Source: paper section 5.1; METHOD section 9.
    """

    name: str
    query_platform: Platform | None = None
    """Only queries of this platform ask; None = all of them."""
    gallery_platform: Platform | None = None
    """Only gallery entries of this platform are ranked; None = all of them."""
    other_platform_only: bool = False
    """For one query, only gallery entries of the platform that is not its own are ranked."""
    gallery_includes_queries: bool = False
    """Put the queries in front of the gallery (MARS; else 140 of its queries have no match)."""
    junk_same_camera: bool = True
    """For one query, ignore gallery entries with its pid and its camera."""
    mAP_cut: int | None = None  # noqa: N815 - the field's own spelling
    """K of the mAP@K that is reported beside the full mAP; None = only that."""

    @property
    def crosses_platforms(self) -> bool:
        """Whether a query is only ever compared with the other platform, hence never with its own camera."""
        is_direction = None not in (self.query_platform, self.gallery_platform)
        return self.other_platform_only or (is_direction and self.query_platform != self.gallery_platform)

    def __post_init__(self) -> None:
        if self.gallery_includes_queries and not self.junk_same_camera:
            raise ProtocolError(
                f"{self.name}: a gallery that includes the queries needs junk_same_camera=True; "
                "without it every query finds itself first"
            )
        if self.mAP_cut is not None and self.mAP_cut < 1:
            raise ProtocolError(f"{self.name}: mAP_cut must be at least 1, or None for no cut; got {self.mAP_cut}")


CROSS_CAMERA = EvaluationProtocol(name="cross-camera")
MARS = EvaluationProtocol(name="mars", gallery_includes_queries=True)
CROSS_PLATFORM = EvaluationProtocol(name="cross-platform", other_platform_only=True)
GROUND_TO_AERIAL = EvaluationProtocol(
    name="ground-to-aerial", query_platform=Platform.GROUND, gallery_platform=Platform.AERIAL
)
AERIAL_TO_GROUND = EvaluationProtocol(
    name="aerial-to-ground", query_platform=Platform.AERIAL, gallery_platform=Platform.GROUND
)
AERIAL_TO_AERIAL = EvaluationProtocol(
    name="aerial-to-aerial", query_platform=Platform.AERIAL, gallery_platform=Platform.AERIAL
)
GROUND_TO_GROUND = EvaluationProtocol(
    name="ground-to-ground", query_platform=Platform.GROUND, gallery_platform=Platform.GROUND
)
AG_VPREID = EvaluationProtocol(name="ag-vpreid", other_platform_only=True, mAP_cut=20)

PROTOCOLS: dict[str, EvaluationProtocol] = {
    "cross-camera": CROSS_CAMERA,
    "mars": MARS,
    "cross-platform": CROSS_PLATFORM,
    "ground-to-aerial": GROUND_TO_AERIAL,
    "aerial-to-ground": AERIAL_TO_GROUND,
    "aerial-to-aerial": AERIAL_TO_AERIAL,
    "ground-to-ground": GROUND_TO_GROUND,
    "ag-vpreid": AG_VPREID,
}
"""Every protocol that a user can ask for by name."""


def find_protocol(protocol: EvaluationProtocol | str) -> EvaluationProtocol:
    """Look a protocol up by its name in `PROTOCOLS`; one of your own is taken as it is.

    Raises:
        ProtocolError: there is no protocol of this name; the message suggests one.

    >>> find_protocol("cross-platform").other_platform_only
    True
    """
    if isinstance(protocol, EvaluationProtocol):
        return protocol
    return find_named(protocol, PROTOCOLS, "protocol", error=ProtocolError)
