"""One method's stored outputs, and our model with the same weights under our names."""

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from skyreid.baselines import BASELINES
from skyreid.baselines.baseline import Baseline
from tests.reference.baselines.recipe import drawn_clips, drawn_weights

IN_REPOSITORY = Path(__file__).parent
NAMES_FILE = "names.json"
SPEC_FILE = "spec.json"
OUTPUTS_FILE = "expected_f64.npz"
MAPPED = sorted(path.parent.name for path in IN_REPOSITORY.glob(f"*/{NAMES_FILE}"))
"""Methods, by the name of their stored folder, that we have a map for."""


@dataclass(frozen=True)
class StoredOutputs:
    """What a method's original computed; `names` is the map from ours to theirs (see README.md)."""

    folder: Path
    names: dict
    spec: dict

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        with np.load(self.folder / OUTPUTS_FILE) as stored:
            return dict(stored)

    def of_kind(self, kind: str) -> dict[str, np.ndarray]:
        """The arrays of a kind ("eval", "train", "tap") by their names."""
        return {
            name.removeprefix(f"{kind}/"): array for name, array in self.arrays.items() if name.startswith(f"{kind}/")
        }

    def largest_training_values(self) -> dict[str, float]:
        """The largest absolute value of each training output, where the float32 error was measured; else nothing."""
        measured = self.spec["f32_vs_f64_maxabs_and_scale"]
        return {
            name.removeprefix("train/"): largest for name, (_, largest) in measured.items() if name.startswith("train/")
        }

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of every tensor of the original."""
        return {name: tuple(shape) for name, shape in self.spec["keys"]}

    def build(self, num_classes: int) -> Baseline:
        build = BASELINES[self.names["baseline"]]
        return build(num_classes=num_classes, frames=self.names["frames"], image_size=tuple(self.clip_shape[-2:]))

    @property
    def clip_shape(self) -> tuple[int, ...]:
        """[clip, frame, channel, height, width], whichever way they are stored."""
        axes = self.spec["layout"].split(",")
        return tuple(self.spec["input_shape"][axes.index(axis)] for axis in "BTCHW")

    def model(self) -> Baseline:
        """Ours in float64, with the weights of the recipe."""
        model = self.build(self.spec["num_classes"]).double()
        with torch.no_grad():
            for name, tensor in model.state_dict().items():
                stored = self.stored_name(name)
                if stored is not None:
                    weights = torch.from_numpy(drawn_weights(stored, self.shapes[stored]))
                    tensor.copy_(weights.reshape(tensor.shape))
        return model

    def stored_name(self, ours: str) -> str | None:
        """The original's name for a parameter or buffer of ours; None = the original has none."""
        if any(re.fullmatch(pattern, ours) for pattern in self.names.get("only_ours", {})):
            return None
        for pattern, replacement in self.names["parameters"]:
            ours = re.sub(pattern, replacement, ours)
        return ours

    def clips(self) -> Tensor:
        shape = tuple(self.spec["input_shape"])
        clips = drawn_clips(self.spec["input_seed"], shape)
        assert zlib.crc32(clips.tobytes()) == self.spec["input_crc32"]
        axes = " ".join(self.spec["layout"].split(","))
        return rearrange(torch.from_numpy(clips).double(), f"{axes} -> B T C H W")

    def platforms(self) -> Tensor | None:
        platforms = self.names.get("platforms")
        return None if platforms is None else torch.tensor(platforms)

    def labels(self) -> Tensor:
        """Training labels of the clips, for losses that are stored; one person where none are named."""
        return torch.tensor(self.names.get("labels", [0] * self.clip_shape[0]))

    def run(self, model: Baseline) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Run a model on the stored clips: its outputs by their stored names, and the taps.

        A tap is one of the tensors that a module gives, counted over all its calls.
        """
        kept: dict[str, list[Tensor]] = {place[0]: [] for place in self.names["taps"].values()}

        def keep(tensors: list[Tensor]):
            return lambda module, inputs, outputs: tensors.extend(_tensors(outputs))

        hooks = [model.get_submodule(name).register_forward_hook(keep(tensors)) for name, tensors in kept.items()]
        outputs = model(self.clips(), self.platforms())
        for hook in hooks:
            hook.remove()
        places = self.names["train" if model.training else "eval"]
        if any(_key(place) not in outputs for place in places.values()):
            assert model.training, (places, outputs.keys())
            outputs = {**model.losses(outputs, self.labels()), **outputs}
        named = {stored: self.arranged(outputs, place) for stored, place in places.items()}
        taps = {
            stored: self.arranged(kept[module], [number, *pattern])
            for stored, (module, number, *pattern) in self.names["taps"].items()
        }
        return named, taps

    def arranged(self, tensors: Mapping[str, Tensor] | Sequence[Tensor], place: str | list) -> Tensor:
        """Look up a tensor by name or number, with its axes as the original has them."""
        key, *pattern = [place] if isinstance(place, str) else place
        if not pattern:
            return tensors[key]
        lengths = {"clip": self.clip_shape[0], "two": 2}
        named = set(re.findall(r"\w+", pattern[0]))
        return rearrange(tensors[key], pattern[0], **{axis: lengths[axis] for axis in lengths.keys() & named})


def find_stored(name: str, folder: Path | None = None) -> StoredOutputs:
    """Stored outputs of a mapped method, from the repository or from a folder that has them by the same name.

    A folder that has no map or no description of its own is read with the repository's.
    """
    own, ours = (folder or IN_REPOSITORY) / name, IN_REPOSITORY / name
    names, spec = (
        json.loads((own / file if (own / file).is_file() else ours / file).read_text(encoding="utf-8"))
        for file in (NAMES_FILE, SPEC_FILE)
    )
    return StoredOutputs(own, names, spec)


def _key(place: str | list) -> str:
    return place if isinstance(place, str) else place[0]


def _tensors(outputs: Tensor | Sequence[Tensor]) -> Sequence[Tensor]:
    return (outputs,) if isinstance(outputs, Tensor) else outputs
