"""What every method of the comparison is: an encoder that knows its own heads and losses."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol

from jaxtyping import Float, Int
from torch import Tensor, nn

from skyreid.errors import SettingError

Preset = Literal["release", "clean"]
"""The released program with its quirks, or the method as its paper describes it."""
PAPER_SIZE = (256, 128)
"""(height, width) of frames in all papers; a method can be built for other sizes."""


class Baseline(nn.Module, ABC):
    """A method of video re-identification; satisfies `skyreid.extraction.embed_tracklets.Encoder`.

    In evaluation mode it gives what leaves the network, in training mode what its losses need; the
    statistics of a batch and dropout make the two differ in any case.
    """

    training_only: ClassVar[tuple[str, ...]] = ()
    """Modules, by the start of their parameters' names, that an embedding does not need: the classifiers
    of the training identities and the heads of losses."""

    embed_dim: int
    """Length of one embedding."""
    image_size: tuple[int, int]
    """(height, width) of the frames it eats."""

    @abstractmethod
    def forward(
        self, frames: Float[Tensor, "clip frame channel height width"], platforms: Int[Tensor, " clip"] | None = None
    ) -> dict[str, Tensor]:
        """Give the named outputs for normalised clips; in evaluation mode "embedding" [clip, embed] is one of them.

        Args:
            frames: clips of the length that the method was built for, unless it says that any will do.
            platforms: read by the few methods that know of cameras; None = nobody knows.
        """

    @abstractmethod
    def losses(self, outputs: Mapping[str, Tensor], labels: Int[Tensor, " clip"]) -> dict[str, Float[Tensor, ""]]:
        """Weigh and name the terms of the training loss, from outputs in training mode; their sum is minimised."""

    @abstractmethod
    def published_names(self) -> "PublishedNames":
        """Say where the tensors of the published ImageNet weights belong in this method."""

    def look_at(
        self,
        clips: Iterable[
            tuple[Float[Tensor, "clip frame channel height width"], Int[Tensor, " clip"], Int[Tensor, " clip"]]
        ],
    ) -> None:
        """Look at every training clip once, before training; most methods need not.

        Args:
            clips: batches of normalised clips, not augmented, with their platforms and labels.
        """
        return

    def embed(
        self, frames: Float[Tensor, "clip frame channel height width"], platforms: Int[Tensor, " clip"]
    ) -> Float[Tensor, "clip embed"]:
        """Embed normalised clips, in evaluation mode."""
        return self(frames, platforms)["embedding"]


class BaselineBuilder(Protocol):
    """What stands in `BASELINES`."""

    def __call__(
        self, *, num_classes: int, frames: int, preset: Preset = "release", image_size: tuple[int, int] = PAPER_SIZE
    ) -> Baseline:
        """Build a method with random weights.

        Args:
            num_classes: training identities.
            frames: frames a clip.
            preset: the released program's behaviour, or the paper's.
            image_size: (height, width) of the frames.

        Raises:
            SettingError: a number of frames or a size that the method cannot have.
        """
        ...


def refuse_other_clips(
    method: str,
    clips: Float[Tensor, "clip frame channel height width"],
    *,
    frames: int,
    image_size: tuple[int, int],
) -> None:
    """Refuse clips that a method was not built for, before they fail deep inside it or, worse, do not.

    Raises:
        SettingError: other than `frames` frames of `image_size`.
    """
    _, num_frames, _, height, width = clips.shape
    if (num_frames, (height, width)) != (frames, image_size):
        raise SettingError(
            f"{method}: this model was built for clips of {frames} frames of {image_size[0]} x {image_size[1]}; "
            f"got {num_frames} of {height} x {width}"
        )


@dataclass(frozen=True, kw_only=True)
class PositionTable:
    """A table of position embeddings (class token first) that is resized to another grid of patches."""

    name: str
    """Its name in the file."""
    grid: tuple[int, int]
    """(rows, columns) of patches in the file."""
    target: tuple[int, int]
    """(rows, columns) of patches in the method."""


@dataclass(frozen=True, kw_only=True)
class PublishedNames:
    """The account of a published state dict; `skyreid.pretrained.imagenet` reads the file with it."""

    targets: Mapping[str, tuple[str, ...]]
    """Name in the file: the places of the method's state dict that get a copy each, never none."""
    dropped: Mapping[str, str] = field(default_factory=dict)
    """Names that the file may have and the method does not use, each with the reason."""
    position_table: PositionTable | None = None
    """The one tensor whose shape may differ from its place."""
