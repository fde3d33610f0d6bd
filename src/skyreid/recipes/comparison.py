"""The settings of the methods that VSLA-CLIP is compared with, each its own ("native") or all alike ("common").

    skyreid train ap3d-common --data-root DATA --run-dir RUN --pretrained resnet50-19c8e357.pth
    skyreid reproduce table2 --data g2a-vreid --root DATA --out OUT

Expect    paper, Table 2, column G2A-VReID, in `skyreid.experiments.paper_tables`. Not run by us: the data cannot be
          shipped. The paper does not say whether its figures come from native or common settings.
Source    native: BASELINES section 3, from each method's release. common: paper section 5.2.
Differs   native: frames are resized before they are augmented; the last clip of a tracklet is filled up, not short
          (AP3D); what STMN erases keeps its place in a clip; PiT's first epochs train with DropPath too, and in
          float32; GRL's pairs are two tracklets of a person, of one camera too where there are more than
          two. common: rates and optimizers stay native.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from skyreid.clips.augmentation import PAPER, RELEASE, AugmentationConfig
from skyreid.clips.identity_sampler import IdentitySamplerConfig
from skyreid.extraction.embed_tracklets import ExtractionConfig
from skyreid.feeding import TestChoice
from skyreid.training.baseline_training import BaselineConfig
from skyreid.training.optimizer import CosineSchedule, OptimizerConfig, StepSchedule

COMMON_FRAMES = 8
COMMON_EPOCHS = 120
_MEAN = (0.0, 0.0, 0.0)
"""Fill of erased rectangles after normalisation: the mean colour."""
_FLIP_ONLY = AugmentationConfig(erase_probability=0.0)
_ERASE_CLIP = AugmentationConfig(erase_every_frame_anew=False)
_EIGHT_BY_FOUR = IdentitySamplerConfig(identities=8, tracklets=4)


def _start(method: str, benchmark: str, *, epochs: int, schedule: StepSchedule | CosineSchedule) -> BaselineConfig:
    return BaselineConfig(
        method=method,
        benchmark=benchmark,
        data_root=Path("data") / benchmark,
        run_dir=Path("runs") / f"{method}-{benchmark}-native",
        epochs=epochs,
        schedule=schedule,
        sampler=_EIGHT_BY_FOUR,
        precision="float32",
    )


def _steps(peak: float, *milestones: int, warmup_epochs: int = 0, decay: float = 0.1) -> StepSchedule:
    return StepSchedule(peak=peak, milestones=milestones, decay=decay, warmup_epochs=warmup_epochs, warmup_factor=0.01)


def _extraction(frames: int, sampling: TestChoice) -> ExtractionConfig:
    return ExtractionConfig(clip_length=frames, sampling=sampling)


def ap3d_native(method: str, benchmark: str) -> BaselineConfig:
    """Of AP3D and AP3D-NL."""
    return replace(
        _start(method, benchmark, epochs=240, schedule=_steps(3e-4, 60, 120, 180)),
        clip_length=4,
        choice="stride-8",
        augmentation=_FLIP_ONLY,
        extraction=_extraction(4, "all-consecutive"),
    )


def bicnet_tks_native(benchmark: str) -> BaselineConfig:
    return replace(
        _start("bicnet-tks", benchmark, epochs=150, schedule=_steps(3.5e-4, 40, 80, 120)),
        choice="stride-4",
        sampler=IdentitySamplerConfig(identities=16, tracklets=4),
        augmentation=_ERASE_CLIP,
        extraction=_extraction(8, "all-consecutive"),
    )


def sinet_native(benchmark: str) -> BaselineConfig:
    return replace(
        _start("sinet", benchmark, epochs=160, schedule=_steps(3e-4, 40, 80, 120)),
        clip_length=4,
        augmentation=RELEASE,
        extraction=_extraction(4, "all-frames"),
    )


def pit_native(benchmark: str) -> BaselineConfig:
    return replace(
        _start(
            "pit",
            benchmark,
            epochs=121,
            schedule=CosineSchedule(peak=0.01, start=1e-4, end=2e-5, warmup_epochs=5),
        ),
        choice="chunk",
        sampler=IdentitySamplerConfig(identities=2, tracklets=4),
        augmentation=replace(PAPER, frames_apart=True),
        optimizer=OptimizerConfig(algorithm="sgd", weight_decay=1e-4, bias_rate_factor=2.0),
        extraction=_extraction(8, "begin-chunk"),
    )


def mgh_native(benchmark: str) -> BaselineConfig:
    return replace(
        _start("mgh", benchmark, epochs=800, schedule=_steps(3e-4, 200, 400, 600, warmup_epochs=20)),
        choice="consecutive",
        augmentation=AugmentationConfig(enlarge=1.125, frames_apart=True, erase_fill=_MEAN),
        extraction=_extraction(8, "all-consecutive"),
    )


def psta_native(benchmark: str) -> BaselineConfig:
    schedule = _steps(3.5e-4, 70, 140, 210, 310, 410, warmup_epochs=10, decay=0.3)
    return replace(
        _start("psta", benchmark, epochs=500, schedule=schedule),
        choice="window",
        augmentation=_ERASE_CLIP,
        extraction=_extraction(8, "begin-stride"),
    )


def stmn_native(benchmark: str) -> BaselineConfig:
    return replace(
        _start("stmn", benchmark, epochs=200, schedule=_steps(1e-4, 50, 100, 150)),
        clip_length=6,
        choice="chunk",
        augmentation=AugmentationConfig(erase_fill=_MEAN),
        optimizer=OptimizerConfig(weight_decay=1e-5),
        extraction=_extraction(6, "begin-chunk"),
    )


def tclnet_native(benchmark: str) -> BaselineConfig:
    return replace(
        _start("tclnet", benchmark, epochs=150, schedule=_steps(3e-4, 40, 80, 120)),
        clip_length=4,
        choice="stride-8",
        augmentation=_FLIP_ONLY,
        extraction=_extraction(4, "all-consecutive"),
    )


def grl_native(benchmark: str) -> BaselineConfig:
    """Pairs of one person's tracklets stand together in a batch."""
    return replace(
        _start("grl", benchmark, epochs=60, schedule=_steps(1e-3, 15, 30, 45)),
        choice="chunk",
        sampler=IdentitySamplerConfig(identities=8, tracklets=2),
        augmentation=_FLIP_ONLY,
        optimizer=OptimizerConfig(algorithm="sgd", nesterov=True, faster=(("backbone.", 1.0), ("", 2.0))),
        extraction=_extraction(8, "begin-chunk"),
    )


