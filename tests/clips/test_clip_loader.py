"""Batches of clips from files: nothing shortened, nothing dependent on threads, normalised to the same bits."""

import threading

import numpy as np
import pytest
import torch
from PIL import Image

from skyreid.clips.clip_loader import ClipBatch, ClipReader, ClipRequest, erase, load_batches, make_ahead, normalize
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


def all_batches(tracklets, *, threads):
    reader = ClipReader((16, 8))
    requests = [[ClipRequest(tracklet, (batch, 4, 3, 3)) for tracklet in tracklets] for batch in range(5)]
    return list(load_batches(reader, requests, threads=threads))


def test_threads_change_nothing(tracklets):
    plain, by_many = (all_batches(tracklets, threads=threads) for threads in (1, 4))
    assert len(plain) == len(by_many) == 5
    for one, other in zip(plain, by_many, strict=True):
        assert torch.equal(one.frames, other.frames)
    assert plain[0].frames.shape == (4, 4, 3, 16, 8)
    assert plain[0].platforms.tolist() == [1, 0, 1, 0]
    assert not torch.equal(plain[0].frames, plain[1].frames)


def test_a_missing_frame_is_named_and_the_clip_is_not_shortened(tracklets, tmp_path):
    (tmp_path / "2_3.png").unlink()
    reader = ClipReader((16, 8))
    with pytest.raises(MissingFrameError, match=r"2_3\.png: is missing"):
        list(load_batches(reader, [[ClipRequest(tracklets[2], (0, 1, 2, 3))]], threads=2))


def test_an_unreadable_frame_is_named(tracklets, tmp_path):
    (tmp_path / "0_0.png").write_bytes(b"not an image")
    reader = ClipReader((16, 8))
    with pytest.raises(MissingFrameError, match=r"0_0\.png: cannot be read as JPEG"):
        reader.read(ClipRequest(tracklets[0], (0,)))


def test_what_is_made_ahead_comes_in_order_and_an_error_in_its_place():
    first_waits = threading.Event()

    def make(job):
        if job == 0:
            assert first_waits.wait(10)  # the second is done before it
        first_waits.set()
        if job == 3:
            raise MissingFrameError("the fourth")
        return -job

    found = make_ahead(make, range(6), threads=2)
    assert [next(found) for _ in range(3)] == [0, -1, -2]
    with pytest.raises(MissingFrameError, match="the fourth"):
        next(found)


@pytest.mark.parametrize("shape", [(1, 1, 16, 8), (3, 4, 19, 7), (2, 2, 64, 32)])
def test_the_quick_way_to_pixels_is_the_readable_one_bit_for_bit(shape):
    clips, frames, height, width = shape
    rng = np.random.default_rng(0)
    fill = (0.4914, 0.4822, 0.4465)
    erasures = torch.tensor(rng.integers(0, [[[height, width, 5, 4]]], (clips, frames, 4)))
    erasures[0] = 0
    batch = ClipBatch(
        frames=torch.tensor(rng.integers(0, 256, (clips, frames, 3, height, width), dtype=np.uint8)),
        erasures=erasures,
        platforms=torch.zeros(clips, dtype=torch.long),
        labels=torch.zeros(clips, dtype=torch.long),
    )
    pixels = batch.pixels(fill)
    assert torch.equal(pixels, erase(normalize(batch.frames), batch.erasures, fill))
    assert pixels.data_ptr() % 64 == 0  # as PyTorch's own: the last bit of a product may hang on that


def test_every_brightness_is_normalised_as_it_was():
    frames = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 1, 16, 16).repeat(1, 1, 3, 1, 1)
    none = torch.zeros(1, 1, 4, dtype=torch.long)
    batch = ClipBatch(frames=frames, erasures=none, platforms=none[0, 0, :1], labels=none[0, 0, :1])
    assert torch.equal(batch.pixels((0.0, 0.0, 0.0)), normalize(frames))
