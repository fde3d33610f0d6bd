"""A case of simulated people, for benchmarks: each walks past two cameras on the ground and two drones.

A third of the walks is in two pieces, as trackers leave them. Who everybody is stands as the pid of the tracklets; a
case begins without it, as a build without annotations does: nobody is anybody.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from skyreid.cases.case import Case, create_case, next_revision
from skyreid.cases.sources import NewSource, insert_source
from skyreid.cases.tracklets import find_model, insert_tracklets, put_vectors
from skyreid.datasets.manifest import MANIFEST_FILE, read_manifest, write_manifest
from skyreid.extraction.embed_folder import embed
from skyreid.files.regular_file import file_sha256
from skyreid.retrieval.embedding_table import EmbeddingTable, load_table
from skyreid.simulation.filming import FRAME_INTERVAL_S, film
from skyreid.tracklet import PLATFORMS, Frame, Platform, Tracklet

TAKES, FRAMES = 2, 8
BROKEN = 1 / 3
"""Share of the walks that are two tracklets."""


def draw_world(folder: Path, seed: int, identities: int) -> list[Tracklet]:
    """Draw the people of a seed, or read them where they were drawn already."""
    if not (folder / MANIFEST_FILE).exists():
        random = np.random.default_rng([seed, 99])
        walks = [(pid, view, take) for pid in range(1, identities + 1) for view in PLATFORMS for take in range(TAKES)]
        tracklets = [one for walk in walks for one in _walk(folder, seed, *walk, broken=random.random() < BROKEN)]
        write_manifest(folder / MANIFEST_FILE, tracklets, {"simulated": True})
    return list(read_manifest(folder / MANIFEST_FILE).tracklets)


def _walk(folder: Path, seed: int, pid: int, platform: Platform, take: int, *, broken: bool) -> list[Tracklet]:
    frames = []
    for number, crop in enumerate(film(seed, pid, platform, FRAMES, take=take).crops):
        path = folder / f"{platform}-{take}" / f"{pid:04d}-{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(crop.jpeg)
        frames.append(Frame(str(path), index=number, time_s=number * FRAME_INTERVAL_S))
    pieces = [frames[: FRAMES // 2], frames[FRAMES // 2 :]] if broken else [frames]
    return [
        Tracklet(
            tracklet_id=f"{platform}-{take}-{pid:04d}{letter}",
            frames=tuple(piece),
            pid=pid,
            camid=TAKES * platform.number + take,
            platform=platform,
        )
        for letter, piece in zip("ab", pieces, strict=False)
    ]


def embedded(folder: Path, model: str, name: str) -> EmbeddingTable:
    """Embed the people of a folder by a model, or read what was embedded already."""
    path = folder.with_name(f"{folder.name}-{name}.npz")
    return load_table(path) if path.exists() else embed(folder, model, path)


def make_case(folder: Path, tracklets: list[Tracklet], table: EmbeddingTable) -> Case:
    """Make a case of tracklets and their vectors; the ids say the camera, the pids nothing."""
    case = create_case(folder, by="benchmark")
    vectors = dict(zip(table.tracklet_ids.tolist(), table.embeddings, strict=True))
    pid = 0
    for camid in sorted({one.camid for one in tracklets}):
        seen = []
        for one in (one for one in tracklets if one.camid == camid):
            pid += 1
            frames = tuple(
                replace(frame, box=(0.0, 0.0, 20.0, 50.0), sha256=file_sha256(frame.path)) for frame in one.frames
            )
            seen.append(replace(one, pid=pid, frames=frames))
        name = seen[0].tracklet_id.rpartition("-")[0]
        new = NewSource(
            name=name,
            platform=seen[0].platform,
            camera=name,
            file=f"{name}.mp4",
            path=None,
            sha256=name,
            crops=name,
            start_time=None,
            purpose="a benchmark",
            facts={},
            settings={},
            is_simulated=True,
        )
        with case.database.writing() as connection:
            source = insert_source(connection, new, by="benchmark")
            revision = next_revision(connection)
            numbers = insert_tracklets(connection, source, seen, revision=revision)
            model = find_model(
                connection,
                model=table.model or "m",
                feeding=None,
                seen_unmasked=False,
                width=table.embeddings.shape[1],
            )
            found = {number: vectors[tracklet_id] for tracklet_id, number in numbers.items()}
            put_vectors(connection, model, found, revision=revision)
    return case
