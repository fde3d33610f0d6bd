"""Every method and every recipe: built, forward, backward, saved, loaded, exported or refused by name.

At reduced sizes: the smallest frames that a method takes, four clips, three identities; two-stage recipes with a
tower of three blocks.
"""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

import skyreid
from skyreid.baselines import BASELINES, build_baseline
from skyreid.checkpoint import write_checkpoint
from skyreid.clips.clip_loader import normalize
from skyreid.files.config_json import to_json
from skyreid.models.vsla_clip import VslaClip
from skyreid.processes.distributed import Processes
from skyreid.recipes import RECIPES
from skyreid.training.baseline_training import BaselineConfig, BaselineStep
from skyreid.training.stage2 import Stage2Step
from skyreid.training.two_stage import TwoStageConfig
from tests.tiny_model import tiny_config

CONFIGS = {name: recipe() for name, recipe in RECIPES.items()}
IDENTITIES = 3
LABELS, PLATFORMS = torch.tensor([0, 0, 2, 2]), torch.tensor([0, 1, 0, 1])
SMALLEST = {"bicnet-tks": (64, 64), "sinet": (64, 64), "mgh": (128, 32), "tclnet": (64, 32), "pit": (48, 32)}
"""Frames of methods that refuse 32 x 32."""
HEAVY = ("grl", "pit", "tf-clip", "mgh", "stmn")
"""Methods of up to 100 million parameters: some seconds each at any size of the frames."""
PROCESSES = Processes(device="cpu", precision="float32")

COMPARED = {
    name: replace(config, image_size=SMALLEST.get(config.method, (32, 32)))
    for name, config in CONFIGS.items()
    if isinstance(config, BaselineConfig)
}
MODEL_OF = {name: config.model_of(IDENTITIES) for name, config in COMPARED.items()}
ONCE = {model: name for name, model in reversed(MODEL_OF.items())}
"""Common settings often build what native ones do; each model once."""
TWO_STAGE = {name: config for name, config in CONFIGS.items() if isinstance(config, TwoStageConfig)}


def drawn_clips(config):
    generator = torch.Generator().manual_seed(0)
    size = config.image_size if isinstance(config, BaselineConfig) else config.model.image.image_size
    return torch.randint(0, 256, (4, config.clip_length, 3, *size), dtype=torch.uint8, generator=generator)


def forward_and_backward(step, clips):
    """The losses, as they are trained."""
    losses = step.train()(normalize(clips), PLATFORMS, LABELS)
    torch.stack([*losses.values()]).sum().backward()
    assert all(loss.isfinite() for loss in losses.values())


def saved_and_loaded(folder, model, encoder, config, clips):
    """What the checkpoint of a model embeds, and what the model does."""
    write_checkpoint(folder, weights=model.state_dict(), config=config, provenance={"seed": 0})
    model.eval()
    with torch.inference_mode():
        expected = encoder.embed(normalize(clips), PLATFORMS)
    return skyreid.load(folder).embed(clips, ["ground", "aerial", "ground", "aerial"]), expected


def test_the_sweep_leaves_out_no_method_and_no_recipe():
    assert {model.method for model in ONCE} == set(BASELINES)
    assert set(COMPARED) | set(TWO_STAGE) == set(RECIPES)


def is_slow(recipe):
    """Eight frames instead of a method's own add no part, only time."""
    return recipe.endswith("-common") or COMPARED[recipe].method in HEAVY


@pytest.mark.parametrize(
    "recipe", [pytest.param(name, marks=[pytest.mark.slow] if is_slow(name) else []) for name in ONCE.values()]
)
def test_a_method_gives_losses_and_gradients_and_embeds_the_same_after_saving(recipe, tmp_path):
    config, model_config = COMPARED[recipe], MODEL_OF[recipe]
    model, clips = build_baseline(model_config), drawn_clips(config)
    model.look_at([(normalize(clips), PLATFORMS, torch.arange(4) % IDENTITIES)])
    forward_and_backward(BaselineStep(model), clips)
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    found, expected = saved_and_loaded(
        tmp_path / "checkpoint", model, model, {"kind": "baseline", "model": to_json(model_config)}, clips
    )
    assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("recipe", TWO_STAGE)
def test_a_two_stage_recipe_gives_losses_and_gradients_and_embeds_the_same_after_saving(recipe, tmp_path):
    config = small_two_stage(TWO_STAGE[recipe])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = VslaClip(config.model, num_identities=IDENTITIES)
    clips = drawn_clips(config)
    texts = None
    if config.stage2.loss.needs_text:
        model.train_in_stage1()
        texts = model.text_features(torch.arange(IDENTITIES))
        texts.square().sum().backward()
        assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    model.train_in_stage2(config.stage2.tuned, config.stage2.loss.identity_on)
    step = Stage2Step(model, PROCESSES, config.stage2.loss, texts.detach() if texts is not None else None)
    forward_and_backward(step, clips)
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    found, expected = saved_and_loaded(
        tmp_path / "checkpoint", model, model.encoder, {"kind": "vsla-clip", "model": to_json(config.model)}, clips
    )
    assert_close(found, expected, rtol=1e-5, atol=1e-5)


def small_two_stage(config):
    """The recipe's parts at the size of the tests' tiny tower."""
    tiny = tiny_config()
    full = config.model
    intra_frame, cross_frame = (
        tiny_size if size is not None else None
        for tiny_size, size in (
            (tiny.image.adapters.intra_frame, full.image.adapters.intra_frame),
            (tiny.image.adapters.cross_frame, full.image.adapters.cross_frame),
        )
    )
    adapters = replace(full.image.adapters, intra_frame=intra_frame, cross_frame=cross_frame)
    return replace(
        config,
        model=replace(
            full,
            image=replace(tiny.image, activation=full.image.activation, adapters=adapters),
            text=tiny.text,
            embed_dim=tiny.embed_dim,
        ),
    )


EXPORT = """
import json, sys
from pathlib import Path
from skyreid.errors import SettingError
from skyreid.extraction.exporting import export_checkpoint
for checkpoint in sorted(Path(sys.argv[1]).iterdir()):
    try:
        report = export_checkpoint(checkpoint, checkpoint / "encoder.pt2").to_json()
    except SettingError as refusal:
        report = {"refusal": str(refusal)}
    (checkpoint / "report.json").write_text(json.dumps(report))
"""


@pytest.mark.slow  # eleven networks, each traced, written, read and run
def test_every_method_is_exported_faithfully_or_refused_by_name(tmp_path):
    """In a process of its own: the checker of shapes cannot follow a shape that is a symbol."""
    models = {model.method: model for model in ONCE}
    for method, model in models.items():
        weights, config = build_baseline(model).state_dict(), {"kind": "baseline", "model": to_json(model)}
        write_checkpoint(tmp_path / method, weights=weights, config=config, provenance={"seed": 0})
    subprocess.run([sys.executable, "-c", EXPORT, str(tmp_path)], check=True)
    for method, model in models.items():
        report = json.loads((tmp_path / method / "report.json").read_text())
        if "refusal" in report:
            assert " cannot be exported: " in report["refusal"], method
            assert not (tmp_path / method / "encoder.pt2").exists()
        else:
            assert report["image_size"] == list(model.image_size)
            assert report["clip_length"] in (None, model.frames)
            assert (tmp_path / method / "encoder.pt2").exists()
