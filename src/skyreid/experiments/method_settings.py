"""What is run for a row of Table 2: a published setting, at the size and with the weights that the user has.

Nine methods of others in eleven rows, and the paper's own. The paper does not say which AP3D it ran: its Table 3 counts
the parameters of the non-local one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from skyreid.baselines import BASELINES
from skyreid.clips.identity_sampler import IdentitySamplerConfig
from skyreid.errors import SettingError
from skyreid.pretrained.pair_checkpoint import read_pair
from skyreid.recipes.comparison import common, native
from skyreid.recipes.release import clip_reid_release, ft_clip_release, vsla_clip_release
from skyreid.recipes.simulated import TOWER_RATE, vsla_clip_simulated
from skyreid.training.baseline_training import BaselineConfig
from skyreid.training.optimizer import CosineSchedule, StepSchedule
from skyreid.training.two_stage import TwoStageConfig

Settings = Literal["common", "native"]

OWN: dict[str, Callable[[str], TwoStageConfig]] = {
    "clip-reid": clip_reid_release,
    "ft-clip": ft_clip_release,
    "vsla-clip": vsla_clip_release,
}
"""Methods that are presets of the paper's own parts; each starts from a CLIP pair and has one setting."""
METHODS = (*BASELINES, *OWN)


@dataclass(frozen=True, kw_only=True)
class Reduction:
    """Smaller than the recipes, to run on a laptop; None = as the recipe has it."""

    image_size: tuple[int, int] | None = None
    """Of all but the paper's own methods, whose frames have the size of their CLIP pair."""
    epochs: int | None = None
    """Of stage 2 of the paper's own methods."""
    batch: tuple[int, int] | None = None
    """Identities, and clips of each."""

    def __post_init__(self) -> None:
        if self.epochs is not None and self.epochs < 1:
            raise SettingError(f"a method is trained for at least one epoch; got {self.epochs}")

    def schedule(self, full: StepSchedule | CosineSchedule) -> StepSchedule | CosineSchedule:
        """Let the rate fall after a half and after three quarters of the epochs."""
        if self.epochs is None:
            return full
        half, three_quarters = -(-self.epochs // 2), -(-3 * self.epochs // 4)
        return StepSchedule(peak=full.peak, warmup_epochs=0, milestones=(half + 1, three_quarters + 1))

    def sampler(self, full: IdentitySamplerConfig) -> IdentitySamplerConfig:
        """Draw as the recipe does, fewer at a time."""
        if self.batch is None:
            return full
        identities, tracklets = self.batch
        return replace(full, identities=identities, tracklets=tracklets)


@dataclass(frozen=True, kw_only=True)
class ComparisonConfig:
    benchmark: str
    data_root: Path
    methods: tuple[str, ...] = METHODS
    settings: Settings = "common"
    seeds: int = 1
    reduction: Reduction = Reduction()
    imagenet: Path | None = None
    """Folder of the published ImageNet weights; None = random weights, and every row says so."""
    clip: Path | None = None
    """Checkpoint folder of a CLIP pair; None = the small CLIP of drawn people that comes with the package for the
    paper's own methods, random weights for TF-CLIP."""

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise SettingError(f"a comparison needs at least one seed; got {self.seeds}")
        if unknown := [method for method in self.methods if method not in METHODS]:
            raise SettingError(f"no method is called {', '.join(unknown)}; there are {', '.join(METHODS)}")
        if len(set(self.methods)) < len(self.methods):
            raise SettingError(f"a method is compared once; got {', '.join(self.methods)}")


def configure(method: str, seed: int, config: ComparisonConfig, run_dir: Path) -> BaselineConfig | TwoStageConfig:
    """Say what is run for one method with one seed.

    Raises:
        SettingError: sizes that cannot work.
        CheckpointError: `config.clip` holds no CLIP pair.
    """
    if method in OWN:
        return _own(method, seed, config, run_dir)
    recipe = (native if config.settings == "native" else common)(method, config.benchmark)
    if (file := imagenet_file(method)) is None:
        pretrained = config.clip
    else:
        pretrained = config.imagenet / file if config.imagenet is not None else None
    reduction = config.reduction
    return replace(
        recipe,
        data_root=config.data_root,
        run_dir=run_dir,
        seed=seed,
        pretrained=pretrained,
        image_size=reduction.image_size or recipe.image_size,
        epochs=reduction.epochs or recipe.epochs,
        schedule=reduction.schedule(recipe.schedule),
        sampler=reduction.sampler(recipe.sampler),
    )


def _own(method: str, seed: int, config: ComparisonConfig, run_dir: Path) -> TwoStageConfig:
    if config.clip is None:
        recipe = _small(method, config.data_root, run_dir)
    else:
        recipe = OWN[method](config.benchmark)
        image = replace(recipe.model.image, image_size=read_pair(config.clip).config.image.image_size)
        recipe = replace(recipe, pretrained=config.clip, model=replace(recipe.model, image=image))
    reduction, stage2 = config.reduction, recipe.stage2
    return replace(
        recipe,
        benchmark=config.benchmark,
        data_root=config.data_root,
        run_dir=run_dir,
        seed=seed,
        stage2=replace(
            stage2,
            epochs=reduction.epochs or stage2.epochs,
            schedule=reduction.schedule(stage2.schedule),
            sampler=reduction.sampler(stage2.sampler),
        ),
    )


def _small(method: str, data_root: Path, run_dir: Path) -> TwoStageConfig:
    """One of the paper's own methods, at the size of the small CLIP."""
    small = vsla_clip_simulated(data_root, run_dir, seed=0)
    full = OWN[method](small.benchmark)
    model = replace(small.model, platform_prompt=full.model.platform_prompt)
    if full.stage2.tuned == "adapters":
        return replace(small, model=model)
    return replace(
        small,
        model=replace(
            model,
            image=replace(model.image, adapters=full.model.image.adapters),
            identity_prompt=full.model.identity_prompt,
        ),
        stage2=replace(
            small.stage2,
            tuned=full.stage2.tuned,
            schedule=replace(small.stage2.schedule, peak=TOWER_RATE),
            weight_decay=full.stage2.weight_decay,
            loss=replace(full.stage2.loss, cosine_temperature=small.stage2.loss.cosine_temperature),
        ),
    )


def imagenet_file(method: str) -> str | None:
    """Name the published file that a method's authors start from; None = they start from CLIP."""
    if method in OWN or method == "tf-clip":
        return None
    return "jx_vit_base_p16_224-80ecf9dd.pth" if method == "pit" else "resnet50-19c8e357.pth"