def tf_clip_native(benchmark: str) -> BaselineConfig:
    return replace(
        _start("tf-clip", benchmark, epochs=80, schedule=_steps(5e-6, 30, 50, 70)),
        choice="chunk",
        sampler=IdentitySamplerConfig(identities=4, tracklets=4),
        augmentation=replace(PAPER, erase_fill=_MEAN),
        optimizer=OptimizerConfig(weight_decay=1e-4, bias_rate_factor=2.0, faster=(("classifiers.temporal.", 10.0),)),
        extraction=_extraction(8, "all-frames"),
    )


NATIVE: dict[str, Callable[[str], BaselineConfig]] = {
    "ap3d": partial(ap3d_native, "ap3d"),
    "ap3d-nl": partial(ap3d_native, "ap3d-nl"),
    "bicnet-tks": bicnet_tks_native,
    "sinet": sinet_native,
    "pit": pit_native,
    "mgh": mgh_native,
    "psta": psta_native,
    "stmn": stmn_native,
    "tclnet": tclnet_native,
    "grl": grl_native,
    "tf-clip": tf_clip_native,
}
"""Method → its own frames, batches, augmentation, optimizer and schedule, where it published any."""


def native(method: str, benchmark: str) -> BaselineConfig:
    """A method's own settings; where it has none, Adam at 3e-4 over the paper's epochs."""
    if method in NATIVE:
        return NATIVE[method](benchmark)
    return _start(method, benchmark, epochs=COMMON_EPOCHS, schedule=_steps(3e-4, 60, 90))


def common(method: str, benchmark: str) -> BaselineConfig:
    """The paper's frames, batches and augmentation for every method; rate and optimizer stay the method's own."""
    own = native(method, benchmark)
    return replace(
        own,
        run_dir=own.run_dir.with_name(f"{method}-{benchmark}-common"),
        clip_length=COMMON_FRAMES,
        choice="restricted",
        sampler=_EIGHT_BY_FOUR,
        augmentation=PAPER,
        epochs=COMMON_EPOCHS,
        schedule=StepSchedule(peak=own.schedule.peak, warmup_epochs=10, milestones=(60, 90)),
        extraction=ExtractionConfig(clip_length=COMMON_FRAMES),
    )
