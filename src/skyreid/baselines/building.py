"""A method by its name and numbers, as checkpoints and configurations know it."""

from dataclasses import dataclass
from difflib import get_close_matches

from skyreid.baselines import BASELINES
from skyreid.baselines.baseline import PAPER_SIZE, Baseline, Preset
from skyreid.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class BaselineModel:
    """What rebuilds a method without its training data."""

    method: str
    """A name in `BASELINES`."""
    num_classes: int
    """Training identities."""
    frames: int
    """Frames a clip."""
    preset: Preset = "release"
    image_size: tuple[int, int] = PAPER_SIZE
    """(height, width) of a frame in pixels."""

    def __post_init__(self) -> None:
        if min(self.num_classes, self.frames, *self.image_size) < 1:
            raise SettingError(
                "a method needs one identity, one frame a clip and frames of 1 x 1 or more; got "
                f"num_classes={self.num_classes}, frames={self.frames}, image_size={self.image_size}"
            )


def build_baseline(model: BaselineModel) -> Baseline:
    """Build a method with random weights.

    Raises:
        SettingError: there is no such method, or it cannot have these sizes.
    """
    if model.method not in BASELINES:
        close = get_close_matches(model.method, BASELINES, n=1)
        suggestion = f" (did you mean {close[0]!r}?)" if close else ""
        raise SettingError(f"no method is called {model.method!r}{suggestion}; there are {', '.join(BASELINES)}")
    return BASELINES[model.method](
        num_classes=model.num_classes, frames=model.frames, preset=model.preset, image_size=model.image_size
    )
