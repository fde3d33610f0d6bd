"""The clips of a run: the draws that their names say, whatever is kept of their frames."""

import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from skyreid.clips.augmentation import PAPER, RELEASE
from skyreid.clips.frame_bank import FrameBank
from skyreid.clips.frame_reading import read_frame, resize
from skyreid.clips.frame_sampling import restricted_begin, restricted_random
from skyreid.clips.identity_sampler import IdentitySamplerConfig, identity_batches
from skyreid.datasets.data_hash import with_hashes
from skyreid.processes.distributed import Processes
from skyreid.tracklet import PLATFORMS, Frame, Tracklet
from skyreid.training.training_clips import TrainingClips
from tests.clips.test_augmentation import augment_slowly

SIZE = (32, 16)
SAMPLER = IdentitySamplerConfig(identities=2, tracklets=2)
ONE_FRAME = 3 * 32 * 16


@pytest.fixture(scope="module")
def tracklets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crops")
    rng = np.random.default_rng(0)
    made = []
    for number in range(8):
        frames = []
        for place in range(5 + number):
            path = folder / f"{number}_{place}.jpg"
            Image.fromarray(rng.integers(0, 256, (20 + number, 10, 3), dtype=np.uint8)).save(path)
            frames.append(Frame(str(path)))
        pid, platform = number // 2 + 7, PLATFORMS[number % 2]
        made.append(
            Tracklet(tracklet_id=str(number), frames=tuple(frames), pid=pid, camid=number % 2, platform=platform)
        )
    return with_hashes(made)


def clips_of(tracklets, folder, *, capacity_bytes=10**7, threads=2, augmentation=RELEASE):
    frames = [frame for tracklet in tracklets for frame in tracklet.frames]
    return TrainingClips(
        tracklets,
        FrameBank(folder, frames, SIZE, capacity_bytes=capacity_bytes),
        Processes(device="cpu", precision="float32"),
        clip_length=4,
        augmentation=augmentation,
        seed=5,
        threads=threads,
    )


def as_named(tracklets, epoch, augmentation):
    """One epoch, clip after clip, each from a generator that its place names."""
    labels = [tracklet.pid - 7 for tracklet in tracklets]
    for number, batch in enumerate(identity_batches(labels, SAMPLER, seed=5, epoch=epoch)):
        frames, erasures = [], []
        for slot, position in enumerate(batch):
            rng = random.Random(f"clip/5/{epoch}/{number}/{slot}")
            own = tracklets[position].frames
            read = [resize(read_frame(own[place]), SIZE) for place in restricted_random(len(own), 4, rng)]
            changed, erased = augment_slowly(np.stack(read), augmentation, rng)
            frames.append(changed.transpose(0, 3, 1, 2))
            erasures.append(erased)
        yield np.stack(frames), np.stack(erasures), [labels[p] for p in batch], [p % 2 for p in batch]


@pytest.mark.parametrize("capacity", [0, 9, 100], ids=["no frame kept", "some frames kept", "all frames kept"])
@pytest.mark.parametrize("augmentation", [RELEASE, PAPER], ids=["release", "paper"])
def test_every_epoch_is_what_its_names_draw_from_the_files(tracklets, tmp_path, capacity, augmentation):
    clips = clips_of(tracklets, tmp_path, capacity_bytes=capacity * ONE_FRAME, augmentation=augmentation)
    for epoch in (1, 2, 3):  # the first decodes what it needs, the second all, the third nothing
        for batch, expected in zip(clips.epoch(SAMPLER, epoch), as_named(tracklets, epoch, augmentation), strict=True):
            frames, erasures, labels, platforms = expected
            assert (batch.frames.numpy() == frames).all()
            assert batch.frames.stride()[2:] == (1, 3 * SIZE[1], 3), "a convolution would differ in its last bit"
            assert (batch.erasures.numpy() == erasures).all()
            assert batch.labels.tolist() == labels
            assert batch.platforms.tolist() == platforms


def test_threads_change_nothing(tracklets, tmp_path):
    one, four = (clips_of(tracklets, tmp_path / str(n), threads=n).epoch(SAMPLER, 1) for n in (1, 4))
    assert all(torch.equal(a.frames, b.frames) for a, b in zip(one, four, strict=True))


def test_plain_clips_are_the_test_time_frames_of_every_tracklet(tracklets, tmp_path):
    found = list(clips_of(tracklets, tmp_path).once_plain(3))
    assert [len(batch.labels) for batch in found] == [3, 3, 2]
    whole = torch.cat([batch.frames for batch in found])
    for tracklet, clip in zip(tracklets, whole, strict=True):
        for place, frame in zip(restricted_begin(len(tracklet.frames), 4), clip, strict=True):
            expected = resize(read_frame(tracklet.frames[place]), SIZE).transpose(2, 0, 1)
            assert (frame.numpy() == expected).all()
    assert not any(batch.erasures.any() for batch in found)


def test_once_the_second_pass_has_begun_no_crop_is_read(tracklets, tmp_path):
    copies = tmp_path / "copies"
    copies.mkdir()
    own = []
    for tracklet in tracklets:
        frames = [replace(frame, path=str(copies / Path(frame.path).name)) for frame in tracklet.frames]
        for frame, copy in zip(tracklet.frames, frames, strict=True):
            shutil.copy(frame.path, copy.path)
        own.append(replace(tracklet, frames=tuple(frames)))
    clips = clips_of(own, tmp_path / "run")
    list(clips.epoch(SAMPLER, 1))
    later = clips.epoch(SAMPLER, 2)
    for path in copies.iterdir():
        path.unlink()
    for batch, (frames, _, _, _) in zip(later, as_named(tracklets, 2, RELEASE), strict=True):
        assert (batch.frames.numpy() == frames).all()
    clips.forget_frames()
    assert [*(tmp_path / "run").iterdir()] == []
