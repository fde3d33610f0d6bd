"""What is kept of a model between two processes, and which model may go on."""

import re

import pytest
import torch

from skyreid.errors import CheckpointError
from skyreid.processes.distributed import Processes
from skyreid.processes.progress import silent
from skyreid.training.epochs import Resumable
from skyreid.training.run_folder import open_run

WORKERS = Processes(device="cpu", precision="float32")


def make_model(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 1).requires_grad_(False))


def resumable(model, folder):
    run = open_run(folder, {"seed": 0}, data_sha256="d" * 64, resume=True)
    return Resumable(model, {"0.weight", "0.bias"}, run, WORKERS, silent)


def train(model, training, *, cut_in=None):
    """Three epochs of one step; an epoch that is cut ends after its step, and nothing of it is kept."""
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for epoch in training.epochs(1, 3, optimizer, steps_per_epoch=1):
        optimizer.zero_grad()
        model(torch.ones(1, 3)).square().sum().backward()
        optimizer.step()
        if epoch == cut_in:
            break


@pytest.mark.parametrize("cut_in", [1, 2, 3])
def test_a_run_that_was_cut_ends_in_the_same_bits(cut_in, tmp_path):
    whole = make_model()
    train(whole, resumable(whole, tmp_path / "whole"))
    cut = make_model()
    train(cut, resumable(cut, tmp_path / "cut"), cut_in=cut_in)
    again = make_model()
    training = resumable(again, tmp_path / "cut")
    assert training.is_begun == (cut_in > 1)
    train(again, training)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(again.parameters(), whole.parameters(), strict=True))


def test_only_what_training_changes_is_kept(tmp_path):
    model = make_model()
    train(model, resumable(model, tmp_path))
    assert torch.load(tmp_path / "state.pt")["weights"].keys() == {"0.weight", "0.bias"}


def test_a_stage_is_done_after_its_epochs_and_a_later_stage_means_that_it_was(tmp_path):
    model = make_model()
    train(model, resumable(model, tmp_path))
    training = resumable(make_model(), tmp_path)
    assert training.is_done(1, 3)
    assert not training.is_done(2, 1)
    assert not training.is_done(1, 4)


def test_a_run_that_began_with_other_weights_is_not_gone_on_with(tmp_path):
    model = make_model()
    train(model, resumable(model, tmp_path))
    rule = "put the pretrained weights of then back, or start a new run"
    with pytest.raises(CheckpointError, match=rf"the run started from other weights \(sha256 .*\); {re.escape(rule)}$"):
        resumable(make_model(seed=1), tmp_path)
