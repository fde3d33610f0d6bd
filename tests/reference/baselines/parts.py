"""Losses and samplers of the compared methods beside the stored values of their originals.

Used by test_parts.py, which asserts, and by benchmarks/baseline_parity.py, which prints.
"""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

from skyreid.baselines.bicnet_tks import mask_divergence
from skyreid.baselines.grl import instance_matching, pair_verification, update_table
from skyreid.baselines.sinet import frame_contrast
from skyreid.baselines.stmn import memory_spread
from skyreid.clips.frame_sampling import (
    begin_chunk,
    begin_stride,
    random_chunk,
    random_stride,
    restricted_begin,
    restricted_random,
)
from skyreid.losses import TripletConfig, batch_hard_triplet
from tests.reference.comparison import EXACT, Comparison, compare

FOLDER = Path(__file__).parent
LOSS = 1e-12
MOST_DRAWS = 50_000
"""Of training clips, of which some frames are drawn once in thousands."""


def losses() -> Iterator[Comparison]:
    """Every loss on one batch of 16 clips."""
    given = _loss_inputs()
    features, labels, logits = given["feat"], given["labels"], given["logits"]
    normed = given["featn"]

    def triplet(features: Tensor, **settings: object) -> Tensor:
        return batch_hard_triplet(features, labels, TripletConfig(**settings))

    probability, pairs = given["pair_score"], torch.arange(8)
    halves = rearrange(given["proj8"], "clip dim (half frame) -> (clip half) frame dim", half=2)
    first, *others = (given[f"m{number}"] for number in (1, 2, 3))
    ours = {
        "ap3d_triplet_cosine_m0.3": triplet(features, margin=0.3),
        "bicnet_triplet_cosine_m0.5": triplet(features, margin=0.5),
        "bicnet_divreg": mask_divergence([first, *others]),
        "sinet_triplet_cosine_m0.3": triplet(features, margin=0.3),
        "sinet_infonce_T4": frame_contrast(given["proj"].mT, clips_per_identity=4),
        "sinet_infonce_T8": frame_contrast(halves, clips_per_identity=4),
        "labelsmooth_ce_eps0.1": functional.cross_entropy(logits, labels, label_smoothing=0.1),
        "softmargin_triplet_euclid (PiT TripletLoss())": triplet(features, form="soft", distance="euclidean"),
        "margin0.3_triplet_euclid": triplet(features, margin=0.3, distance="euclidean"),
        "stmn_batchhard_soft_euclid": triplet(features, form="soft", distance="euclidean"),
        "stmn_memory_spread_m0.3 (per-slot min-max+m, relu, mean)": memory_spread(given["r_att"]),
        "ce": functional.cross_entropy(logits, labels),
        "grl_oim_scalar30": instance_matching(normed, labels, given["oim_lut"]),
        "grl_pairloss_bce": pair_verification(probability.logit(), pairs, pairs),
        "grl_triplet_soft_batchhard (mean)": triplet(normed, form="soft", distance="euclidean"),
    }
    stored = json.loads((FOLDER / "losses" / "expected.json").read_text(encoding="utf-8"))
    assert ours.keys() == stored.keys()
    for name, value in ours.items():
        yield compare(name, value, stored[name], LOSS)


def instance_table() -> Iterator[Comparison]:
    """Gradient of the online instance matching, and its table after one step."""
    given = _loss_inputs()
    features, table = given["featn"].requires_grad_(), given["oim_lut"]
    loss = instance_matching(features, given["labels"], table)
    update_table(table, features, given["labels"])
    loss.backward()
    yield compare("gradient", features.grad, given["oim_grad"], LOSS)
    yield compare("table", table, given["oim_lut_after"], LOSS)


def evaluation_clips() -> Iterator[Comparison]:
    """The test clip of every stored length."""
    samplers: dict[str, Callable[[int], list[int]]] = {
        "ap3d_begin4": lambda length: begin_stride(length, 4),
        "tclnet_begin4": lambda length: begin_stride(length, 4),
        "bicnet_begin8": lambda length: begin_stride(length, 8),
        "sinet_restricted_begin4": lambda length: restricted_begin(length, 4),
        "sinet_restricted_begin8": lambda length: restricted_begin(length, 8),
        "pit_chunk8_first": lambda length: begin_chunk(length, 8),
    }
    stored = {name: clips for name, clips in _stored_clips().items() if not name.startswith("support/")}
    assert samplers.keys() == stored.keys()
    for name, sampler in samplers.items():
        yield compare(name, [sampler(int(length)) for length in stored[name]], [*stored[name].values()], EXACT)


def training_clips() -> Iterator[Comparison]:
    """Every frame that a slot of a training clip was seen to take is drawn for it by us too."""
    samplers: dict[str, Callable[[int, random.Random], list[int]]] = {
        "support/sinet_restricted_train4": lambda length, rng: restricted_random(length, 4, rng),
        "support/pit_random_chunk8": lambda length, rng: random_chunk(length, 8, rng),
        "support/ap3d_random4_stride8": lambda length, rng: random_stride(length, 4, rng, stride=8),
        "support/bicnet_random8_stride4": lambda length, rng: random_stride(length, 8, rng, stride=4),
    }
    stored = {name: slots for name, slots in _stored_clips().items() if name.startswith("support/")}
    assert samplers.keys() == stored.keys()
    for name, sampler in samplers.items():
        for length, slots in stored[name].items():
            rng = random.Random(length)
            unseen = {(slot, frame) for slot, frames in enumerate(slots) for frame in frames}
            for _ in range(MOST_DRAWS):
                unseen -= set(enumerate(sampler(int(length), rng)))
                if not unseen:
                    break
            yield Comparison(f"{name} of {length}", len(unseen), EXACT)


def _loss_inputs() -> dict[str, Tensor]:
    with np.load(FOLDER / "losses" / "inputs.npz") as stored:
        return {name: torch.from_numpy(stored[name]) for name in stored}


def _stored_clips() -> dict[str, dict]:
    return json.loads((FOLDER / "samplers" / "expected.json").read_text(encoding="utf-8"))


PARTS: dict[str, Callable[[], Iterator[Comparison]]] = {
    part.__name__: part for part in (losses, instance_table, evaluation_clips, training_clips)
}
