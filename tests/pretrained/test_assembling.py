import pytest
import torch
from torch import nn

from skyreid.errors import CheckpointError
from skyreid.models.cross_frame_adapter import CrossFrameAdapter
from skyreid.models.vsla_clip import IdentityHead
from skyreid.pretrained.assembling import assemble
from skyreid.pretrained.foreign_state import ForeignState

FILE = ForeignState(tensors={}, origin="some.pt")


def head_weights():
    return IdentityHead(4, num_identities=3).state_dict()


def build_head():
    return IdentityHead(4, num_identities=3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_model_holds_copies_of_its_own_dtypes(dtype):
    weights = {name: t.to(dtype).requires_grad_() if t.is_floating_point() else t for name, t in head_weights().items()}
    head = assemble(FILE, build_head, weights)
    assert head.classifier.weight.dtype == torch.float32
    assert head.norm.num_batches_tracked.dtype == torch.int64
    with torch.no_grad():
        head.classifier.weight.zero_()
    assert weights["classifier.weight"].any()


def test_sizes_that_a_file_claims_cost_nothing_before_they_are_compared():
    with pytest.raises(CheckpointError, match=r"weight has shape \[1\]; the other tensors want \[1000000, 1000000\]"):
        assemble(FILE, lambda: nn.Linear(10**6, 10**6), {"weight": torch.zeros(1), "bias": torch.zeros(1)})


def test_a_size_that_the_model_refuses_is_the_file_s():
    with pytest.raises(CheckpointError, match=r"some\.pt: cross-frame bottleneck must be a multiple of 64; got 65"):
        assemble(FILE, lambda: CrossFrameAdapter(64, bottleneck=65), {})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.zeros(3, 4, dtype=torch.int8), r"classifier\.weight must hold floating-point numbers; got torch\.int8"),
        (torch.full((3, 4), float("inf")), r"classifier\.weight holds numbers that are not finite"),
        (torch.zeros(4, 3), r"classifier\.weight has shape \[4, 3\]; the other tensors want \[3, 4\]"),
    ],
)
def test_weights_that_are_none_are_refused(value, message):
    with pytest.raises(CheckpointError, match=message):
        assemble(FILE, build_head, head_weights() | {"classifier.weight": value})
