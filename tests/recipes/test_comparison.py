"""Native settings of the compared methods: numbers of their papers' programs, as BASELINES section 3 lists them."""

from dataclasses import dataclass

import pytest
import torch

from skyreid.baselines import build_baseline
from skyreid.recipes.comparison import NATIVE, common, native

NATIVES = {method: recipe("g2a-vreid") for method, recipe in NATIVE.items()}

ADAM = {"algorithm": "adam", "weight_decay": 5e-4, "bias_rate_factor": 1.0, "faster": ()}
SGD = {"algorithm": "sgd", "momentum": 0.9}
NOTHING = {"frames_apart": False, "enlarge": 1.0, "pad": 0, "flip_probability": 0.0, "erase_probability": 0.0}
FLIP = NOTHING | {"flip_probability": 0.5}
ERASE = FLIP | {"erase_probability": 0.5, "erase_area": (0.02, 0.4), "erase_aspect": (0.3, 1 / 0.3)}
A_CLIP, A_FRAME = {"erase_every_frame_anew": False}, {"erase_every_frame_anew": True}
RELEASED_FILL, MEAN_FILL = {"erase_fill": (0.4914, 0.4822, 0.4465)}, {"erase_fill": (0.0, 0.0, 0.0)}


def steps(rate, *milestones, decay=0.1, warmup=0):
    start = {"warmup_epochs": warmup, "warmup_factor": 0.01} if warmup else {"warmup_epochs": 0}
    return {"peak": rate, "milestones": milestones, "decay": decay, **start}


@dataclass(frozen=True, kw_only=True)
class Published:
    """What section 3.N of the page says of a method; what it does not say is not in the mappings."""

    frames: int
    drawn: str
    batch: tuple[int, int]
    """Identities, clips of each."""
    epochs: int
    rates: dict
    optimizer: dict
    augmentation: dict
    at_test: str


PUBLISHED = {
    "ap3d": Published(
        frames=4,
        drawn="stride-8",
        batch=(8, 4),
        epochs=240,
        rates=steps(3e-4, 60, 120, 180),
        optimizer=ADAM,
        augmentation=FLIP,
        at_test="all-consecutive",
    ),
    "bicnet-tks": Published(
        frames=8,
        drawn="stride-4",
        batch=(16, 4),
        epochs=150,
        rates=steps(3.5e-4, 40, 80, 120),
        optimizer=ADAM,
        augmentation=ERASE | A_CLIP | RELEASED_FILL,
        at_test="all-consecutive",
    ),
    "sinet": Published(
        frames=4,
        drawn="restricted",
        batch=(8, 4),
        epochs=160,
        rates=steps(3e-4, 40, 80, 120),
        optimizer=ADAM,
        augmentation=ERASE | A_FRAME | RELEASED_FILL,
        at_test="all-frames",
    ),
    "pit": Published(
        frames=8,
        drawn="chunk",
        batch=(2, 4),
        epochs=121,
        rates={"peak": 0.01, "start": 1e-4, "end": 2e-5, "warmup_epochs": 5},
        optimizer=SGD | {"nesterov": False, "weight_decay": 1e-4, "bias_rate_factor": 2.0, "faster": ()},
        augmentation=ERASE | {"frames_apart": True, "pad": 10},
        at_test="begin-chunk",
    ),
    "mgh": Published(
        frames=8,
        drawn="consecutive",
        batch=(8, 4),
        epochs=800,
        rates=steps(3e-4, 200, 400, 600, warmup=20),
        optimizer=ADAM,
        augmentation=ERASE | {"frames_apart": True, "enlarge": 1.125} | MEAN_FILL,
        at_test="all-consecutive",
    ),
    "psta": Published(
        frames=8,
        drawn="window",
        batch=(8, 4),
        epochs=500,
        rates=steps(3.5e-4, 70, 140, 210, 310, 410, decay=0.3, warmup=10),
        optimizer=ADAM,
        augmentation=ERASE | A_CLIP,
        at_test="begin-stride",
    ),
    "stmn": Published(
        frames=6,
        drawn="chunk",
        batch=(8, 4),
        epochs=200,
        rates=steps(1e-4, 50, 100, 150),
        optimizer=ADAM | {"weight_decay": 1e-5},
        augmentation=ERASE | A_FRAME | MEAN_FILL,
        at_test="begin-chunk",
    ),
    "tclnet": Published(
        frames=4,
        drawn="stride-8",
        batch=(8, 4),
        epochs=150,
        rates=steps(3e-4, 40, 80, 120),
        optimizer=ADAM,
        augmentation=FLIP,
        at_test="all-consecutive",
    ),
    "grl": Published(
        frames=8,
        drawn="chunk",
        batch=(8, 2),
        epochs=60,
        rates=steps(1e-3, 15, 30, 45),
        optimizer=SGD | {"nesterov": True, "weight_decay": 5e-4, "faster": (("backbone.", 1.0), ("", 2.0))},
        augmentation={},
        at_test="begin-chunk",
    ),
    "tf-clip": Published(
        frames=8,
        drawn="chunk",
        batch=(4, 4),
        epochs=80,
        rates=steps(5e-6, 30, 50, 70),
        optimizer={"algorithm": "adam", "bias_rate_factor": 2.0, "faster": (("classifiers.temporal.", 10.0),)},
        augmentation={},
        at_test="all-frames",
    ),
}
PUBLISHED["ap3d-nl"] = PUBLISHED["ap3d"]


