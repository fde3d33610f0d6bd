"""How well `skyreid find` finds annotated people again in another camera.

    skyreid find --ground cam_left.mp4 --aerial cam_right.mp4 --out case
    python benchmarks/found_people.py case --annotations cam_left=gt_left.txt cam_right=gt_right.txt

A tracklet is the annotated person whose box it overlaps by half or more in most of those of its crops in whose frames
this person is annotated; the annotations are MOT files whose numbers are the same person in every camera, and need not
be complete. Every tracklet of such a person asks all tracklets of the other
platform, among them those of people whom nobody annotated, who count as others.
"""

import argparse
from collections import Counter
from pathlib import Path

import numpy as np

from skyreid.datasets.manifest import read_built_folder
from skyreid.evaluation.table_evaluation import evaluate
from skyreid.retrieval.embedding_table import TABLE_FILE, EmbeddingTable, load_table
from skyreid.tracklet import DISTRACTOR_PID, Platform, Tracklet

MIN_OVERLAP, MIN_SHARE = 0.5, 0.5
Box = tuple[float, float, float, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("case", type=Path)
    parser.add_argument("--annotations", nargs="+", required=True, metavar="CAMERA=FILE")
    given = parser.parse_args()
    manifest, table = read_built_folder(given.case), load_table(given.case / TABLE_FILE)
    cameras = manifest.info["cameras"]
    assert isinstance(cameras, list)
    truth = {camera: read_boxes(Path(file)) for camera, _, file in (one.partition("=") for one in given.annotations)}
    people = {t.tracklet_id: person_of(t, truth[cameras[t.camid]]) for t in manifest.tracklets}
    by_camera = [
        {people[t.tracklet_id] for t in manifest.tracklets if t.camid == camid} for camid in range(len(cameras))
    ]
    annotated = set.union(*({pid for pids in boxes.values() for pid in pids} for boxes in truth.values()))
    in_all = set.intersection(*by_camera) - {DISTRACTOR_PID}
    known = Counter(pid for pid in people.values() if pid != DISTRACTOR_PID)
    print(
        f"{len(people)} tracklets, {sum(known.values())} of them of {len(known)} of {len(annotated)} annotated people; "
        f"{len(in_all)} of them found in every camera"
    )
    true = with_pids(table, np.array([people[str(one)] for one in table.tracklet_ids]))
    for asked, sought in ((Platform.GROUND, Platform.AERIAL), (Platform.AERIAL, Platform.GROUND)):
        query = true.on(asked)
        query = query.select(np.isin(query.pids, list(in_all)))
        print(f"{asked} → {sought}:", *evaluate(query, true.on(sought), "cross-camera").lines()[:4], sep="\n  ")


def with_pids(table: EmbeddingTable, pids: np.ndarray) -> EmbeddingTable:
    return EmbeddingTable.of(
        table.embeddings,
        tracklet_ids=table.tracklet_ids,
        pids=pids,
        camids=table.camids,
        platforms=table.platforms,
        model=table.model,
    )


def read_boxes(path: Path) -> dict[int, dict[int, Box]]:
    """By frame from 0, then person: xyxy."""
    boxes: dict[int, dict[int, Box]] = {}
    for line in path.read_text().splitlines():
        frame, pid, left, top, width, height = (float(value) for value in line.split(",")[:6])
        boxes.setdefault(int(frame) - 1, {})[int(pid)] = (left, top, left + width, top + height)
    return boxes


def person_of(tracklet: Tracklet, boxes: dict[int, dict[int, Box]]) -> int:
    hits: Counter[int] = Counter()
    chances: Counter[int] = Counter()
    for frame in tracklet.frames:
        assert frame.index is not None and frame.box is not None
        for pid, box in boxes.get(frame.index, {}).items():
            chances[pid] += 1
            hits[pid] += overlap(frame.box, box) >= MIN_OVERLAP
    (pid, count), *_ = hits.most_common(1) or [(DISTRACTOR_PID, 0)]
    return pid if count and count >= MIN_SHARE * chances[pid] else DISTRACTOR_PID


def overlap(first: Box, second: Box) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(0.0, width) * max(0.0, height)
    area = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return shared / (area - shared)


if __name__ == "__main__":
    main()
