"""Every published setting: it builds, it is a benchmark's, and the two families differ as they say."""

import dataclasses

import pytest
import torch

from skyreid.baselines import BASELINES
from skyreid.config_json import to_json
from skyreid.datasets import BENCHMARKS
from skyreid.models.vsla_clip import VslaClip
from skyreid.recipes import RECIPES
from skyreid.training.baseline_config import BaselineConfig
from skyreid.training.two_stage_config import TwoStageConfig

CONFIGS = {name: recipe() for name, recipe in RECIPES.items()}
TWO_STAGE = {name: config for name, config in CONFIGS.items() if isinstance(config, TwoStageConfig)}
COMPARED = {name: config for name, config in CONFIGS.items() if isinstance(config, BaselineConfig)}
METHODS = ("vsla-clip", "ft-clip")
PAIRS = [name.removesuffix("-paper") for name in RECIPES if name.endswith("-paper")]

EVERYWHERE = {
    "stage1.cosine_temperature",  # METHOD section 11 row 1
    "stage2.loss.cosine_temperature",
    "stage2.loss.identity_on",  # row 2
    "stage2.loss.triplet_on",
    "augmentation.pad",  # row 4
    "augmentation.erase_every_frame_anew",
    "augmentation.erase_fill",
    "stage2.sampler.distinct",  # row 5
    "stage1.augmented_features",  # row 7
    "stage2.schedule.warmup_epochs",  # row 15
    "stage1.drop_last",  # row 30
    "stage2.sampler.drop_last",
    "run_dir",
}
WITH_ADAPTERS = {"model.image.adapters.activation"}  # row 10
ON_TWO_PLATFORMS = {"model.platform_prompt.depth"}  # row 14
ON_LS_VID = {"benchmark", "data_root"}  # row 23


def fields(config, where=""):
    if isinstance(config, dict):
        for name, value in config.items():
            yield from fields(value, f"{where}.{name}".lstrip("."))
    else:
        yield where, config


@pytest.mark.parametrize("pair", PAIRS)
def test_release_and_paper_differ_in_the_fields_that_they_name_and_in_no_other(pair):
    release, paper = (dict(fields(to_json(RECIPES[f"{pair}-{family}"]()))) for family in ("release", "paper"))
    assert release.keys() == paper.keys()
    expected = set(EVERYWHERE)
    if pair.startswith("vsla-clip"):
        expected |= WITH_ADAPTERS
    if pair == "vsla-clip-g2a":
        expected |= ON_TWO_PLATFORMS
    if pair.endswith("ls-vid"):
        expected |= ON_LS_VID
    assert {name for name in release if release[name] != paper[name]} == expected


def test_every_method_has_both_families_on_every_benchmark_of_the_paper():
    benchmarks = ("g2a", "mars", "ls-vid", "ilids-vid")
    families = ("release", "paper")
    expected = {f"{m}-{b}-{f}" for m in METHODS for b in benchmarks for f in families} | {"clip-reid-g2a-release"}
    assert set(TWO_STAGE) == expected


def test_every_method_of_the_comparison_has_its_own_settings_and_the_common_ones():
    expected = {f"{method}-{family}" for method in BASELINES for family in ("native", "common")}
    assert set(COMPARED) == expected


@pytest.mark.parametrize("method", BASELINES)
def test_common_settings_are_the_same_for_all_but_method_optimizer_and_rate(method):
    config, other = COMPARED[f"{method}-common"], COMPARED["ap3d-common"]
    free = {"method", "run_dir", "optimizer", "schedule"}
    assert {f.name for f in dataclasses.fields(config) if getattr(config, f.name) != getattr(other, f.name)} <= free
    assert (config.clip_length, config.sampler.batch_size, config.image_size) == (8, 32, (256, 128))


@pytest.mark.parametrize("recipe", TWO_STAGE)
def test_every_recipe_builds_a_model_of_the_paper_s_size(recipe):
    config = TWO_STAGE[recipe]
    with torch.device("meta"):
        model = VslaClip(config.model, num_identities=930)
    assert model.encoder.embed_dim == 1280
    intra_frame, cross_frame = model.encoder.tower.adapters()
    assert len(intra_frame) == len(cross_frame) == (12 if recipe.startswith("vsla-clip") else 0)
    assert all(adapter.down.out_features == 256 for adapter in (*intra_frame, *cross_frame))
    assert config.stage2.tuned == ("adapters" if recipe.startswith("vsla-clip") else "image-tower")


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_names_a_benchmark_that_can_be_read_and_a_folder_of_its_own(recipe):
    config = RECIPES[recipe]()
    assert config.benchmark in BENCHMARKS
    others = {RECIPES[other]().run_dir for other in RECIPES if other != recipe}
    assert config.run_dir not in others


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_gives_the_same_configuration_every_time(recipe):
    assert RECIPES[recipe]() == RECIPES[recipe]()


@pytest.mark.parametrize(
    ("recipe", "peak"), [("vsla-clip-g2a-release", 1e-4), ("ft-clip-g2a-release", 5e-6), ("ft-clip-mars-paper", 5e-6)]
)
def test_the_whole_tower_learns_twenty_times_slower_than_the_adapters(recipe, peak):
    assert TWO_STAGE[recipe].stage2.schedule.peak == peak
