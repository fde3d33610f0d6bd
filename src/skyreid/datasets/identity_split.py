"""Dividing identities into train and test where nobody has published how, so that others can repeat it."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from skyreid.atomic_file import write_atomically
from skyreid.errors import DatasetError
from skyreid.strict_json import read_json

_FORMAT = "skyreid identity split"
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class IdentitySplit:
    """Which pids train and which test.

    Raises:
        DatasetError: a pid stands on both sides or twice on one.
    """

    seed: int
    train: tuple[int, ...]
    """Sorted."""
    test: tuple[int, ...]
    """Sorted."""

    def __post_init__(self) -> None:
        for side, pids in (("train", self.train), ("test", self.test)):
            if list(pids) != sorted(set(pids)):
                raise DatasetError(f"identity split: the {side} pids must be sorted and distinct")
        shared = sorted(set(self.train) & set(self.test))
        if shared:
            raise DatasetError(f"identity split: train and test must be disjoint; both have {shared[:5]}")

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


def read_identity_split(path: Path) -> IdentitySplit:
    """Read a split that `write_identity_split` wrote.

    Raises:
        DatasetError: not such a file, or its pids do not have the hash that it names.
    """
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} must be a split file; it cannot be read: {error}") from error
    if not isinstance(content, dict) or (content.get("format"), content.get("version")) != (_FORMAT, _VERSION):
        raise DatasetError(f"{path} must be a split file of format {_FORMAT!r}, version {_VERSION}")
    seed, train, test = content.get("seed"), content.get("train"), content.get("test")
    if not (isinstance(seed, int) and _is_pids(train) and _is_pids(test)):
        raise DatasetError(f"{path}: a split has an integer seed and two lists of pids, train and test")
    split = IdentitySplit(seed=seed, train=tuple(train), test=tuple(test))
    if split.sha256 != content.get("sha256"):
        raise DatasetError(f"{path} was edited: its pids have the hash {split.sha256}, it names another")
    return split


def _is_pids(value: object) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(pid) is int for pid in value)
