"""People that a detector finds: the whole frame beside overlapping tiles, against annotations.

    skyreid simulate --identities 30 --out world
    python benchmarks/detection.py --detector yolox-nano --world world --footage FOLDER --frames 8

FOLDER holds `cross_view_soccer` and `ground_onebyone` with their annotations. Recall and precision at an IoU of 0.5,
one box a person; seconds a frame as the clock has them. On football only 11 of some 22 players are annotated, and
nobody beside the field: there `precision` is a lower bound, and `near` says what both ways of seeing can be held to: of
the boxes that touch an annotated person at all (IoU above 0.1), the share that is this person's one box.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from skyreid.building.detection.detector import load_detector
from skyreid.building.detection.tiles import find_in_tiles, tiling_of
from skyreid.building.finder import read_annotated
from skyreid.building.sources import Source, read_sources
from skyreid.building.video.decode import DEFAULT_LIMITS, frames, probe
from skyreid.tracklet import Platform

SAME, TOUCHES = 0.5, 0.1
ROW = "{:28} {:>12} {:>7} {:>9} {:>6} {:>7} {:>7}"


@dataclass
class Count:
    frames: int = 0
    annotated: int = 0
    found: int = 0
    matched: int = 0
    touching: int = 0
    seconds: float = 0.0

    def add(self, truth: np.ndarray, boxes: np.ndarray, seconds: float) -> None:
        overlaps = _iou(truth, boxes)
        pairs = linear_sum_assignment(overlaps >= SAME, maximize=True)
        self.frames += 1
        self.annotated += len(truth)
        self.found += len(boxes)
        self.matched += int((overlaps[pairs] >= SAME).sum())
        self.touching += int((overlaps > TOUCHES).any(axis=0).sum())
        self.seconds += seconds

    def row(self, film: str, how: str) -> str:
        rates = [
            f"{100 * part / max(1, of):.1f} %"
            for part, of in ((self.matched, self.annotated), (self.matched, self.found), (self.matched, self.touching))
        ]
        return ROW.format(film, how, *rates, f"{self.found / self.frames:.1f}", f"{self.seconds / self.frames:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--detector", default="yolox-nano")
    parser.add_argument("--footage", type=Path)
    parser.add_argument("--world", type=Path, help="folder of skyreid simulate")
    parser.add_argument("--frames", type=int, default=8, help="of each film, evenly over it")
    arguments = parser.parse_args()
    detector = load_detector(arguments.detector)
    print(ROW.format("film", "seen", "recall", "precision", "near", "found", "s"))
    for source in films(arguments.footage, arguments.world):
        facts = probe(source.path)
        annotated = read_annotated(source, facts)
        assert annotated is not None and facts.duration_s is not None
        began = time.perf_counter()
        tiling = tiling_of(source.path, facts, detector, limits=DEFAULT_LIMITS)
        measured_s = time.perf_counter() - began
        sides = {"whole": None} if tiling.side is None else {"whole": None, f"tiles {tiling.side}": tiling.side}
        counts = {how: Count() for how in sides}
        for frame in frames(source.path, interval_s=facts.duration_s / arguments.frames):
            truth = np.array(list(annotated.frames.get(frame.index, {}).values())).reshape(-1, 4)
            if not len(truth):
                continue  # nobody says whether anybody is there
            for how, side in sides.items():
                began = time.perf_counter()
                boxes, _ = find_in_tiles(detector, frame.pixels, side=side, min_score=detector.score)
                counts[how].add(truth, boxes, time.perf_counter() - began)
        for how, count in counts.items():
            print(count.row(source.name, how), flush=True)
        print(f"{source.name}: {tiling.because} ({measured_s:.1f} s)", flush=True)


def films(footage: Path | None, world: Path | None) -> Iterator[Source]:
    if footage is not None:
        for name, film, truth in (
            ("left", "cross_view_soccer/cam_left.mp4", "cross_view_soccer/gt_left.txt"),
            ("right", "cross_view_soccer/cam_right.mp4", "cross_view_soccer/gt_right.txt"),
            ("hall", "ground_onebyone/one-by-one-person-detection.mp4", "ground_onebyone/gt.txt"),
        ):
            yield Source(
                path=footage / film, platform=Platform.GROUND, camera=name, annotations=footage / truth, format="mot-gt"
            )
    if world is not None:
        yield from read_sources(world / "sources.json")


def _iou(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    low = np.maximum(some[:, None, :2], others[:, :2])
    high = np.minimum(some[:, None, 2:], others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (some, others)]
    return shared / (areas[0][:, None] + areas[1] - shared)


if __name__ == "__main__":
    main()
