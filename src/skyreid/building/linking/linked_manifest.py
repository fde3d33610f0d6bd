"""The manifest of a linked folder: the identities that the decisions make, and how to leave them again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from skyreid.building.linking.event_log import LinkLog, read_log
from skyreid.building.linking.identities import resolve_identities
from skyreid.building.linking.link_state import fingerprints, replay
from skyreid.errors import ManifestError
from skyreid.tracklet import Tracklet

LINKED = "linked"
_LINKS = "links"
_BUILT = "built"


def apply_links(
    out_dir: Path, tracklets: Sequence[Tracklet], info: Mapping[str, object]
) -> tuple[list[Tracklet], dict[str, object]]:
    """What the manifest of a folder holds once its links are counted; without decisions, what was given.

    `info["identities"]` becomes `linked`, `info["links"]` the sha256 of the decisions, and `info["built"]`
    keeps what the build had said, so that an undone link leaves nothing behind.

    Args:
        out_dir: the build folder.
        tracklets: as built.
        info: as built.

    Raises:
        ManifestError: the file of decisions is damaged.
    """
    return with_links(read_log(out_dir), tracklets, info)


def with_links(
    log: LinkLog, tracklets: Sequence[Tracklet], info: Mapping[str, object]
) -> tuple[list[Tracklet], dict[str, object]]:
    """`apply_links` with a log that was read before."""
    if log.sha256 is None:
        return list(tracklets), dict(info)
    built = {"identities": info.get("identities"), "pids": [tracklet.pid for tracklet in tracklets]}
    linked = {**info, "identities": LINKED, _LINKS: log.sha256, _BUILT: built}
    return resolve_identities(tracklets, replay(log.events, fingerprints(tracklets))), linked


def as_built(tracklets: Sequence[Tracklet], info: Mapping[str, object]) -> tuple[list[Tracklet], dict[str, object]]:
    """Take the links out of a manifest again.

    Raises:
        ManifestError: it does not say what was built.
    """
    if _LINKS not in info:
        return list(tracklets), dict(info)
    built = info.get(_BUILT)
    pids = built.get("pids") if isinstance(built, dict) else None
    if not isinstance(built, dict) or not isinstance(pids, list) or len(pids) != len(tracklets):
        raise ManifestError(
            f"a linked manifest's info says under {_BUILT!r} which of its {len(tracklets)} tracklets had which pid; "
            "run 'skyreid build' again"
        )
    rest = {key: value for key, value in info.items() if key not in (_LINKS, _BUILT)}
    restored = [replace(tracklet, pid=int(pid)) for tracklet, pid in zip(tracklets, pids, strict=True)]
    return restored, {**rest, "identities": built.get("identities")}


def is_current(log: LinkLog, info: Mapping[str, object]) -> bool:
    """Say whether a manifest with this info counts all decisions."""
    return info.get(_LINKS) == log.sha256
