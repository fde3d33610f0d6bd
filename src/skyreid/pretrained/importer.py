"""What every format offers: a file and options in, a model and the account of its keys out."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Generic, Literal, Protocol, TypeAlias, TypeVar

from skyreid.errors import CheckpointError
from skyreid.feeding import OPENAI_CLIP, Normalization
from skyreid.models.tower_pair import TowerPair
from skyreid.models.transformer import Activation
from skyreid.models.vsla_clip import VslaClip

Adapters: TypeAlias = Literal["used", "unused"]
Module = TypeVar("Module", bound=TowerPair | VslaClip, covariant=True)


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """What a file cannot tell. A format refuses the options that mean nothing to it."""

    image_size: tuple[int, int] | None = None
    """(height, width) of frames that the position table of a pretrained pair is resized to; None =
    256 x 128, the method's. A trained checkpoint keeps its own."""
    token_embedding: Path | None = None
    """An OpenAI or Hugging Face file with the token embedding that a ViFi-CLIP file lacks."""
    activation: Activation | None = None
    """What an open_clip file was trained with; None = "quick-gelu", as OpenAI's."""
    inside: str | None = None
    """What stands around the weights that are meant, where the file holds several, such as "state_dict_ema"."""
    adapters: Adapters = "used"
    """"unused" for FT-CLIP and stage-1 checkpoints of the release, whose adapters never ran."""

    def refuse_all_but(self, *names: str) -> None:
        """Refuse an option that was given and would not be read.

        Raises:
            CheckpointError: names the option.
        """
        for field in fields(self):
            if field.name not in (*names, "inside") and getattr(self, field.name) != field.default:
                raise CheckpointError(f"{field.name} is no option of this format; it reads {', '.join(names)}")


@dataclass(frozen=True, kw_only=True)
class Imported(Generic[Module]):
    """A model of ours with somebody's weights, and what became of every key of the file."""

    module: Module
    mapped: int
    """Tensors of the file that are in the model now."""
    dropped: dict[str, str]
    """Keys that were left out on purpose, each with the reason."""
    normalization: Normalization = OPENAI_CLIP
    """Of the frames that the weights were trained with."""
    assumed: tuple[str, ...] = ()
    """What the file does not tell and nobody said: to be read by whoever imports it."""


class Importer(Protocol):
    def __call__(self, file: Path, options: ImportOptions) -> Imported[TowerPair | VslaClip]:
        """Read a file of one format.

        Raises:
            UnsafeFileError: the file would run code, or claims what it does not hold.
            CheckpointError: its keys or shapes do not add up, or an option does not fit.
        """
        ...
