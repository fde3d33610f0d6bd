"""Small build folders to link: a gate and a door on the ground, a roof in the air; the door has no clock."""

from dataclasses import replace

import numpy as np
from PIL import Image

from skyreid.building.linking.event_log import Decision, DecisionEvent, make_pair, new_event_id, now
from skyreid.building.linking.link_state import fingerprint
from skyreid.datasets.manifest import write_manifest
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.tracklet import Frame, Platform, Tracklet

CAMERAS = ["gate", "door", "roof"]
SOURCES = [
    {"name": "gate-a", "file": "a.mp4", "camera": "gate", "platform": "ground", "start_time": "2026-05-04T09:00:00Z"},
    {"name": "gate-b", "file": "b.mp4", "camera": "gate", "platform": "ground", "start_time": "2026-05-04T09:01:00Z"},
    {"name": "door-a", "file": "a.mp4", "camera": "door", "platform": "ground", "start_time": None},
    {
        "name": "roof-a",
        "file": "r.mp4",
        "camera": "roof",
        "platform": "aerial",
        "start_time": "2026-05-04T11:00:10+02:00",  # 10 s after the gate's
    },
]
INFO = {"identities": "per-tracklet", "cameras": CAMERAS, "interval_s": 0.5, "sources": SOURCES}


def seen(tracklet_id, first_s=0.0, last_s=2.0, *, pid=1):
    """A tracklet of two frames that are nowhere."""
    camera = tracklet_id.split("-")[0]
    frames = tuple(
        Frame(f"crops/{tracklet_id}/{index}.png", index=index, time_s=float(second), box=(1.0, 2.0, 3.0, 4.0))
        for index, second in enumerate((first_s, last_s))
    )
    platform = Platform.AERIAL if camera == "roof" else Platform.GROUND
    return Tracklet(tracklet_id=tracklet_id, frames=frames, pid=pid, camid=CAMERAS.index(camera), platform=platform)


def write_folder(root, tracklets, *, info=INFO, pids=None):
    """A folder with painted crops; without pids every tracklet gets its own."""
    written = []
    for number, tracklet in enumerate(tracklets):
        frames = []
        for frame in tracklet.frames:
            path = root / frame.path
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (10, 20), (40 * number % 256, 90, 160)).save(path)
            frames.append(replace(frame, path=str(path)))
        pid = number + 1 if pids is None else pids[number]
        written.append(replace(tracklet, frames=tuple(frames), pid=pid))
    write_manifest(root / "manifest.jsonl", written, info)
    return written


def table_of(tracklets, embeddings):
    return EmbeddingTable(
        embeddings=np.array(embeddings, dtype=np.float32),
        pids=np.array([tracklet.pid for tracklet in tracklets], dtype=np.int64),
        camids=np.array([tracklet.camid for tracklet in tracklets], dtype=np.int64),
        platforms=np.array([tracklet.platform.number for tracklet in tracklets], dtype=np.int64),
        tracklet_ids=np.array([tracklet.tracklet_id for tracklet in tracklets]),
    )


def says(annotator, word, first, second, **facts):
    """The event of a decision about two tracklets."""
    by_id = {tracklet.tracklet_id: tracklet for tracklet in (first, second)}
    pair = make_pair(first.tracklet_id, second.tracklet_id)
    return DecisionEvent(
        event_id=new_event_id(),
        time=now(),
        annotator=annotator,
        decision=Decision(word),
        tracklets=pair,
        fingerprints=(fingerprint(by_id[pair[0]]), fingerprint(by_id[pair[1]])),
        **facts,
    )
