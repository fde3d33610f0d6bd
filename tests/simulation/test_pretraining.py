"""A small CLIP from nothing."""

import json
import random
from dataclasses import replace

import pytest
import torch

from skyreid.checkpoint import read_checkpoint
from skyreid.errors import CheckpointError
from skyreid.models.identity_prompt import END, START
from skyreid.models.image_tower import ImageTowerConfig
from skyreid.models.text_tower import TextTowerConfig
from skyreid.models.vsla_clip import VslaClipConfig
from skyreid.recipes.simulated import vsla_clip_simulated
from skyreid.simulation.captions import vocabulary
from skyreid.simulation.pretraining import SMALL, PretrainingConfig, batches, pretrain
from skyreid.training.two_stage import build_model

TINY = PretrainingConfig(
    people=40,
    aerial_every=2,
    epochs=2,
    batch_size=16,
    model=VslaClipConfig(
        image=replace(SMALL.image, layers=2, width=64),
        text=TextTowerConfig(width=64, layers=1, context_length=48),
        embed_dim=64,
        platform_prompt=SMALL.platform_prompt,
    ),
)


def test_every_photo_is_shown_once_and_nobody_twice_in_a_batch():
    by_person = {person: [2 * person, 2 * person + 1][: 1 + person % 2] for person in range(16)}
    shown = batches(by_person, 4, random.Random(0))
    everything = sorted(position for positions in by_person.values() for position in positions)
    assert sorted(position for batch in shown for position in batch) == everything
    assert all(len({position // 2 for position in batch}) == 4 for batch in shown)


def test_a_run_can_start_from_what_was_pretrained(tmp_path):
    out = tmp_path / "pair"
    metrics = pretrain(TINY, out)
    assert metrics == json.loads((out / "metrics.json").read_text())
    assert 0 < metrics["temperature"] < 0.08
    checkpoint = read_checkpoint(out)
    assert checkpoint.config["words"] == [START, END, *vocabulary()]
    simulated = vsla_clip_simulated(tmp_path, tmp_path / "run", seed=0)
    image = ImageTowerConfig(**{**vars(TINY.model.image), "adapters": simulated.model.image.adapters})
    config = replace(
        simulated,
        pretrained=out,
        model=replace(simulated.model, image=image, text=TINY.model.text, embed_dim=64),
    )
    model = build_model(config, num_identities=3)
    assert torch.equal(model.text_tower.projection, checkpoint.weights["text_tower.projection"].float())


@pytest.mark.slow
def test_the_same_configuration_gives_the_same_weights(tmp_path):
    first, second = (pretrain(TINY, tmp_path / name) for name in ("first", "second"))
    assert first == second
    weights = [read_checkpoint(tmp_path / name).weights for name in ("first", "second")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_folder_that_exists_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"must not exist yet; remove it or give another folder$"):
        pretrain(TINY, tmp_path)
