"""Every method of the comparison against the stored outputs of its original."""

import pytest
import torch

from tests.reference.baselines import parity
from tests.reference.baselines.stored_outputs import MAPPED, find_stored
from tests.reference.comparison import assert_all_close

NUMBERS_OF_CLASSES = ("625", "842", "930")
MILLIONS_WITHOUT_HEADS = {"ap3d": 24.24, "ap3d_nl": 31.60, "bicnet_tks": 29.27, "sinet": 26.26, "stmn": 87.07}
"""BASELINES section 4."""


@pytest.fixture(params=MAPPED)
def stored(request):
    return find_stored(request.param)


def test_every_tensor_has_one_counterpart_of_its_size(stored):
    with torch.device("meta"):
        model = stored.build(stored.spec["num_classes"])
    ours = {name: tensor for name, tensor in model.state_dict().items() if stored.stored_name(name) is not None}
    counterparts = [stored.stored_name(name) for name in ours]
    assert sorted(counterparts) == sorted(stored.shapes)
    for name, tensor in ours.items():
        assert tensor.numel() == torch.Size(stored.shapes[stored.stored_name(name)]).numel(), name


@pytest.mark.parametrize("num_classes", NUMBERS_OF_CLASSES)
def test_the_parameters_are_as_many_as_the_original_has(stored, num_classes):
    with torch.device("meta"):
        model = stored.build(int(num_classes))
    counts = stored.spec["params"][num_classes]
    assert sum(parameter.numel() for parameter in model.parameters()) == counts["total"]
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == counts["requires_grad"]


def test_parameters_that_only_training_needs_are_told_apart(stored):
    with torch.device("meta"):
        models = [stored.build(num_classes) for num_classes in (625, 930)]
    few, many = (
        sum(p.numel() for name, p in model.named_parameters() if not name.startswith(model.training_only))
        for model in models
    )
    assert few == many
    if (expected := MILLIONS_WITHOUT_HEADS.get(stored.folder.name)) is not None:
        assert round(few / 1e6, 2) == expected


@pytest.mark.slow  # a float64 pass of a whole method takes 10 to 90 s on one core
def test_evaluation_matches_the_original(stored):
    assert_all_close(parity.evaluation(stored))


@pytest.mark.slow  # a float64 pass forth and back takes minutes on one core
def test_training_matches_the_original(stored):
    assert_all_close(parity.training(stored))


def test_a_name_that_only_one_side_has_is_never_close():
    found = list(parity.unmatched("train", ["logits", "guessed"], ["logits", "feat_bn"]))
    assert [comparison.name for comparison in found] == ["train/guessed: not stored", "train/feat_bn: stored, not ours"]
    assert not any(comparison.is_close for comparison in found)
