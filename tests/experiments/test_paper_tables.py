"""What the rows of the paper's tables change."""

from pathlib import Path

import pytest
import torch

from skyreid.experiments.paper_tables import ABLATIONS, FIGURE_4, TABLE_3, TABLE_4, TABLE_5
from skyreid.experiments.parameter_report import count_parameters
from skyreid.models.vsla_clip import VslaClip
from skyreid.recipes.simulated import vsla_clip_simulated

WHOLE = vsla_clip_simulated(Path("world"), Path("run"), seed=0)


@pytest.mark.parametrize("row", TABLE_3, ids=lambda row: row.name)
def test_a_row_of_table_3_is_the_row_that_the_parameter_report_calls_so(row):
    counts = count_parameters(row.change(WHOLE), num_identities=150)
    assert counts.table3_row == row.name


def test_only_the_last_row_of_table_3_has_a_platform_prompt():
    depths = [row.change(WHOLE).model.platform_prompt.depth for row in TABLE_3]
    assert depths == [0, 0, 0, 0, 0, WHOLE.model.platform_prompt.depth]


def test_rows_without_alignment_have_no_loss_that_reads_text():
    assert [row.change(WHOLE).stage2.loss.needs_text for row in TABLE_3] == [False, True, False, True, True, True]


def test_the_whole_tower_learns_more_slowly_than_the_adapters():
    tuned = {row.change(WHOLE).stage2.tuned: row.change(WHOLE).stage2.schedule.peak for row in TABLE_3}
    assert tuned["image-tower"] < tuned["adapters"]


@pytest.mark.parametrize("row", TABLE_4, ids=lambda row: row.name)
def test_a_row_of_table_4_has_its_bottleneck_in_both_adapters(row):
    adapters = row.change(WHOLE).model.image.adapters
    alpha = int(row.name.removeprefix("alpha "))
    assert (adapters.intra_frame, adapters.cross_frame) == (alpha, alpha)


def test_the_rows_of_table_5_use_the_losses_in_their_names():
    for row in TABLE_5:
        loss = row.change(WHOLE).stage2.loss
        used = {
            "v2sce": loss.visual_semantic_weight,
            "i2t": loss.image_to_text_weight,
            "t2i": loss.text_to_image_weight,
        }
        assert {name for name, weight in used.items() if weight} == set(row.name.split("+"))


def test_figure_4_is_a_grid_of_depths_and_lengths():
    prompts = [row.change(WHOLE).model.platform_prompt for row in FIGURE_4]
    assert len({(prompt.depth, prompt.length) for prompt in prompts}) == len(FIGURE_4) == 12


@pytest.mark.parametrize("table", ABLATIONS)
def test_every_row_is_another_model_that_can_be_built(table):
    configs = [row.change(WHOLE) for row in ABLATIONS[table]]
    assert len({(config.model, config.stage2) for config in configs}) == len(configs)
    with torch.device("meta"):
        for config in configs:
            VslaClip(config.model, num_identities=3)
