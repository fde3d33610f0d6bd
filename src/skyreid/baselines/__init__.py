"""The methods that VSLA-CLIP is compared with: one paper, one file; and how one is built by its name."""

from dataclasses import dataclass
from difflib import get_close_matches

from skyreid.baselines.ap3d import build_ap3d, build_ap3d_nl
from skyreid.baselines.baseline import PAPER_SIZE, Baseline, BaselineBuilder, Preset
from skyreid.baselines.bicnet_tks import build_bicnet_tks
from skyreid.baselines.grl import build_grl
from skyreid.baselines.mgh import build_mgh
from skyreid.baselines.pit import build_pit
from skyreid.baselines.psta import build_psta
from skyreid.baselines.sinet import build_sinet
from skyreid.baselines.stmn import build_stmn
from skyreid.baselines.tclnet import build_tclnet
from skyreid.baselines.tf_clip import build_tf_clip
from skyreid.errors import SettingError

BASELINES: dict[str, BaselineBuilder] = {
    "ap3d": build_ap3d,
    "ap3d-nl": build_ap3d_nl,
    "bicnet-tks": build_bicnet_tks,
    "sinet": build_sinet,
    "pit": build_pit,
    "mgh": build_mgh,
    "psta": build_psta,
    "stmn": build_stmn,
    "tclnet": build_tclnet,
    "grl": build_grl,
    "tf-clip": build_tf_clip,
}
"""What `skyreid reproduce table2` compares; each builds with random weights."""


@dataclass(frozen=True, kw_only=True)
class BaselineModel:
    """A method by its name and numbers: what rebuilds it without its training data."""

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
