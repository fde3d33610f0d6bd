"""Dividing people into train and test so that others can repeat it, and seeing that nothing stands on both sides."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from skyreid.errors import DatasetError
from skyreid.files.atomic_file import write_atomically
from skyreid.tracklet import Tracklet

_FORMAT = "skyreid identity split"
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class IdentitySplit:
    """Which pids train and which test."""

    seed: int
    train: tuple[int, ...]
    """Sorted."""
    test: tuple[int, ...]
    """Sorted."""

    @property
    def sha256(self) -> str:
        """Hash of the content, to be quoted beside every score made with the split."""
        content = {"seed": self.seed, "train": self.train, "test": self.test}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def divide_identities(pids: Iterable[int], *, seed: int) -> IdentitySplit:
    """Divide people into train and test at 1 : 2, the third rounded up.

    A pure function of the set of pids and the seed on every machine and version: the pids with the smallest
    sha256 of "seed:pid" train. For 2,788 people that gives 930 and 1,858, the sizes of the paper's split.

    Source: paper section 5.1 (ratio); the choice of people is ours.
    """
    ranked = sorted(set(pids), key=lambda pid: hashlib.sha256(f"{seed}:{pid}".encode()).digest())
    num_train = -(-len(ranked) // 3)
    return IdentitySplit(seed=seed, train=tuple(sorted(ranked[:num_train])), test=tuple(sorted(ranked[num_train:])))


def write_identity_split(path: Path, split: IdentitySplit) -> str:
    """Write a split as JSON with its hash, atomically; returns the hash."""
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "sha256": split.sha256,
        "seed": split.seed,
        "train": split.train,
        "test": split.test,
    }
    write_atomically(path, [json.dumps(content, indent=1).encode() + b"\n"])
    return split.sha256


_Place: TypeAlias = tuple[str, int, tuple[float, float, float, float]]
"""Video, frame, box."""


def check_no_leak(
    train: Sequence[Tracklet], test: Sequence[Tracklet], *, video_of: Callable[[Tracklet], str]
) -> tuple[str, ...]:
    """See that no person and no segment of a video trains and is tested; returns the videos that both sides share.

    A segment is one person in one video over the frames of one tracklet: the same file, or the same box in the
    same frame of the same video, must not stand on both sides, under whatever pid. Other people in the same
    video may: who crosses a square trains, who crosses beside him is tested, as in G2A-VReID.

    Args:
        train: tracklets to train on.
        test: tracklets to test on.
        video_of: name of the video that a tracklet was cut from.

    Raises:
        DatasetError: naming the first people or crops.
    """
    pids = sorted({t.pid for t in train if t.pid > 0} & {t.pid for t in test})
    if pids:
        raise DatasetError(f"train and test must not share people; both have the pids {pids[:5]}")
    files = sorted(_files(train) & _files(test))
    if files:
        raise DatasetError(f"train and test must not share crops; both have {files[:5]}")
    trained = {place: t.tracklet_id for t in train for place in _places(t, video_of)}
    for tracklet in test:
        for place in _places(tracklet, video_of):
            if place in trained:
                video, index, box = place
                raise DatasetError(
                    f"train and test must not share what a video shows; {trained[place]!r} trains and "
                    f"{tracklet.tracklet_id!r} is tested, both with the box {box} in frame {index} of {video}"
                )
    return tuple(sorted({video_of(t) for t in train} & {video_of(t) for t in test}))


def _files(tracklets: Sequence[Tracklet]) -> set[str]:
    return {frame.path for tracklet in tracklets for frame in tracklet.frames}


def _places(tracklet: Tracklet, video_of: Callable[[Tracklet], str]) -> list[_Place]:
    video = video_of(tracklet)
    return [
        (video, frame.index, frame.box)
        for frame in tracklet.frames
        if frame.index is not None and frame.box is not None
    ]
