"""The paper's Tables 2 to 5 and Figure 4: what it printed, and what each row of an ablation changes.

Source: paper sections 5.3 and 5.4. Figures of Tables 2 and 3 are those on G2A-VReID, of Tables 4 and 5 those on LS-VID;
Fig. 4 is a picture without numbers; its best cell is depth 3, length 16. In our copy of Table 5 the ticks
of the row with 84.71 cannot be told apart from the last row's; it is taken to be the two contrastive losses.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from skyreid.models.image_tower import AdapterConfig
from skyreid.models.platform_prompt import PlatformPromptConfig
from skyreid.recipes.simulated import TOWER_RATE
from skyreid.training.two_stage import TwoStageConfig

TABLE_2: dict[str, dict[str, float]] = {
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
"""Method → mAP and rank-1. FT-CLIP from OpenAI's CLIP, VSLA-CLIP from ViFi-CLIP."""

Change = Callable[[TwoStageConfig], TwoStageConfig]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a table."""

    name: str
    change: Change
    """From the whole method on simulated people to this row."""
    paper: dict[str, float]
    """What is printed: mAP and rank-1 in 0-1, parameters in millions."""


def _adapters(config: TwoStageConfig, intra_frame: int | None, cross_frame: int | None) -> TwoStageConfig:
    adapters: AdapterConfig = replace(config.model.image.adapters, intra_frame=intra_frame, cross_frame=cross_frame)
    return replace(config, model=replace(config.model, image=replace(config.model.image, adapters=adapters)))


def _prompt(config: TwoStageConfig, depth: int, length: int) -> TwoStageConfig:
    return replace(
        config, model=replace(config.model, platform_prompt=PlatformPromptConfig(depth=depth, length=length))
    )


def _losses(
    config: TwoStageConfig, *, visual_semantic: bool, image_to_text: bool, text_to_image: bool
) -> TwoStageConfig:
    loss = replace(
        config.stage2.loss,
        visual_semantic_weight=float(visual_semantic),
        image_to_text_weight=float(image_to_text),
        text_to_image_weight=float(text_to_image),
    )
    return replace(config, stage2=replace(config.stage2, loss=loss))


def _without_text(config: TwoStageConfig) -> TwoStageConfig:
    return _losses(config, visual_semantic=False, image_to_text=False, text_to_image=False)


def bare_tower(config: TwoStageConfig) -> TwoStageConfig:
    """FT-CLIP: no adapters, no prompt, the tower itself is trained. Untrained, it is the CLIP as it comes."""
    bare = _prompt(_adapters(config, None, None), 0, 1)
    schedule = replace(config.stage2.schedule, peak=TOWER_RATE)
    return replace(bare, stage2=replace(config.stage2, tuned="image-tower", schedule=schedule))


def _alpha(config: TwoStageConfig, alpha: int) -> TwoStageConfig:
    return _prompt(_adapters(config, alpha, alpha), 0, 1)


def _small(config: TwoStageConfig) -> int:
    width = config.model.image.adapters.intra_frame
    assert width is not None, "the whole method has adapters"
    return width


TABLE_3 = (
    Row(
        name="baseline",
        change=lambda config: _without_text(bare_tower(config)),
        paper={"mAP": 0.7280, "rank-1": 0.6362, "overall": 86.1, "tunable": 86.1},
    ),
    Row(
        name="baseline+VSA (FT-CLIP)",
        change=bare_tower,
        paper={"mAP": 0.7811, "rank-1": 0.6932, "overall": 127.4, "tunable": 88.0},
    ),
    Row(
        name="IFA",
        change=lambda config: _without_text(_prompt(_adapters(config, _small(config), None), 0, 1)),
        paper={"mAP": 0.7382, "rank-1": 0.6512, "overall": 90.8, "tunable": 4.7},
    ),
    Row(
        name="IFA+VSA",
        change=lambda config: _prompt(_adapters(config, _small(config), None), 0, 1),
        paper={"mAP": 0.7901, "rank-1": 0.7167, "overall": 132.1, "tunable": 6.6},
    ),
    Row(
        name="IFA+VSA+CFAA (VSLA-CLIP)",
        change=lambda config: _prompt(config, 0, 1),
        paper={"mAP": 0.7970, "rank-1": 0.7255, "overall": 140.0, "tunable": 14.5},
    ),
    Row(
        name="IFA+VSA+CFAA+PBP",
        change=lambda config: config,
        paper={"mAP": 0.8129, "rank-1": 0.7427, "overall": 140.0, "tunable": 14.5},
    ),
)
TABLE_4 = tuple(
    Row(
        name=f"alpha {alpha}",
        change=lambda config, alpha=alpha: _alpha(config, alpha),
        paper={"mAP": mean_ap, "rank-1": rank_1, "IFA": intra_frame, "CFAA": cross_frame},
    )
    for alpha, intra_frame, cross_frame, mean_ap, rank_1 in (
        (64, 1.2, 1.4, 0.7958, 0.8671),
        (128, 2.4, 3.2, 0.8364, 0.9000),
        (256, 4.7, 7.9, 0.8520, 0.9166),
        (384, 7.1, 14.2, 0.8509, 0.9149),
    )
)
TABLE_5 = tuple(
    Row(
        name=name,
        change=lambda config, used=used: _losses(
            _prompt(config, 0, 1), visual_semantic=used[0], image_to_text=used[1], text_to_image=used[2]
        ),
        paper={"mAP": mean_ap},
    )
    for name, used, mean_ap in (
        ("v2sce", (True, False, False), 0.8473),
        ("i2t", (False, True, False), 0.8429),
        ("t2i", (False, False, True), 0.8445),
        ("i2t+t2i", (False, True, True), 0.8471),
        ("v2sce+i2t+t2i", (True, True, True), 0.8520),
    )
)
FIGURE_4 = tuple(
    Row(
        name=f"depth {depth}, length {length}",
        change=lambda config, depth=depth, length=length: _prompt(config, depth, length),
        paper={},
    )
    for depth in (1, 2, 3, 4)
    for length in (1, 4, 16)
)
ABLATIONS: dict[str, tuple[Row, ...]] = {"table3": TABLE_3, "table4": TABLE_4, "table5": TABLE_5, "fig4": FIGURE_4}