def stated(config, fields):
    """What the page says of a part of the settings, as the settings have it."""
    return {name: getattr(config, name) for name in fields}


@pytest.mark.parametrize("method", NATIVE)
def test_native_settings_are_the_published_ones_field_by_field(method):
    config, published = NATIVES[method], PUBLISHED[method]
    assert (config.method, config.preset, config.image_size) == (method, "release", (256, 128))
    assert (config.clip_length, config.choice) == (published.frames, published.drawn)
    assert (config.sampler.identities, config.sampler.tracklets) == published.batch
    assert config.epochs == published.epochs
    assert stated(config.schedule, published.rates) == published.rates
    assert stated(config.optimizer, published.optimizer) == published.optimizer
    assert stated(config.augmentation, published.augmentation) == published.augmentation
    assert (config.extraction.clip_length, config.extraction.sampling) == (published.frames, published.at_test)


@pytest.mark.parametrize(
    ("method", "rates"),
    [
        ("ap3d", {1: 3e-4, 59: 3e-4, 60: 3e-5, 120: 3e-6, 180: 3e-7}),
        ("pit", {0: 1e-4, 121: 2e-5}),
        ("mgh", {0: 3e-6, 10: 1.515e-4, 20: 3e-4, 200: 3e-5}),
        ("psta", {0: 3.5e-6, 10: 3.5e-4, 70: 1.05e-4, 410: 3.5e-4 * 0.3**5}),
    ],
)
def test_a_rate_falls_at_its_milestones_and_warms_up_from_a_hundredth(method, rates):
    assert {epoch: NATIVES[method].learning_rate(epoch) for epoch in rates} == pytest.approx(rates)


@pytest.mark.parametrize("method", NATIVE)
def test_the_parts_that_learn_faster_are_parts_of_the_method(method):
    config = NATIVES[method]
    with torch.device("meta"):
        names = [name for name, _ in build_baseline(config.model_of(3)).named_parameters()]
    for start, _ in config.optimizer.faster:
        assert any(name.startswith(start) for name in names), start


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


def test_common_settings_are_the_paper_s():
    """Paper section 5.2: 8 frames of equal blocks, 8 x 4 clips, pad, crop, flip, erase, 120 epochs, 60 and 90."""
    config = common("ap3d", "mars")
    assert (config.clip_length, config.choice, config.epochs) == (8, "restricted", 120)
    assert (config.sampler.identities, config.sampler.tracklets) == (8, 4)
    assert stated(config.schedule, ("milestones", "decay")) == {"milestones": (60, 90), "decay": 0.1}
    crop = ERASE | A_CLIP | MEAN_FILL | {"pad": 10}
    assert stated(config.augmentation, crop) == crop
    assert (config.extraction.clip_length, config.extraction.sampling) == (8, "one-clip")
