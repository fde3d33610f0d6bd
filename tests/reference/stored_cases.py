"""The stored model cases: inputs, weights and outputs of the released program (see README.md here)."""

import json
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

IN_REPOSITORY = Path(__file__).parent
CASES = ("micro", "pbp_3x16", "no_pbp", "ft_clip")


@dataclass(frozen=True)
class StoredCase:
    """One folder of stored outputs."""

    folder: Path

    @cached_property
    def config(self) -> dict:
        return json.loads((self.folder / "config.json").read_text())

    def arrays(self, name: str) -> dict[str, Tensor]:
        with np.load(self.folder / f"{name}.npz") as stored:
            return {key: torch.from_numpy(stored[key]) for key in stored if stored[key].dtype.kind in "fiub"}

    def names(self, name: str, key: str) -> list[str]:
        with np.load(self.folder / f"{name}.npz") as stored:
            return stored[key].tolist()

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """State dict under the release's names."""
        stored = self.folder / "weights.safetensors"
        return load_file(stored) if stored.exists() else _weights_from_recipe(self.folder / "recipe.json")

    @property
    def adapters(self) -> str:
        return "used" if self.config["adapter"] else "unused"


def find_case(name: str, large_cases: Path | None) -> StoredCase:
    """The case in the repository, or in the folder of the large ones."""
    folder = IN_REPOSITORY / name if (IN_REPOSITORY / name).is_dir() else None
    if folder is None and large_cases is not None:
        folder = large_cases / name
    if folder is None:
        raise FileNotFoundError(name)
    return StoredCase(folder)


def _weights_from_recipe(path: Path) -> dict[str, Tensor]:
    """Make the weights of a case that stores only how they were drawn."""
    recipe = json.loads(path.read_text())
    return {key: _draw(key, *row, seed=recipe["seed"]) for key, row in recipe["table"].items()}


def _draw(key: str, shape: list[int], mean: float, std: float, *, seed: int) -> Tensor:
    rng = np.random.RandomState((zlib.crc32(key.encode()) + seed) % 2**32)
    return torch.from_numpy(np.asarray(mean + std * rng.standard_normal(tuple(shape)), dtype=np.float32))
