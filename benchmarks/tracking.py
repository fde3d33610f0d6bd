"""Tracks that a build makes without annotations, against the annotations: HOTA, IDF1, purity, fragments.

    pip install --no-deps trackeval   # it asks for the GUI build of OpenCV, which is not needed
    python benchmarks/tracking.py world/sources.json --only crossroads-01-aerial --detector yolox-nano

Boxes of the searched frames, matched at an IoU of 0.5 for IDF1, purity and fragments. Purity: share of a track's
matched boxes that show its most frequent person. Fragments: tracks that mostly show a person, for each person whom
any shows. Where not everybody is annotated, HOTA and IDF1 are lower bounds; purity and fragments are not touched.
"""

import argparse
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment
from trackeval.metrics import HOTA, Identity  # pyright: ignore[reportMissingImports] # see above

from skyreid.building.detection import detected_people
from skyreid.building.detection.detector import load_detector
from skyreid.building.finder import find_tracked, read_annotated
from skyreid.building.motion import moving_camera, static_camera
from skyreid.building.motion.tracking import tracking_interval
from skyreid.building.sources import read_sources
from skyreid.building.tracked_boxes import TrackedBoxes
from skyreid.building.video.decode import DEFAULT_LIMITS, frames, probe
from skyreid.processes.progress import silent

SAME = 0.5
INTERVAL_S = 0.5
ROW = "{:28} {:>7} {:>7} {:>8} {:>10} {:>7} {:>7} {:>7}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sources", type=Path, help="JSON file of sources with annotations")
    parser.add_argument("--only", default="", help="sources whose name holds this")
    parser.add_argument("--detector", help="as build takes it; without one, motion tells")
    parser.add_argument("--apart", action="store_true", help="without joining pieces of tracks by place and colour")
    arguments = parser.parse_args()
    if arguments.apart:
        for finder in (static_camera, moving_camera, detected_people):
            finder.join = lambda tracks, *_, **__: list(tracks)  # pyright: ignore[reportAttributeAccessIssue]
    detector = None if arguments.detector is None else load_detector(arguments.detector)
    print(ROW.format("film", "HOTA", "IDF1", "purity", "fragments", "people", "tracks", "s"))
    for source in read_sources(arguments.sources):
        if arguments.only not in source.name:
            continue
        facts = probe(source.path)
        annotated = read_annotated(source, facts)
        assert annotated is not None
        began = time.perf_counter()
        found = find_tracked(source, facts, detector, interval_s=INTERVAL_S, limits=DEFAULT_LIMITS, progress=silent)
        took = f"{time.perf_counter() - began:.0f}"
        searched = [frame.index for frame in frames(source.path, interval_s=tracking_interval(INTERVAL_S))]
        print(ROW.format(source.name, *scores(annotated, found, searched), took), flush=True)
        for note in found.notes:
            print(f"  {note}; tracks by {dict(Counter(found.found_by.values()))}", flush=True)


def scores(annotated: TrackedBoxes, found: TrackedBoxes, searched: list[int]) -> list[str]:
    """What a row says, of the searched frames in which somebody is annotated."""
    searched = [frame for frame in searched if frame in annotated.frames]
    truth_ids = sorted({person for frame in searched for person in annotated.frames[frame]})
    track_ids = sorted({track for frame in searched for track in found.frames.get(frame, {})})
    if not track_ids:
        return ["0.0 %", "0.0 %", "-", "-", "0", "0"]
    data = {"gt_ids": [], "tracker_ids": [], "similarity_scores": []}
    shown: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for frame in searched:
        people, tracks = annotated.frames[frame], found.frames.get(frame, {})
        overlaps = _iou(np.array(list(people.values())).reshape(-1, 4), np.array(list(tracks.values())).reshape(-1, 4))
        data["gt_ids"].append(np.array([truth_ids.index(person) for person in people], int))
        data["tracker_ids"].append(np.array([track_ids.index(track) for track in tracks], int))
        data["similarity_scores"].append(overlaps)
        for person, track in zip(*linear_sum_assignment(overlaps, maximize=True), strict=True):
            if overlaps[person, track] >= SAME:
                shown[list(tracks)[track]][list(people)[person]] += 1
    data |= {
        "num_gt_ids": len(truth_ids),
        "num_tracker_ids": len(track_ids),
        "num_gt_dets": sum(map(len, data["gt_ids"])),
        "num_tracker_dets": sum(map(len, data["tracker_ids"])),
    }
    hota = float(np.mean(HOTA().eval_sequence(data)["HOTA"]))
    idf1 = float(Identity({"PRINT_CONFIG": False}).eval_sequence(data)["IDF1"])
    matched = sum(count.total() for count in shown.values())
    pure = sum(max(count.values()) for count in shown.values())
    whose = Counter(count.most_common(1)[0][0] for count in shown.values())
    return [
        f"{100 * hota:.1f} %",
        f"{100 * idf1:.1f} %",
        f"{100 * pure / max(1, matched):.1f} %",
        f"{whose.total() / max(1, len(whose)):.2f}",
        f"{len(whose)}/{len(truth_ids)}",
        str(len(track_ids)),
    ]


def _iou(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    low = np.maximum(some[:, None, :2], others[:, :2])
    high = np.minimum(some[:, None, 2:], others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (some, others)]
    return shared / (areas[0][:, None] + areas[1] - shared)


if __name__ == "__main__":
    main()
