"""A world of two videos, drawn by hand as boxes and truth, and builds of it that say what a test wants."""

import hashlib
import json
from dataclasses import dataclass, field

from skyreid.datasets.manifest import write_manifest
from skyreid.simulation.scene_truth import SceneCamera, SceneFace, SceneFrame, ScenePerson, write_scene_truth
from skyreid.tracklet import Frame, Platform, Tracklet

CAMERA = SceneCamera(
    position=(0.0, 0.0, 2.0), axes=((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)), focal_px=900.0
)
FRAME_RATE = 4
INTERVAL_S = 0.5
"""Every second frame is sampled."""
PLATFORMS = {"gate": Platform.GROUND, "drone": Platform.AERIAL}
"""By camera; its video is called CAMERA-1.mp4 and its source CAMERA-CAMERA-1."""


def place(column, *, height=40):
    """Box of somebody in a column of the picture; nobody in another touches it."""
    return (100.0 * column, 10.0, 100.0 * column + 20, 10.0 + height)


def face_in(box, *, width=12.0, facing=1.0, visible=1.0):
    middle = (box[0] + box[2]) / 2
    return SceneFace(box=(middle - width / 2, box[1], middle + width / 2, box[1] + 8), facing=facing, visible=visible)


def person(pid, box, *, visible=1.0, face=None):
    return ScenePerson(pid=pid, box=box, visible=visible, head=box, face=face)


@dataclass
class TinyWorld:
    """Writes the world's folder, then builds beside it."""

    root: object
    built: dict[str, list] = field(default_factory=dict)

    @property
    def folder(self):
        return self.root / "world"

    @property
    def build(self):
        return self.root / "build"

    def film(self, camera, frames):
        """`frames` lists the people of every video frame."""
        for name in ("videos", "truth"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "world.json").write_text("{}")
        (self.folder / f"videos/{camera}-1.mp4").write_bytes(f"the film of {camera}".encode())
        scene = [
            SceneFrame(index=index, time_s=index / FRAME_RATE, camera=CAMERA, people=tuple(people))
            for index, people in enumerate(frames)
        ]
        write_scene_truth(self.folder / f"truth/{camera}-1.jsonl", scene)
        lines = []
        for frame in scene:
            for p in frame.people:
                left, top, right, bottom = (max(edge, 0) for edge in p.box)
                lines.append(
                    f"{frame.index + 1},{p.pid},{left + 1},{top + 1},{right - left},{bottom - top},1,1,{p.visible}\n"
                )
        (self.folder / f"truth/{camera}-1.txt").write_text("".join(lines))
        self.built[camera] = []

    def track(self, camera, pid, crops, *, masked=None):
        """Add a tracklet: box by frame, and the regions masked in them."""
        self.built[camera].append((pid, crops, masked or {}))

    def write_build(self, *, info=None, masking=True):
        tracklets, regions = [], {}
        for camid, (camera, built) in enumerate(self.built.items()):
            for number, (pid, crops, masked) in enumerate(built, start=1):
                tracklet_id = f"{camera}-{camera}-1-{number:04d}"
                folder = self.build / "crops" / tracklet_id
                frames = tuple(
                    Frame(f"{folder}/none.jpg")
                    if index is None
                    else Frame(f"{folder}/{index:06d}.jpg", index=index, time_s=index / FRAME_RATE, box=box)
                    for index, box in crops.items()
                )
                tracklets.append(
                    Tracklet(tracklet_id=tracklet_id, frames=frames, pid=pid, camid=camid, platform=PLATFORMS[camera])
                )
                regions[tracklet_id] = {str(index): boxes for index, boxes in masked.items()}
        sources = [
            {
                "name": f"{camera}-{camera}-1",
                "file": f"{camera}-1.mp4",
                "video_sha256": hashlib.sha256(f"the film of {camera}".encode()).hexdigest(),
            }
            for camera in self.built
        ]
        self.build.mkdir(exist_ok=True)
        facts = {"interval_s": INTERVAL_S, "faces_masked": True, "sources": sources, **(info or {})}
        write_manifest(self.build / "manifest.jsonl", tracklets, facts)
        if masking:
            (self.build / "masking.json").write_text(json.dumps({"style": "grey", "regions": regions}))
