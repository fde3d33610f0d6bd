"""Costs against a network whose every operation can be counted by hand."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from skyreid.baselines.baseline import Baseline
from skyreid.experiments.cost import measure_cost
from skyreid.processes.distributed import Processes

FRAMES, HEIGHT, WIDTH, CHANNELS, DIM = 4, 6, 8, 5, 16


class Countable(Baseline):
    """A convolution, attention over frames, an LSTM: what a processor's own kernels would hide from a counter."""

    training_only = ("classifier.",)

    def __init__(self):
        super().__init__()
        self.embed_dim, self.image_size = DIM, (HEIGHT, WIDTH)
        self.convolution = nn.Conv2d(3, CHANNELS, 3, padding=1, bias=False)
        self.project = nn.Linear(CHANNELS, DIM)
        self.lstm = nn.LSTM(DIM, DIM)
        self.classifier = nn.Linear(DIM, 7).requires_grad_(False)

    def forward(self, frames, platforms=None):
        maps = self.convolution(frames.flatten(0, 1)).mean(dim=(2, 3))
        tokens = self.project(maps).unflatten(0, (-1, frames.shape[1]))
        attended = functional.scaled_dot_product_attention(*[tokens[:, None]] * 3)[:, 0]
        states, _ = self.lstm(attended.transpose(0, 1))
        return {"embedding": states[-1]}

    def losses(self, outputs, labels):
        raise NotImplementedError

    def published_names(self):
        raise NotImplementedError


@pytest.fixture(scope="module")
def cost():
    model = Countable()
    return measure_cost(
        model, model, Processes(device="cpu", precision="float32"), frames=FRAMES, training_only=model.training_only
    )


def test_parameters_are_counted_with_and_without_heads_and_as_far_as_they_learn(cost):
    convolution, project, lstm = 27 * CHANNELS, CHANNELS * DIM + DIM, 4 * (2 * DIM * DIM + 2 * DIM)
    head = 7 * DIM + 7
    assert cost.parameters.all == convolution + project + lstm + head
    assert cost.parameters.without_heads == cost.parameters.trained == convolution + project + lstm


def test_every_product_is_counted_as_two_operations_for_one_clip(cost):
    convolution = FRAMES * HEIGHT * WIDTH * 27 * CHANNELS
    project = FRAMES * CHANNELS * DIM
    attention = 2 * FRAMES * FRAMES * DIM
    lstm = FRAMES * 4 * 2 * DIM * DIM
    assert cost.gflops_per_clip == pytest.approx(2 * (convolution + project + attention + lstm) / 1e9, rel=1e-12)


def test_the_speed_is_one_of_this_machine(cost):
    assert 0 < cost.clips_per_s < math.inf


def test_measuring_leaves_the_model_where_and_as_it_was_but_in_evaluation_mode():
    model = Countable().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    measure_cost(model, model, Processes(device="cpu", precision="float32"), frames=2, training_only=())
    assert not model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
