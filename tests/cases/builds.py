"""Small build folders to bring into cases, as `skyreid build` leaves them: a gate on the ground, a roof in the air."""

from dataclasses import replace

import numpy as np

from skyreid.datasets.data_hash import pictures_sha256
from skyreid.datasets.manifest import write_manifest
from skyreid.files.regular_file import file_sha256
from skyreid.retrieval.embedding_table import TABLE_FILE, save_table
from tests.building.linking.folders import INFO, seen, table_of, write_folder

PEOPLE = ("gate-a-0001", "gate-a-0002", "gate-b-0001", "roof-a-0001", "roof-a-0002", "roof-a-0003")
MODEL = "m" * 64


def built_info(**changed):
    sources = [{**source, "video_sha256": f"{source['name']}{'0' * 60}"[:64]} for source in INFO["sources"]]
    return {**INFO, "sources": sources, "faces_masked": True, "simulated": False, **changed}


def write_build(
    root, people=PEOPLE, *, embeddings=None, pids=None, model=MODEL, attributes=None, times=None, **changed
):
    """A folder with painted crops; `embeddings`, one row a tracklet, stand beside them. Gives the tracklets."""
    info = built_info(**changed)
    tracklets = [
        _apart(
            replace(
                seen(one, *(times or {}).get(one, (number, number + 2.0))), attributes=(attributes or {}).get(one, {})
            ),
            number,
        )
        for number, one in enumerate(people)
    ]
    names = {one.rpartition("-")[0] for one in people}
    info["sources"] = [source for source in info["sources"] if source["name"] in names]
    written = write_folder(root, tracklets, info=info, pids=pids)
    hashed = [
        replace(t, frames=tuple(replace(frame, sha256=file_sha256(frame.path)) for frame in t.frames)) for t in written
    ]
    write_manifest(root / "manifest.jsonl", hashed, info)
    if embeddings is not None:
        pictures = np.array([pictures_sha256(tracklet) for tracklet in hashed], dtype="S64")
        table = replace(
            table_of(hashed, embeddings), pictures=pictures, model=model, manifest=str(root / "manifest.jsonl")
        )
        save_table(root / TABLE_FILE, table)
    return hashed


def _apart(tracklet, number):
    """JPEG files, as a build writes them, of somebody who stands where nobody else does."""
    box = (1.0 + 3 * number, 2.0, 3.0 + 3 * number, 4.0)
    return replace(
        tracklet,
        frames=tuple(replace(one, path=one.path.replace(".png", ".jpg"), box=box) for one in tracklet.frames),
    )


def drawn(people=PEOPLE, width=8, seed=0):
    return np.random.default_rng(seed).standard_normal((len(people), width)).astype(np.float32)
