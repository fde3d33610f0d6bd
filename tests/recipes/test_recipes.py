"""Every published setting: it builds, it is a benchmark's, and the two families differ as they say."""

import dataclasses

import pytest
import torch

from skyreid.baselines import BASELINES
from skyreid.datasets.benchmarks import BENCHMARKS
from skyreid.files.config_json import to_json
from skyreid.models.vsla_clip import VslaClip
from skyreid.pretrained.pair_checkpoint import TINY_TOWERS
from skyreid.recipes import RECIPES
from skyreid.training.baseline_training import BaselineConfig
from skyreid.training.two_stage import TwoStageConfig, build_model

CONFIGS = {name: recipe() for name, recipe in RECIPES.items()}
SMALL = ("vsla-clip-small", "ft-clip-small")
TWO_STAGE = {n: config for n, config in CONFIGS.items() if isinstance(config, TwoStageConfig) and n not in SMALL}
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


CLIP_TOWERS = {
    "model.image.image_size": (256, 128),
    "model.image.patch_size": 16,
    "model.image.stride": 16,
    "model.image.width": 768,
    "model.image.layers": 12,
    "model.embed_dim": 512,
}
STAGE_1 = {
    # METHOD section 5: 120 epochs, batches of 64, Adam 3.5e-4 with decay 1e-4; 1e-5 up in 5 epochs, a cosine to 1e-6
    "stage1.epochs": 120,
    "stage1.batch_size": 64,
    "stage1.schedule.peak": 3.5e-4,
    "stage1.schedule.start": 1e-5,
    "stage1.schedule.end": 1e-6,
    "stage1.schedule.warmup_epochs": 5,
    "stage1.weight_decay.weights": 1e-4,
}
RELEASED_DATA = {
    # section 7: 8 frames, flip and erase at one half, the size anew for every frame, no pad; groups of 4, 8 of them
    "clip_length": 8,
    "extraction.clip_length": 8,
    "extraction.sampling": "one-clip",
    "augmentation.frames_apart": False,
    "augmentation.enlarge": 1.0,
    "augmentation.pad": 0,
    "augmentation.flip_probability": 0.5,
    "augmentation.erase_probability": 0.5,
    "augmentation.erase_area": (0.02, 0.4),
    "augmentation.erase_aspect": (0.3, 1 / 0.3),
    "augmentation.erase_every_frame_anew": True,
    "augmentation.erase_fill": (0.4914, 0.4822, 0.4465),
    "seed": 1234,
}
STAGE_2 = {
    # section 6: 120 epochs, 10 of warm-up from a tenth, a tenth at 60 and 90
    # decay 2.5e-4; of biases 1e-4, at twice the rate
    "stage2.epochs": 120,
    "stage2.schedule.warmup_epochs": 10,
    "stage2.schedule.warmup_factor": 0.1,
    "stage2.schedule.milestones": (60, 90),
    "stage2.schedule.decay": 0.1,
    "stage2.weight_decay.weights": 2.5e-4,
    "stage2.weight_decay.biases": 1e-4,
    "stage2.weight_decay.bias_learning_rate_factor": 2.0,
    # section 7
    "stage2.sampler.identities": 8,
    "stage2.sampler.tracklets": 4,
    "stage2.sampler.distinct": False,
    "stage2.sampler.drop_last": True,
    # section 4: two identity losses of 0.25, three triplets, v2s, i2t, t2i; smoothing 0.1; the plain dot product
    "stage2.loss.identity_weight": 0.25,
    "stage2.loss.triplet_weight": 1.0,
    "stage2.loss.visual_semantic_weight": 1.0,
    "stage2.loss.image_to_text_weight": 1.0,
    "stage2.loss.text_to_image_weight": 1.0,
    "stage2.loss.identity_on": ("final", "joint"),
    "stage2.loss.triplet_on": ("penultimate", "final", "joint"),
    "stage2.loss.label_smoothing": 0.1,
    "stage2.loss.cosine_temperature": None,
    "stage2.loss.triplet.margin": 0.3,
    "stage2.loss.triplet.form": "hinge",
    "stage2.loss.triplet.distance": "cosine",
}
RELEASED = {
    **CLIP_TOWERS,
    **STAGE_1,
    **RELEASED_DATA,
    **STAGE_2,
    # sections 3, 5 and 11: 8 shared tokens on each side of 4, augmented features once, incomplete batches left out
    "model.identity_prompt.sentence": "shared-prompt",
    "model.identity_prompt.shared_length": 8,
    "model.identity_prompt.identity_length": 4,
    "model.platform_prompt.depth": 0,
    "stage1.augmented_features": True,
    "stage1.drop_last": True,
    "stage1.cosine_temperature": None,
}
ADAPTED = {
    # section 6 and section 11 rows 9, 10 and 21
    "model.image.adapters.intra_frame": 256,
    "model.image.adapters.cross_frame": 256,
    "model.image.adapters.activation": "quick-gelu",
    "model.image.adapters.zero_init": False,
    "stage2.tuned": "adapters",
    "stage2.schedule.peak": 1e-4,
}
FINE_TUNED = {
    "model.image.adapters.intra_frame": None,
    "model.image.adapters.cross_frame": None,
    "stage2.tuned": "image-tower",
    "stage2.schedule.peak": 5e-6,
}
PAPER = {
    # section 11 rows 1, 2, 4, 5, 7, 15 and 30; the temperature is ours
    "stage1.cosine_temperature": 0.01,
    "stage2.loss.cosine_temperature": 0.01,
    "stage2.loss.identity_on": ("final",),
    "stage2.loss.triplet_on": ("final",),
    "augmentation.pad": 10,
    "augmentation.erase_every_frame_anew": False,
    "augmentation.erase_fill": (0.0, 0.0, 0.0),
    "stage2.sampler.distinct": True,
    "stage2.sampler.drop_last": False,
    "stage1.augmented_features": False,
    "stage1.drop_last": False,
    "stage2.schedule.warmup_epochs": 0,
}
CLIP_REID = {
    # BASELINES section 3.10
    **STAGE_1,
    "model.identity_prompt.sentence": "clip-reid",  # "A photo of a X X X X person."
    "model.identity_prompt.identity_length": 4,
    "stage2.tuned": "image-tower",
    "stage2.epochs": 60,
    "stage2.schedule.peak": 5e-6,
    "stage2.schedule.warmup_epochs": 10,
    "stage2.schedule.warmup_factor": 0.1,
    "stage2.schedule.milestones": (30, 50),
    "stage2.schedule.decay": 0.1,
    "stage2.weight_decay.weights": 1e-4,
    "stage2.weight_decay.biases": 1e-4,
    "stage2.weight_decay.bias_learning_rate_factor": 2.0,
    "stage2.sampler.identities": 16,
    "stage2.sampler.tracklets": 4,
    "stage2.loss.identity_weight": 0.25,
    "stage2.loss.identity_on": ("final", "joint"),
    "stage2.loss.label_smoothing": 0.1,
    "stage2.loss.triplet_weight": 1.0,
    "stage2.loss.triplet_on": ("penultimate", "final", "joint"),
    "stage2.loss.triplet.margin": 0.3,
    "stage2.loss.triplet.form": "hinge",
    "stage2.loss.triplet.distance": "euclidean",
    "stage2.loss.visual_semantic_weight": 1.0,
    "stage2.loss.image_to_text_weight": 0.0,
    "stage2.loss.text_to_image_weight": 0.0,
    "stage2.loss.cosine_temperature": None,
}
STATED = {
    "vsla-clip-g2a-release": RELEASED | ADAPTED,
    "ft-clip-g2a-release": RELEASED | FINE_TUNED,
    "vsla-clip-g2a-paper": RELEASED
    | ADAPTED
    | PAPER
    | {
        "model.image.adapters.activation": "gelu",  # rows 10 and 14
        "model.platform_prompt.depth": 3,
        "model.platform_prompt.length": 16,
    },
    "ft-clip-g2a-paper": RELEASED | FINE_TUNED | PAPER,
    "clip-reid-g2a-release": RELEASED | FINE_TUNED | CLIP_REID,
}
"""Recipe → every setting that docs/method.md or docs/baselines.md states."""


