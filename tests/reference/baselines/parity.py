"""A method of ours beside its stored outputs, quantity by quantity, in float64.

Used by test_baselines.py, which asserts, and by benchmarks/baseline_parity.py, which prints.
Deviation of an output, a digest or a largest value: difference over the largest stored value, or over 1 where
that is smaller. Of a gradient and a buffer: difference of its numbers over its norm. Infinite where one side
has a name that the other has not, or another size: what was guessed wrong must be seen.
"""

import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from tests.reference.baselines.recipe import direction
from tests.reference.baselines.stored_outputs import StoredOutputs
from tests.reference.comparison import EXACT, Comparison

OUTPUT = 1e-7
GRADIENT = 1e-5
SMALLEST_NORM = 1e-4
"""Smaller gradients are compared as if they had this norm (the others have norms around 1): one that is zero by
construction, as of a bias before a normalisation, is rounding and nothing else."""
LOSS = "loss"
"""Among the stored training outputs, the probed sum of the others."""
COUNTER = "num_batches_tracked"
"""The one buffer of a normalisation that is not stored."""


def evaluation(stored: StoredOutputs) -> Iterator[Comparison]:
    """The evaluation outputs and the digests of stages, whichever are stored."""
    model = stored.model().eval()
    with torch.no_grad():
        outputs, taps = stored.run(model)
    if expected := stored.of_kind("eval"):
        yield from _outputs("eval", outputs, expected)
    if digests := stored.of_kind("tap"):
        yield from _digests(taps, digests)


def training(stored: StoredOutputs) -> Iterator[Comparison]:
    """What is stored of a pass in training mode, forth and back.

    Of every method, which parameters get a gradient; of some, the largest values of the outputs; of some, the
    outputs, the gradients and the statistics of normalisations after the pass.
    """
    model = stored.model().train()
    for module in stored.names.get("in_evaluation_mode", ()):
        model.get_submodule(module).eval()
    outputs, _ = stored.run(model)
    expected = stored.of_kind("train")
    # A name that is only ours does not spoil the gradients too.
    probed = _probed({name: tensor for name, tensor in outputs.items() if not expected or name in expected})
    probed.backward()
    if expected:
        yield from _outputs("train", outputs | {LOSS: probed}, expected)
    if largest := stored.largest_training_values():
        yield from _largest(outputs, largest)
    parameters = _by_stored_name(stored, model.named_parameters())
    gradients = {name: parameter.grad for name, parameter in parameters.items() if parameter.grad is not None}
    without, zero = parameters.keys() - gradients.keys(), {name for name, grad in gradients.items() if not grad.any()}
    differing = (without ^ set(stored.spec["no_grad_params"])) | (zero ^ set(stored.spec["zero_grad_params"]))
    suffix = f", differing in {', '.join(sorted(differing))}" if differing else ""
    yield Comparison(f"which parameters learn{suffix}", float(len(differing)), EXACT)
    if expected:
        yield from _gradients(stored, gradients)
        statistics = ((name, buffer) for name, buffer in model.named_buffers() if not name.endswith(COUNTER))
        yield from _buffers(stored, _by_stored_name(stored, statistics))


def unmatched(kind: str, ours: Iterable[str], stored: Iterable[str]) -> Iterator[Comparison]:
    """The names that only one side has."""
    for name in sorted(set(ours) - set(stored)):
        yield Comparison(f"{kind}/{name}: not stored", math.inf, OUTPUT)
    for name in sorted(set(stored) - set(ours)):
        yield Comparison(f"{kind}/{name}: stored, not ours", math.inf, OUTPUT)


def _outputs(kind: str, ours: dict[str, Tensor], stored: dict[str, np.ndarray]) -> Iterator[Comparison]:
    yield from unmatched(kind, ours, stored)
    for name, expected in stored.items():
        if name not in ours:
            continue
        values = ours[name].detach().numpy()
        if values.size != expected.size:
            yield Comparison(f"{kind}/{name}: ours {values.shape}, stored {expected.shape}", math.inf, OUTPUT)
        else:
            difference = np.abs(values.reshape(expected.shape) - expected).max()
            yield Comparison(f"{kind}/{name}", _relative(difference, expected), OUTPUT)


def _digests(ours: dict[str, Tensor], stored: dict[str, np.ndarray]) -> Iterator[Comparison]:
    """Mean, standard deviation (of a sample) and projection of each."""
    yield from unmatched("tap", ours, stored)
    for name, expected in stored.items():
        if name in ours:
            values = ours[name].numpy()
            projection = float((values * direction(name, values.shape)).sum()) / values.size**0.5
            digest = np.array([values.mean(), values.std(ddof=1), projection])
            yield Comparison(f"tap/{name}", _relative(np.abs(digest - expected).max(), expected), OUTPUT)


def _largest(ours: dict[str, Tensor], stored: dict[str, float]) -> Iterator[Comparison]:
    yield from unmatched("largest of train", ours, stored)
    for name, expected in stored.items():
        if name in ours:
            difference = abs(float(ours[name].detach().abs().max()) - expected)
            yield Comparison(f"largest of train/{name}", _relative(difference, np.array(expected)), OUTPUT)


def _relative(difference: float, expected: np.ndarray) -> float:
    return float(difference) / max(1.0, float(np.abs(expected).max()))


def _probed(outputs: dict[str, Tensor]) -> Tensor:
    """The sum whose gradients are stored: every output along a direction of its own."""
    terms = [
        (tensor * torch.from_numpy(direction(f"loss:{name}", tuple(tensor.shape)))).sum() / tensor.numel() ** 0.5
        for name, tensor in outputs.items()
    ]
    return torch.stack(terms).sum()


def _by_stored_name(stored: StoredOutputs, tensors: Iterable[tuple[str, Tensor]]) -> dict[str, Tensor]:
    """Parameters or buffers that the original has too."""
    named = ((stored.stored_name(name), tensor) for name, tensor in tensors)
    return {name: tensor for name, tensor in named if name is not None}


def _gradients(stored: StoredOutputs, ours: dict[str, Tensor]) -> Iterator[Comparison]:
    names, norms, projections = (stored.arrays[f"grad/{part}"] for part in ("names", "norm", "dot"))
    yield from unmatched("grad", ours, names.tolist())
    for name, norm, projection in zip(names.tolist(), norms, projections, strict=True):
        if name in ours:
            gradient = ours[name].numpy().reshape(stored.shapes[name])
            our_projection = (gradient * direction(f"grad:{name}", gradient.shape)).sum() / gradient.size**0.5
            difference = max(abs(np.linalg.norm(gradient) - norm), abs(our_projection - projection))
            yield Comparison(f"grad/{name}", float(difference / max(norm, SMALLEST_NORM)), GRADIENT)


def _buffers(stored: StoredOutputs, ours: dict[str, Tensor]) -> Iterator[Comparison]:
    names, norms = stored.arrays["buf/names"].tolist(), stored.arrays["buf/norm_after_one_train_forward"]
    yield from unmatched("buf", ours, names)
    for name, norm in zip(names, norms, strict=True):
        if name in ours:
            difference = abs(float(ours[name].norm()) - norm) / max(norm, SMALLEST_NORM)
            yield Comparison(f"buf/{name}", difference, OUTPUT)
