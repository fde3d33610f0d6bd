"""Decisions and the build that they are about: the manifest that counts them, and a rebuild that they outlive."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from skyreid.building.linking.event_log import (
    LINKS_FILE,
    LinkLog,
    RebuildEvent,
    Seen,
    locked_log,
    new_event_id,
    now,
)
from skyreid.building.linking.link_state import fingerprint, fingerprints, replay, resolve_identities
from skyreid.errors import ManifestError
from skyreid.tracklet import Tracklet

LINKED = "linked"
_LINKS = "links"
_BUILT = "built"


def apply_links(
    log: LinkLog, tracklets: Sequence[Tracklet], info: Mapping[str, object]
) -> tuple[list[Tracklet], dict[str, object]]:
    """What the manifest of a folder holds once its links are counted; without decisions, what was given.

    `info["identities"]` becomes `linked`, `info["links"]` the sha256 of the decisions, and `info["built"]`
    keeps what the build had said, so that an undone link leaves nothing behind.

    Args:
        log: of the folder.
        tracklets: as built.
        info: as built.
    """
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


# Decisions that outlive a rebuild: which new tracklet shows the person that an old one showed. A source that is cut
# again from the same video, with another interval or masking, gives other tracklets. Two are taken for one when each
# agrees with the other better than with any third: in most of the crops that the new one has while the old one goes on,
# their boxes overlap by half. The log then says so in an event, and decisions on the old tracklet are decisions on the
# new one. Decisions on tracklets without a partner stay in the log and count for nothing.
AUTHOR = "skyreid build"
"""Stands in the log as the annotator."""
_OVERLAP = 0.5
"""Intersection over union from which two boxes of one moment are of one person."""


def carry_over(out_dir: Path, replaced: Sequence[Tracklet], built: Sequence[Tracklet]) -> None:
    """Note in the log of a folder which of the tracklets just built stand for replaced ones.

    Noting it twice, after a build that was killed in between, changes nothing.

    Args:
        out_dir: the build folder.
        replaced: as they were, of sources whose video is still the same.
        built: those of the same sources now.

    Raises:
        ManifestError: the file of decisions is damaged.
    """
    if not (out_dir / LINKS_FILE).exists():
        return
    moved = {
        Seen(old.tracklet_id, fingerprint(old)): Seen(new.tracklet_id, fingerprint(new))
        for old, new in partners(replaced, built)
    }
    if any(old != new for old, new in moved.items()):
        with locked_log(out_dir) as log:
            log.append([RebuildEvent(event_id=new_event_id(), time=now(), annotator=AUTHOR, moved=moved)])


def partners(old: Sequence[Tracklet], new: Sequence[Tracklet]) -> list[tuple[Tracklet, Tracklet]]:
    """Pair tracklets of one video, each at most once: those that agree best with each other."""
    agreeing = {
        (row, column): crops
        for row, one in enumerate(old)
        for column, other in enumerate(new)
        if (crops := _agreeing_crops(one, other))
    }
    best_new = _best(agreeing)
    best_old = _best({(column, row): crops for (row, column), crops in agreeing.items()})
    return [(old[row], new[column]) for row, column in best_new.items() if best_old[column] == row]


def _best(agreeing: Mapping[tuple[int, int], int]) -> dict[int, int]:
    best: dict[int, int] = {}
    for (row, column), crops in agreeing.items():
        if row not in best or crops > agreeing[row, best[row]]:
            best[row] = column
    return best


def _agreeing_crops(old: Tracklet, new: Tracklet) -> int:
    """Count the new crops that show the old person; 0 where it is not most of those in the old one's time."""
    old_s, old_boxes = _track(old)
    new_s, new_boxes = _track(new)
    if new_s.size == 0 or old_s.size == 0 or new_s[0] > old_s[-1] or old_s[0] > new_s[-1]:
        return 0
    during = (old_s[0] <= new_s) & (new_s <= old_s[-1])
    there = np.stack([np.interp(new_s[during], old_s, side) for side in old_boxes.T], axis=1)
    here = new_boxes[during]
    corners = np.maximum(there[:, :2], here[:, :2]), np.minimum(there[:, 2:], here[:, 2:])
    shared = np.prod(np.clip(corners[1] - corners[0], 0, None), axis=1)
    union = _areas(there) + _areas(here) - shared
    agreeing = int(np.count_nonzero(shared > _OVERLAP * union))
    return agreeing if 2 * agreeing > np.count_nonzero(during) else 0


def _track(tracklet: Tracklet) -> tuple[np.ndarray, np.ndarray]:
    placed = [(f.time_s, f.box) for f in tracklet.frames if f.time_s is not None and f.box is not None]
    seconds = np.array([time_s for time_s, _ in placed], dtype=np.float64)
    return seconds, np.array([box for _, box in placed], dtype=np.float64).reshape(-1, 4)


def _areas(boxes: np.ndarray) -> np.ndarray:
    return np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