@pytest.mark.parametrize("recipe", STATED)
def test_a_recipe_has_every_setting_that_a_document_states(recipe):
    found = dict(fields(dataclasses.asdict(CONFIGS[recipe])))
    assert {name: found[name] for name in STATED[recipe]} == STATED[recipe]


@pytest.mark.parametrize("benchmark", ["mars", "ls-vid", "ilids-vid"])
@pytest.mark.parametrize("family", ["release", "paper"])
@pytest.mark.parametrize("method", METHODS)
def test_on_another_benchmark_a_method_changes_its_folders_and_the_prompt_of_two_platforms(method, family, benchmark):
    there, here = (dict(fields(to_json(CONFIGS[f"{method}-{where}-{family}"]))) for where in (benchmark, "g2a"))
    changed = {name for name in here if here[name] != there[name]}
    has_prompt = (method, family) == ("vsla-clip", "paper")
    assert changed == {"benchmark", "data_root", "run_dir"} | (ON_TWO_PLATFORMS if has_prompt else set())


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


@pytest.mark.parametrize("recipe", SMALL)
def test_a_small_recipe_starts_from_the_towers_in_the_package(recipe):
    config = CONFIGS[recipe]
    model = build_model(config, num_identities=20)
    adapters = any(model.encoder.tower.adapters())
    assert (config.pretrained, adapters) == (TINY_TOWERS, recipe.startswith("vsla"))
    assert sum(parameter.numel() for parameter in model.parameters()) < 3e6


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_names_a_benchmark_that_can_be_read_and_a_folder_of_its_own(recipe):
    config = RECIPES[recipe]()
    assert config.benchmark in BENCHMARKS
    others = {RECIPES[other]().run_dir for other in RECIPES if other != recipe}
    assert config.run_dir not in others


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_gives_the_same_configuration_every_time(recipe):
    assert RECIPES[recipe]() == RECIPES[recipe]()
