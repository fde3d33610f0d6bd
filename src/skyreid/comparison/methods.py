"""What stands in the table: nine methods of others in eleven rows, and the paper's own.

Source: paper, Table 2, columns of G2A-VReID. The paper does not say which AP3D it ran: its Table 3 counts the
parameters of the non-local one.
"""

from collections.abc import Callable
from typing import Literal

from skyreid.baselines import BASELINES
from skyreid.recipes.release import clip_reid_release, ft_clip_release, vsla_clip_release
from skyreid.training.two_stage import TwoStageConfig

Settings = Literal["common", "native"]

OWN: dict[str, Callable[[str], TwoStageConfig]] = {
    "clip-reid": clip_reid_release,
    "ft-clip": ft_clip_release,
    "vsla-clip": vsla_clip_release,
}
"""Methods that are presets of the paper's own parts; each starts from a CLIP pair and has one setting."""
METHODS = (*BASELINES, *OWN)

PAPER_TABLE_2: dict[str, dict[str, float]] = {
    "ap3d": {"mAP": 0.677, "rank-1": 0.575},
    "tclnet": {"mAP": 0.654, "rank-1": 0.547},
    "mgh": {"mAP": 0.767, "rank-1": 0.699},
    "grl": {"mAP": 0.528, "rank-1": 0.414},
    "bicnet-tks": {"mAP": 0.634, "rank-1": 0.517},
    "psta": {"mAP": 0.646, "rank-1": 0.545},
    "stmn": {"mAP": 0.667, "rank-1": 0.561},
    "pit": {"mAP": 0.763, "rank-1": 0.677},
    "sinet": {"mAP": 0.745, "rank-1": 0.656},
    "ft-clip": {"mAP": 0.7811, "rank-1": 0.6932},
    "vsla-clip": {"mAP": 0.7970, "rank-1": 0.7255},
}
"""On G2A-VReID; FT-CLIP from OpenAI's CLIP, VSLA-CLIP from ViFi-CLIP."""


def imagenet_file(method: str) -> str | None:
    """Name the published file that a method's authors start from; None = they start from CLIP."""
    if method in OWN or method == "tf-clip":
        return None
    return "jx_vit_base_p16_224-80ecf9dd.pth" if method == "pit" else "resnet50-19c8e357.pth"
