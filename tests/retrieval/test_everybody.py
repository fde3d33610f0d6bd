"""Who was seen where, who resembles whom elsewhere, and which sightings of one camera are one person."""

import numpy as np
import pytest
from PIL import Image

from skyreid.datasets.manifest import write_manifest
from skyreid.errors import ManifestError, TableError
from skyreid.retrieval.embedding_table import EmbeddingTable, save_table
from skyreid.retrieval.everybody import read_everybody
from skyreid.tracklet import Frame, Platform, Tracklet

GATE, LATER, OTHER, LATEST, ROOF, FAR = range(6)
SEEN = (
    ("gate-gate-0001", 0.0, (0, 1, 2)),
    ("gate-gate-0002", 0.1, (5, 6)),
    ("gate-gate-0003", 1.5, (4, 5)),
    ("gate-gate-0004", 0.1, (60, 61)),
    ("roof-roof-0001", 0.3, (0, 1)),
    ("roof-roof-0002", 2.5, (3, 4)),
)
"""Tracklet, its direction in radians, its seconds."""


@pytest.fixture
def build(tmp_path):
    folder = tmp_path / "built"
    (folder / "crops").mkdir(parents=True)
    (folder / "build.lock").touch()
    (folder / "sources").mkdir()
    tracklets = []
    for name, _, seconds in SEEN:
        frames = []
        for second in seconds:
            path = folder / "crops" / f"{name}-{second}.png"
            Image.new("RGB", (20, 40), "red").save(path)
            frames.append(Frame(str(path), index=second, time_s=float(second), box=(0.0, 0.0, 20.0, 40.0)))
        platform = Platform.AERIAL if name.startswith("roof") else Platform.GROUND
        tracklets.append(
            Tracklet(
                tracklet_id=name, frames=tuple(frames), pid=len(tracklets), camid=platform.number, platform=platform
            )
        )
    sources = [{"name": f"{one}-{one}", "file": f"{one}.mp4", "video_sha256": "0" * 64} for one in ("gate", "roof")]
    info = {"cameras": ["gate", "roof"], "sources": sources, "interval_s": 1, "faces_masked": False}
    write_manifest(folder / "manifest.jsonl", tracklets[::-1], info)
    return folder


def make_table(path, names=tuple(name for name, _, _ in SEEN)):
    angles = np.array([angle for name, angle, _ in SEEN if name in names])
    save_table(
        path,
        EmbeddingTable.of(
            np.stack([np.cos(angles), np.sin(angles)], axis=1),
            tracklet_ids=list(names),
            pids=range(len(names)),
            camids=[int(name.startswith("roof")) for name in names],
            platforms=["aerial" if name.startswith("roof") else "ground" for name in names],
        ),
    )
    return path


def test_everybody_stands_by_camera_and_time_whatever_the_manifest_s_order(build):
    everybody = read_everybody(build)
    assert [tracklet.tracklet_id for tracklet in everybody.tracklets] == [
        "gate-gate-0001",
        "gate-gate-0003",
        "gate-gate-0002",
        "gate-gate-0004",
        "roof-roof-0001",
        "roof-roof-0002",
    ]
    assert [sighting.camera for sighting in everybody.sightings][::4] == ["gate", "roof"]
    assert everybody.resembling is None
    assert everybody.stands_for == tuple(range(6))


def test_who_resembles_somebody_is_looked_for_on_the_other_platform(build):
    make_table(build / "embeddings.npz")
    everybody = read_everybody(build)
    names = [tracklet.tracklet_id for tracklet in everybody.tracklets]
    found = {
        name: [names[one.row] for one in resembling]
        for name, resembling in zip(names, everybody.resembling, strict=True)
    }
    assert found["gate-gate-0001"] == ["roof-roof-0001", "roof-roof-0002"]
    assert found["roof-roof-0002"] == ["gate-gate-0003", "gate-gate-0002", "gate-gate-0004", "gate-gate-0001"]
    (best, _), *_ = everybody.resembling
    assert best.similarity == pytest.approx(np.cos(0.3), abs=1e-6)


def test_a_person_lost_for_a_moment_is_one_sighting_and_one_who_comes_back_is_not(build):
    make_table(build / "embeddings.npz")
    everybody = read_everybody(build)
    names = [tracklet.tracklet_id for tracklet in everybody.tracklets]
    together = {name: names[stands_for] for name, stands_for in zip(names, everybody.stands_for, strict=True)}
    assert together.pop("gate-gate-0002") == "gate-gate-0001"
    assert all(name == stands_for for name, stands_for in together.items())


def test_the_footage_is_found_beside_the_build(build, tmp_path):
    (tmp_path / "gate.mp4").touch()
    everybody = read_everybody(build)
    assert everybody.videos == {"gate-gate": tmp_path / "gate.mp4"}
    assert everybody.sightings[0].link.endswith("gate.mp4#t=0.00")
    assert everybody.sightings[-1].link is None
    assert read_everybody(build, videos=build).videos == {}


def test_a_table_of_other_tracklets_is_refused(build, tmp_path):
    table = make_table(tmp_path / "table.npz", names=tuple(name for name, _, _ in SEEN)[:3])
    with pytest.raises(TableError, match=r"table\.npz: must hold all tracklets .*; 3 are missing, 'gate-gate-0004'"):
        read_everybody(build, table=table)


def test_a_folder_that_is_no_build_is_refused(tmp_path):
    with pytest.raises(ManifestError, match="must be"):
        read_everybody(tmp_path)
