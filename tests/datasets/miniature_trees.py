"""Miniature benchmarks, byte for byte in the formats of the real ones; written without any code of ours."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np
from PIL import Image
from scipy.io import savemat

from skyreid.datasets.data_hash import with_hashes
from skyreid.datasets.manifest import write_manifest
from skyreid.tracklet import Frame, Platform, Tracklet

Row = tuple[int, int, int]
"""pid, camera from 1, number of frames."""


def write_image(path: Path, width: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, 2 * width), (90, 120, 150)).save(path)


def write_mars_tree(root: Path, train: Sequence[Row], test: Sequence[Row], query: Sequence[int]) -> None:
    (root / "info").mkdir(parents=True, exist_ok=True)
    for half, tracklets in (("train", train), ("test", test)):
        (root / f"bbox_{half}").mkdir()
        names: list[str] = []
        rows = []
        for number, (pid, camera, num_frames) in enumerate(tracklets, start=1):
            person = "00-1" if pid == -1 else f"{pid:04d}"
            rows.append((len(names) + 1, len(names) + num_frames, pid, camera))
            for frame in range(1, num_frames + 1):
                name = f"{person}C{camera}T{number:04d}F{frame:03d}.jpg"
                write_image(root / f"bbox_{half}" / person / name, width=8 * camera)
                names.append(name)
        (root / f"info/{half}_name.txt").write_text("\n".join(names) + "\n")
        savemat(root / f"info/tracks_{half}_info.mat", {f"track_{half}_info": np.array(rows, dtype=np.float64)})
    savemat(root / "info/query_IDX.mat", {"query_IDX": np.array([query], dtype=np.uint16)})


def write_mars(root: Path) -> None:
    write_mars_tree(
        root,
        train=[(1, 1, 3), (1, 2, 2), (3, 6, 2)],
        test=[(-1, 1, 2), (0, 3, 1), (2, 1, 2), (2, 2, 3), (4, 5, 1), (4, 1, 2)],
        query=[3, 5],
    )


def write_g2a(root: Path) -> None:
    people = [(pid, camera, 2 + camera) for pid in (2, 5) for camera in (1, 2)]
    write_mars_tree(root, train=[(1, 1, 2), (1, 2, 4)], test=people, query=[1, 3])


def write_ls_vid(root: Path, train_frames: Sequence[int] = (5, 100)) -> None:
    lists = {
        "train": [(0, 1, train_frames[0]), (0, 15, train_frames[1])],
        "test": [(842, 3, 2), (842, 4, 3), (843, 3, 2), (843, 1, 2)],
    }
    (root / "list_sequence").mkdir(parents=True)
    for half, tracklets in lists.items():
        lines = []
        for number, (pid, camera, num_frames) in enumerate(tracklets):
            prefix = f"tracklet_{half}/{pid:04d}/{pid:04d}_{number:03d}_{camera:02d}_0303morning_0008_0"
            lines.append(f"{prefix} {pid}")
            for frame in range(num_frames):
                write_image(root / f"{prefix}_{frame:05d}.jpg")
        (root / f"list_sequence/list_seq_{half}.txt").write_text("\n".join(lines) + "\n")
    (root / "test/data").mkdir(parents=True)
    with h5py.File(root / "test/data/info_test.mat", "w") as file:
        file["query"] = np.array([[1.0, 3.0]])


def write_ilids(root: Path) -> None:
    for camera in (1, 2):
        for person in (1, 2, 3, 5):
            for frame in range(person + 1):
                name = f"cam{camera}_person{person:03d}_{317 + frame:05d}.png"
                write_image(root / f"i-LIDS-VID/sequences/cam{camera}/person{person:03d}" / name)
    splits = root / "train-test people splits"
    splits.mkdir()
    orders = np.array([np.roll([4, 1, 3, 2], shift) for shift in range(10)], dtype=np.uint8)
    savemat(splits / "train_test_splits_ilidsvid.mat", {"ls_set": orders})


def write_prid(root: Path) -> None:
    for camera, people in (("a", (1, 2, 3, 201)), ("b", (1, 2, 3, 201, 202))):
        for person in people:
            for frame in range(1, person % 5 + 2):
                write_image(root / f"multi_shot/cam_{camera}/person_{person:04d}/{frame:04d}.png")
    split = {"train": ["person_0002"], "test": ["person_0001"]}
    (root / "splits_prid2011.json").write_text(json.dumps([split] * 10))


def write_mevid(root: Path) -> None:
    lists = {
        "train": [(103, 20, 424, 3), (103, 2, 330, 1)],
        "test": [(201, 3, 330, 2), (201, 3, 336, 2), (202, 5, 336, 1)],
    }
    for half, tracklets in lists.items():
        names: list[str] = []
        rows = []
        for number, (pid, outfit, camera, num_frames) in enumerate(tracklets):
            rows.append((len(names), len(names) + num_frames - 1, pid, outfit, camera))
            for frame in range(num_frames):
                name = f"{pid:04d}O{outfit:03d}C{camera}T{number:03d}F{3 * frame:05d}.jpg"
                write_image(root / f"bbox_{half}/{pid:04d}/{name}")
                names.append(name)
        (root / f"{half}_name.txt").write_text("\n".join(names) + "\n")
        np.savetxt(root / f"track_{half}_info.txt", np.array(rows))
    np.savetxt(root / "query_IDX.txt", np.array([0]))


def write_own(root: Path) -> None:
    tracklets = []
    for pid, platform in ((1, Platform.GROUND), (1, Platform.AERIAL), (2, Platform.AERIAL)):
        frames = []
        for number in range(3):
            path = root / f"crops/{platform}-{pid}/{number:06d}.jpg"
            write_image(path, width=10 if platform is Platform.GROUND else 6)
            frames.append(Frame(str(path), index=15 * number, time_s=0.5 * number, box=(1.0, 2.0, 11.0, 22.0)))
        tracklets.append(
            Tracklet(
                tracklet_id=f"{platform}-{pid}",
                frames=tuple(frames),
                pid=pid,
                camid=0 if platform is Platform.GROUND else 1,
                platform=platform,
            )
        )
    write_manifest(root / "manifest.jsonl", with_hashes(tracklets))


MINIATURES: dict[str, Callable[[Path], None]] = {
    "g2a-vreid": write_g2a,
    "g2a-vreid-v2": write_g2a,
    "mars": write_mars,
    "ls-vid": write_ls_vid,
    "ls-vid-48": write_ls_vid,
    "ilids-vid": write_ilids,
    "prid-2011": write_prid,
    "mevid": write_mevid,
    "manifest": write_own,
}
