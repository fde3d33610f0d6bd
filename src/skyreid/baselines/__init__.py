"""The methods that VSLA-CLIP is compared with: one paper, one file."""

from skyreid.baselines.ap3d import build_ap3d, build_ap3d_nl
from skyreid.baselines.baseline import BaselineBuilder
from skyreid.baselines.bicnet_tks import build_bicnet_tks
from skyreid.baselines.grl import build_grl
from skyreid.baselines.mgh import build_mgh
from skyreid.baselines.pit import build_pit
from skyreid.baselines.psta import build_psta
from skyreid.baselines.sinet import build_sinet
from skyreid.baselines.stmn import build_stmn
from skyreid.baselines.tclnet import build_tclnet
from skyreid.baselines.tf_clip import build_tf_clip

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
"""What `skyreid benchmark table2` compares; each builds with random weights."""
