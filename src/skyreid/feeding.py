"""How a model wants to be fed: which frames of a tracklet, how large, and how their pixels become numbers.

A checkpoint states it once, in `config.json`; whatever embeds with the checkpoint reads it there, and tables and
calibrations record how their embeddings were really made. Two tables of one model that were fed differently are as
little comparable as tables of two models.
"""

import json
import math
from dataclasses import dataclass, replace
from typing import Literal

from skyreid.errors import CheckpointError, SettingError
from skyreid.files.config_json import from_json, to_json
from skyreid.files.strict_json import parse_json

TestChoice = Literal["one-clip", "begin-stride", "begin-chunk", "all-frames", "all-consecutive"]
"""The first three take one clip a tracklet; the others take every frame, and embeddings of clips are averaged."""


@dataclass(frozen=True, kw_only=True)
class Normalization:
    """From pixel values scaled to 0–1 to what a tower eats: subtract `mean`, divide by `std`, channel by channel."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (*self.mean, *self.std))) or min(self.std) <= 0:
            raise SettingError(
                f"a normalisation needs finite numbers and a positive std; got mean {self.mean}, std {self.std}"
            )


IMAGENET = Normalization(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
"""What the paper's program and ours train with (METHOD section 1), whatever the towers were pretrained with."""
OPENAI_CLIP = Normalization(mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711))
"""What OpenAI pretrained CLIP with."""


PAPER_CLIP_LENGTH = 8
"""Frames a clip in the paper (section 5.2) and in its program: for weights that do not say."""


@dataclass(frozen=True, kw_only=True)
class Feeding:
    """What a checkpoint is fed with."""

    clip_length: int
    """Frames a clip."""
    sampling: TestChoice = "one-clip"
    """"one-clip": the first frame of each block (the published numbers); "all-frames": every frame, dealt out
    into clips whose embeddings are averaged; the others are those of the methods of the comparison."""
    image_size: tuple[int, int]
    """(height, width) of a frame in pixels."""
    normalization: Normalization = IMAGENET
    colour_order: Literal["RGB", "BGR"] = "RGB"
    """Order of the channels, as the model sees them; mean and standard deviation stand in the order of RGB."""
    needs_platform: bool
    """Whether an embedding depends on the platform that the model is told."""

    def __post_init__(self) -> None:
        if self.clip_length < 1:
            raise SettingError(f"a clip has at least one frame; got clip_length={self.clip_length}")
        if min(self.image_size) < 1:
            raise SettingError(f"a frame has at least one pixel; got image_size={self.image_size}")

    def taking(self, *, clip_length: int | None = None, sampling: TestChoice | None = None) -> "Feeding":
        """Give the same with other frames, where somebody asks for them."""
        return replace(
            self,
            clip_length=self.clip_length if clip_length is None else clip_length,
            sampling=self.sampling if sampling is None else sampling,
        )

    def in_words(self) -> str:
        """Say it in a line."""
        height, width = self.image_size
        frames = "1 frame" if self.clip_length == 1 else f"{self.clip_length} frames"
        platform = ", told the platform" if self.needs_platform else ""
        return f"clips of {frames} ({self.sampling}), {height} x {width} {self.colour_order}{platform}"

    def to_text(self) -> str:
        """Give the text that tables record."""
        return json.dumps(to_json(self))


def read_feeding(text: str) -> Feeding:
    """Read what `Feeding.to_text` gave.

    Raises:
        CheckpointError: it is something else.
    """
    try:
        told = parse_json(text)
    except ValueError as error:
        raise CheckpointError(f"feeding must be JSON: {error}") from error
    return from_json(Feeding, told, where="feeding")


def feeding_differences(a: Feeding, b: Feeding) -> list[str]:
    """Say in plain words what two feedings state differently."""
    ours, theirs = vars(a), vars(b)
    return [f"{name.replace('_', ' ')} {ours[name]} and {theirs[name]}" for name in ours if ours[name] != theirs[name]]
