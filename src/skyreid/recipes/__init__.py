"""Published settings: name → function that returns a complete configuration.

`-release` is the authors' program, `-paper` is the paper's text (docs/decisions/0003-paper-and-release.md). Methods
of the comparison have their `-native` settings and those that all have in `-common`; `--benchmark` names the data.
`-small` starts from the small CLIP in the package and trains on a CPU.
"""

from collections.abc import Callable
from functools import partial

from skyreid.baselines import BASELINES
from skyreid.recipes.comparison import common, native
from skyreid.recipes.paper import ft_clip_paper, vsla_clip_paper
from skyreid.recipes.release import clip_reid_release, ft_clip_release, vsla_clip_release
from skyreid.recipes.simulated import ft_clip_small, vsla_clip_small
from skyreid.training.baseline_training import BaselineConfig
from skyreid.training.two_stage import TwoStageConfig

__all__ = ["RECIPES"]

RECIPES: dict[str, Callable[[], TwoStageConfig] | Callable[[], BaselineConfig]] = {
    "vsla-clip-g2a-release": partial(vsla_clip_release, "g2a-vreid"),
    "vsla-clip-g2a-paper": partial(vsla_clip_paper, "g2a-vreid"),
    "vsla-clip-mars-release": partial(vsla_clip_release, "mars"),
    "vsla-clip-mars-paper": partial(vsla_clip_paper, "mars"),
    "vsla-clip-ls-vid-release": partial(vsla_clip_release, "ls-vid-48"),
    "vsla-clip-ls-vid-paper": partial(vsla_clip_paper, "ls-vid"),
    "vsla-clip-ilids-vid-release": partial(vsla_clip_release, "ilids-vid"),
    "vsla-clip-ilids-vid-paper": partial(vsla_clip_paper, "ilids-vid"),
    "ft-clip-g2a-release": partial(ft_clip_release, "g2a-vreid"),
    "ft-clip-g2a-paper": partial(ft_clip_paper, "g2a-vreid"),
    "ft-clip-mars-release": partial(ft_clip_release, "mars"),
    "ft-clip-mars-paper": partial(ft_clip_paper, "mars"),
    "ft-clip-ls-vid-release": partial(ft_clip_release, "ls-vid-48"),
    "ft-clip-ls-vid-paper": partial(ft_clip_paper, "ls-vid"),
    "ft-clip-ilids-vid-release": partial(ft_clip_release, "ilids-vid"),
    "ft-clip-ilids-vid-paper": partial(ft_clip_paper, "ilids-vid"),
    "clip-reid-g2a-release": partial(clip_reid_release, "g2a-vreid"),
    "vsla-clip-small": vsla_clip_small,
    "ft-clip-small": ft_clip_small,
    **{f"{method}-native": partial(native, method, "g2a-vreid") for method in BASELINES},
    **{f"{method}-common": partial(common, method, "g2a-vreid") for method in BASELINES},
}
