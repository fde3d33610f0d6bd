"""Training frames from JPEG crops to the floats that a model eats, beside what the authors' program does for them.

    OMP_NUM_THREADS=1 python benchmarks/frame_supply.py

The plain side decodes, resizes, converts and normalises every frame in every epoch and collates floats, in our own
words and without the processes that its batches travel between. Ours decodes a frame once, gathers bytes, and
normalises a batch at once. Both flip and erase. Crops are drawn here, in the proportions of G2A-VReID: two tracklets of
33 frames an identity, each drawn twice an epoch for a clip of 8. Times are CPU seconds of all threads, of the least
disturbed of several epochs, both sides in turn.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cpu_time import cpu_seconds
from skyreid.clips.augmentation import RELEASE
from skyreid.clips.frame_bank import FrameBank
from skyreid.clips.identity_sampler import IdentitySamplerConfig
from skyreid.datasets.data_hash import with_hashes
from skyreid.feeding import IMAGENET
from skyreid.processes.distributed import Processes
from skyreid.tracklet import PLATFORMS, Frame, Tracklet
from skyreid.training.training_clips import TrainingClips

IMAGE_SIZE = (256, 128)
CLIP_LENGTH, FRAMES, CLIPS_A_BATCH = 8, 33, 32
STORED = ((90, 40), (256, 128))
ROUNDS = 4
SAMPLER = IdentitySamplerConfig(identities=CLIPS_A_BATCH // 4, tracklets=4)
FRAME_BYTES = 3 * IMAGE_SIZE[0] * IMAGE_SIZE[1]
MOVED = FRAME_BYTES * (1 + 1 + 1 + 4)
"""Bytes of one frame that a later epoch reads and writes: bank to batch, batch to floats."""


def draw_crops(folder: Path, size: tuple[int, int], identities: int) -> tuple[Tracklet, ...]:
    """JPEG crops of coloured patches with noise, about as many bytes as crops of people of this size have."""
    rng = np.random.default_rng(0)
    tracklets = []
    for pid in range(identities):
        patches = rng.integers(0, 256, (size[0] // 6, size[1] // 6, 3), dtype=np.uint8)
        enlarged = Image.fromarray(patches).resize((size[1], size[0]), Image.Resampling.BICUBIC)
        picture = np.asarray(enlarged).astype(float)
        for platform in PLATFORMS:
            frames = []
            for number in range(FRAMES):
                path = folder / f"{size[0]}_{pid}_{platform}_{number}.jpg"
                pixels = np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(path, quality=90)
                frames.append(Frame(str(path)))
            tracklets.append(
                Tracklet(tracklet_id=f"{pid}_{platform}", frames=tuple(frames), pid=pid, camid=0, platform=platform)
            )
    return with_hashes(tracklets)


def plain_epoch(tracklets: tuple[Tracklet, ...]) -> Iterator[Tensor]:
    """Every frame from its file, as floats, one after the other."""
    clips = [tracklet for tracklet in tracklets for _ in range(2)]
    for start in range(0, len(clips), CLIPS_A_BATCH):
        yield torch.stack([plain_clip(tracklet) for tracklet in clips[start : start + CLIPS_A_BATCH]])


def plain_clip(tracklet: Tracklet) -> Tensor:
    begin = random.randrange(FRAMES // CLIP_LENGTH)
    paths = [tracklet.frames[begin + place * (FRAMES // CLIP_LENGTH)].path for place in range(CLIP_LENGTH)]
    pictures = []
    for path in paths:
        with Image.open(path) as picture:
            pictures.append(picture.convert("RGB").resize((IMAGE_SIZE[1], IMAGE_SIZE[0]), Image.Resampling.BICUBIC))
    if random.random() < 0.5:
        pictures = [picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for picture in pictures]
    frames = [as_floats(picture) for picture in pictures]
    if random.random() < 0.5:
        for frame in frames:
            frame[:, 60:140, 30:90] = torch.tensor(RELEASE.erase_fill).view(3, 1, 1)
    return torch.stack(frames).permute(1, 0, 2, 3)


def as_floats(picture: Image.Image) -> Tensor:
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous().float().div(255)
    for channel, mean, std in zip(pixels, IMAGENET.mean, IMAGENET.std, strict=True):
        channel.sub_(mean).div_(std)
    return pixels


def copied_bytes_per_s() -> float:
    """Bytes read and written a CPU second by a copy that no cache holds."""
    source = np.ones(2**28, dtype=np.uint8)
    target = np.empty_like(source)
    np.copyto(target, source)
    return 2 * len(source) / min(cpu_seconds(lambda: np.copyto(target, source)) for _ in range(5))


def measure(folder: Path, size: tuple[int, int], identities: int, bandwidth: float) -> None:
    tracklets = draw_crops(folder, size, identities)
    frames = [frame for tracklet in tracklets for frame in tracklet.frames]
    kilobytes = sum(Path(frame.path).stat().st_size for frame in frames) / len(frames) / 1000
    supplied = len(tracklets) * 2 * CLIP_LENGTH
    print(f"\n{size[0]}x{size[1]} crops of {kilobytes:.1f} kB; {len(frames)} frames, {supplied} supplied an epoch")

    def clips(name: str) -> TrainingClips:
        bank = FrameBank(folder / name, frames, IMAGE_SIZE, capacity_bytes=2**40)
        processes = Processes(device="cpu", precision="float32")
        return TrainingClips(
            tracklets,
            bank,
            processes,
            clip_length=CLIP_LENGTH,
            augmentation=RELEASE,
            seed=0,
            threads=2,
        )

    def ours(own: TrainingClips, epoch: int, *, as_bytes: bool = False) -> None:
        for batch in own.epoch(SAMPLER, epoch):
            if not as_bytes:
                batch.pixels(RELEASE.erase_fill)

    def plain() -> None:
        for _ in plain_epoch(tracklets):
            pass

    ours(clips("compiled"), 0)
    firsts, seconds, laters, as_bytes, plains = [], [], [], [], []
    for turn in range(ROUNDS):
        own = clips(f"turn {turn}")
        plains.append(cpu_seconds(plain))
        firsts.append(cpu_seconds(lambda own=own: ours(own, 0)))
        seconds.append(cpu_seconds(lambda own=own: ours(own, 1)))
        laters.append(cpu_seconds(lambda own=own: ours(own, 2)))
        as_bytes.append(cpu_seconds(lambda own=own: ours(own, 3, as_bytes=True)))
        own.forget_frames()
    theirs = min(plains) / supplied
    print(f"plain, every epoch             {theirs * 1e6:7.0f} us a frame, {1 / theirs:7.0f} frames/s")
    ours_of = {
        "first epoch": firsts,
        "second, decodes the rest": seconds,
        "later epochs": laters,
        "later, bytes for a GPU": as_bytes,
    }
    for name, times in ours_of.items():
        mine = min(times) / supplied
        print(f"ours, {name:24} {mine * 1e6:7.0f} us a frame, {1 / mine:7.0f} frames/s, ratio {theirs / mine:5.1f}")
    moved = MOVED / (min(laters) / supplied)
    print(f"later epochs move {moved / 1e9:.1f} GB a CPU second, {moved / bandwidth:.0%} of what a copy moves")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--identities", type=int, default=32, help="of the training set; eight or more")
    given = parser.parse_args()
    torch.set_num_threads(1)
    bandwidth = copied_bytes_per_s()
    print(f"a copy moves {bandwidth / 1e9:.1f} GB a CPU second; no GPU is measured here")
    with tempfile.TemporaryDirectory() as folder:
        for size in STORED:
            measure(Path(folder), size, given.identities, bandwidth)
    return 0


if __name__ == "__main__":
    sys.exit(main())
