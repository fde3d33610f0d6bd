"""Batches of clips from files: nothing shortened, nothing dependent on threads."""

import numpy as np
import pytest
import torch
from PIL import Image

from skyreid.clips.augmentation import RELEASE
from skyreid.clips.clip_loader import ClipReader, ClipRequest, load_batches
from skyreid.clips.frame_cache import FrameCache
from skyreid.errors import MissingFrameError
from skyreid.tracklet import Frame, Platform, Tracklet


@pytest.fixture
def tracklets(tmp_path):
    rng = np.random.default_rng(0)
    made = []
    for i in range(4):
        frames = []
        for j in range(5 + i):
            path = tmp_path / f"{i}_{j}.png"
            Image.fromarray(rng.integers(0, 256, (20 + i, 10, 3), dtype=np.uint8)).save(path)
            frames.append(Frame(str(path)))
        platform = Platform.GROUND if i % 2 else Platform.AERIAL
        made.append(Tracklet(tracklet_id=str(i), frames=tuple(frames), pid=i, camid=0, platform=platform))
    return made


def all_batches(tracklets, *, threads, capacity_bytes):
    cache = FrameCache((16, 8), capacity_bytes=capacity_bytes)
    reader = ClipReader(cache, clip_length=4, augmentation=RELEASE)
    requests = [
        [ClipRequest(tracklet, label=i, draw=f"{batch}/{i}") for i, tracklet in enumerate(tracklets)]
        for batch in range(5)
    ]
    return list(load_batches(reader, requests, threads=threads))


def test_threads_and_the_cache_change_nothing(tracklets):
    plain = all_batches(tracklets, threads=1, capacity_bytes=0)
    cached = all_batches(tracklets, threads=4, capacity_bytes=10**6)
    assert len(plain) == len(cached) == 5
    for one, other in zip(plain, cached, strict=True):
        assert torch.equal(one.frames, other.frames)
        assert torch.equal(one.erasures, other.erasures)
    assert plain[0].frames.shape == (4, 4, 3, 16, 8)
    assert plain[0].platforms.tolist() == [1, 0, 1, 0]
    assert plain[0].labels.tolist() == [0, 1, 2, 3]
    assert not torch.equal(plain[0].frames, plain[1].frames)


def test_the_cache_stays_within_its_capacity(tracklets):
    one_frame = 16 * 8 * 3
    cache = FrameCache((16, 8), capacity_bytes=3 * one_frame + 1)
    for tracklet in tracklets:
        for frame in tracklet.frames:
            cache.frame(frame)
    assert cache.held_bytes == 3 * one_frame


def test_a_missing_frame_is_named_and_the_clip_is_not_shortened(tracklets, tmp_path):
    (tmp_path / "2_3.png").unlink()
    reader = ClipReader(FrameCache((16, 8), capacity_bytes=0), clip_length=4, augmentation=None)
    requests = [[ClipRequest(tracklets[2], frames=(0, 1, 2, 3))]]
    with pytest.raises(MissingFrameError, match=r"2_3\.png: is missing"):
        list(load_batches(reader, requests, threads=2))


def test_an_unreadable_frame_is_named(tracklets, tmp_path):
    (tmp_path / "0_0.png").write_bytes(b"not an image")
    reader = ClipReader(FrameCache((16, 8), capacity_bytes=0), clip_length=4, augmentation=None)
    with pytest.raises(MissingFrameError, match=r"0_0\.png: cannot be read as JPEG"):
        reader.read(ClipRequest(tracklets[0], frames=(0,)))
