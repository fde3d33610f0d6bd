"""Native settings of the compared methods: numbers of their papers' programs, as BASELINES section 3 lists them."""

import pytest
import torch

from skyreid.baselines.building import build_baseline
from skyreid.recipes.comparison import NATIVE, common, native

NATIVES = {method: recipe("g2a-vreid") for method, recipe in NATIVE.items()}

PUBLISHED = {
    # frames, clips a batch, epochs, and the rate at some epochs
    "ap3d": (4, 32, 240, {1: 3e-4, 60: 3e-5, 120: 3e-6, 180: 3e-7}),
    "ap3d-nl": (4, 32, 240, {1: 3e-4, 60: 3e-5, 120: 3e-6, 180: 3e-7}),
    "bicnet-tks": (8, 64, 150, {1: 3.5e-4, 40: 3.5e-5, 80: 3.5e-6, 120: 3.5e-7}),
    "sinet": (4, 32, 160, {1: 3e-4, 40: 3e-5, 80: 3e-6, 120: 3e-7}),
    "pit": (8, 8, 121, {0: 1e-4, 121: 2e-5}),
    "mgh": (8, 32, 800, {0: 3e-6, 20: 3e-4, 200: 3e-5, 400: 3e-6, 600: 3e-7}),
    "psta": (8, 32, 500, {0: 3.5e-6, 10: 3.5e-4, 70: 1.05e-4, 410: 3.5e-4 * 0.3**5}),
    "stmn": (6, 32, 200, {1: 1e-4, 50: 1e-5, 100: 1e-6, 150: 1e-7}),
    "tclnet": (4, 32, 150, {1: 3e-4, 40: 3e-5, 80: 3e-6, 120: 3e-7}),
    "grl": (8, 16, 60, {1: 1e-3, 15: 1e-4, 30: 1e-5, 45: 1e-6}),
    "tf-clip": (8, 16, 80, {1: 5e-6, 30: 5e-7, 50: 5e-8, 70: 5e-9}),
}


@pytest.mark.parametrize("method", NATIVE)
def test_native_settings_are_the_published_ones(method):
    config = NATIVES[method]
    frames, clips, epochs, rates = PUBLISHED[method]
    assert (config.method, config.clip_length, config.sampler.batch_size, config.epochs) == (
        method,
        frames,
        clips,
        epochs,
    )
    assert {epoch: config.learning_rate(epoch) for epoch in rates} == pytest.approx(rates)


@pytest.mark.parametrize("method", NATIVE)
def test_the_parts_that_learn_faster_are_parts_of_the_method(method):
    config = NATIVES[method]
    with torch.device("meta"):
        names = [name for name, _ in build_baseline(config.model_of(3)).named_parameters()]
    for start, _ in config.optimizer.faster:
        assert any(name.startswith(start) for name in names), start


def test_biases_and_new_parts_learn_as_much_faster_as_published():
    assert NATIVES["pit"].optimizer.bias_rate_factor == NATIVES["tf-clip"].optimizer.bias_rate_factor == 2.0
    assert NATIVES["grl"].optimizer.faster == (("backbone.", 1.0), ("", 2.0))
    assert NATIVES["tf-clip"].optimizer.faster == (("classifiers.temporal.", 10.0),)
    assert {method for method, config in NATIVES.items() if config.optimizer.algorithm == "sgd"} == {"pit", "grl"}


def test_a_method_that_published_no_settings_is_trained_like_most_others():
    config = native("frame-mean", "mars")
    assert (config.method, config.benchmark) == ("frame-mean", "mars")
    assert (config.clip_length, config.sampler.batch_size) == (8, 32)
    assert [config.learning_rate(epoch) for epoch in (1, 60, 90)] == pytest.approx([3e-4, 3e-5, 3e-6])


@pytest.mark.parametrize("method", NATIVE)
def test_common_settings_keep_the_peak_rate_and_the_optimizer(method):
    config = common(method, "mars")
    assert config.learning_rate(10) == pytest.approx(NATIVES[method].schedule.peak)
    assert config.optimizer == NATIVES[method].optimizer
    assert (config.benchmark, config.data_root.name) == ("mars", "mars")
