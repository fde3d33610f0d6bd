"""A finished run to scores and a page: a real, tiny training on drawn people."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from skyreid.checkpoint import weights_sha256
from skyreid.datasets import read_benchmark
from skyreid.datasets.data_hash import data_sha256, hash_benchmark
from skyreid.errors import ChangedFrameError, CheckpointError, DatasetError
from skyreid.evaluation.results.paired_difference import compare
from skyreid.evaluation.results.result_file import read_result
from skyreid.experiments.checkpoint_evaluation import evaluate_checkpoint
from skyreid.pretrained.pair_checkpoint import TINY_TOWERS
from skyreid.recipes.simulated import vsla_clip_simulated
from skyreid.retrieval.embedding_table import load_table
from skyreid.simulation.crop_benchmark import write_crop_benchmark
from skyreid.training import train

GROUND_COSINE = "ground-to-aerial.one-clip.cosine.json"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world") / "people"
    write_crop_benchmark(folder, identities=34, frames_per_tracklet=3, seed=5)
    return folder


@pytest.fixture(scope="module")
def run(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    config = vsla_clip_simulated(world, folder, seed=0, epochs=1)
    few = replace(config.stage2, sampler=replace(config.stage2.sampler, identities=8))
    train(replace(config, stage1=replace(config.stage1, epochs=1), stage2=few))
    return folder


@pytest.fixture(scope="module")
def evaluation(run):
    return evaluate_checkpoint(run)


def test_every_direction_sampling_and_ranking_has_its_own_result(evaluation, run):
    cards = [one.result.card for one in evaluation.scored]
    assert {(card.protocol, card.sampling, card.ranker) for card in cards} == {
        (protocol, sampling, ranker)
        for protocol in ("ground-to-aerial", "aerial-to-ground")
        for sampling in ("one-clip", "all-frames")
        for ranker in ("cosine", "k-reciprocal (20, 6, 0.3)")
    }
    assert len(list((run / "evaluation").glob("*.json"))) == len(cards) == 8


def test_the_result_is_the_score_that_training_printed(evaluation, run):
    metrics = json.loads((run / "checkpoint" / "metrics.json").read_text())
    result = read_result(run / "evaluation" / GROUND_COSINE)
    assert result.scores["mAP"].value == metrics["mAP"]
    assert result.scores["mAP"].low < metrics["mAP"] < result.scores["mAP"].high


def test_the_card_says_what_the_run_knows(evaluation, run, world):
    card = read_result(run / "evaluation" / GROUND_COSINE).card
    provenance = json.loads((run / "checkpoint" / "provenance.json").read_text())
    assert (card.dataset, card.split, card.clip_length, card.flip) == ("g2a-vreid", "0", 4, False)
    assert (card.checkpoint_rule, card.simulated, card.seed) == ("last epoch", True, 0)
    benchmark = hash_benchmark(read_benchmark("g2a-vreid", world))
    tested = data_sha256((*benchmark.query, *benchmark.gallery))
    assert (card.data_sha256, card.commit) == (tested, provenance["commit"])
    assert provenance["data_sha256"] == data_sha256(benchmark.tracklets)
    assert card.not_stated() == [] or card.commit is None


def test_a_run_can_be_traced_to_the_weights_it_began_with(run):
    provenance = json.loads((run / "checkpoint" / "provenance.json").read_text())
    assert provenance["pretrained_sha256"] == weights_sha256(TINY_TOWERS)


def test_queries_are_sliced_by_what_the_simulation_knows_of_them(evaluation, run):
    slices = read_result(run / "evaluation" / GROUND_COSINE).slices
    assert {"crop width", "distance, m", "seen from", "company"} <= {part.column for part in slices}
    assert {part.label for part in slices if part.column == "company"} == {"no", "yes"}


def test_another_sampling_is_other_embeddings_of_the_same_tracklets(evaluation, run):
    one, every = load_table(run / "query.npz"), load_table(run / "evaluation" / "query.all-frames.npz")
    assert np.array_equal(one.tracklet_ids, every.tracklet_ids)
    assert one.model == every.model is not None
    assert not np.allclose(one.embeddings, every.embeddings)


def test_results_of_two_samplings_are_not_compared(evaluation, run):
    a, b = (read_result(run / "evaluation" / f"ground-to-aerial.{s}.cosine.json") for s in ("one-clip", "all-frames"))
    with pytest.raises(ValueError, match="sampling: one-clip and all-frames"):
        compare(a, b)


def test_the_page_says_that_the_people_are_drawn_and_shows_where_the_model_looked(evaluation):
    page = evaluation.page.read_text(encoding="utf-8")
    assert "SIMULATED DATA" in page
    for anchor in ("scores", "slices", "attention", "failures"):
        assert f'id="{anchor}"' in page


def test_a_second_evaluation_embeds_nothing_and_gives_the_same_files(evaluation, run):
    told = []
    before = {path.name: path.read_bytes() for path in (run / "evaluation").iterdir()}
    evaluate_checkpoint(run, progress=lambda task, done, total, note="": told.append(task))
    assert "embedding" not in told
    assert {path.name: path.read_bytes() for path in (run / "evaluation").iterdir()} == before


def test_a_benchmark_that_has_moved_is_found_by_its_new_place(run, world, tmp_path):
    shutil.copytree(world, tmp_path / "moved")
    moved = evaluate_checkpoint(run, tmp_path / "out", root=tmp_path / "moved", all_frames=False, rerank=False)
    assert [one.result.card.ranker for one in moved.scored] == ["cosine", "cosine"]


def test_another_benchmark_is_not_taken_for_that_of_the_training(run, tmp_path):
    """Its people would be scored under the name and the hash of those of the training."""
    write_crop_benchmark(tmp_path / "others", identities=9, frames_per_tracklet=2, seed=5)
    with pytest.raises(
        DatasetError, match=r"others must hold the pictures and people that .*was trained with, of the data sha256"
    ):
        evaluate_checkpoint(run, tmp_path / "out", root=tmp_path / "others")
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_of_0_1_whose_data_are_hashed_otherwise_is_refused_with_its_version(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    provenance = json.loads((copy / "checkpoint/provenance.json").read_text())
    (copy / "checkpoint/provenance.json").write_text(
        json.dumps(provenance | {"skyreid": "0.1.0", "data_sha256": 64 * "0"})
    )
    with pytest.raises(DatasetError, match=r"skyreid 0[.]1, which trained it, may have hashed the same data otherwise"):
        evaluate_checkpoint(copy, tmp_path / "out")


def test_tables_of_other_weights_are_made_again_not_mixed(evaluation, run, tmp_path):
    """Kind B3 of the hostile hands."""
    copy = shutil.copytree(run, tmp_path / "run")
    weights = load_file(copy / "checkpoint/model.safetensors")
    save_file({name: 1.1 * tensor for name, tensor in weights.items()}, copy / "checkpoint/model.safetensors")
    (before, *_), (after, *_) = (
        evaluate_checkpoint(folder, tmp_path / folder.parent.name, all_frames=False, rerank=False).directions
        for folder in (run, copy)
    )
    assert before.query.model == weights_sha256(run / "checkpoint")
    assert after.query.model == after.gallery.model == weights_sha256(copy / "checkpoint") != before.query.model
    assert not np.array_equal(after.query.embeddings, before.query.embeddings)
    assert np.array_equal(after.query.pictures, before.query.pictures)


def test_a_repainted_crop_is_named_before_anything_is_scored(run, world, tmp_path):
    """Kind A4: in an exported folder by its manifest, in a benchmark of others by the data hash of the training."""
    moved = shutil.copytree(world, tmp_path / "moved")
    crop = sorted((moved / "bbox_test").rglob("*.jpg"))[3]
    Image.new("RGB", (40, 80), "red").save(crop)
    with pytest.raises(ChangedFrameError, match=f"{crop.name} was changed"):
        evaluate_checkpoint(run, tmp_path / "out", root=moved)
    (moved / "manifest.jsonl").unlink()
    with pytest.raises(DatasetError, match="must hold the pictures and people"):
        evaluate_checkpoint(run, tmp_path / "out", root=moved)


def test_a_run_that_has_not_finished_is_refused(tmp_path):
    for name in ("config.json", "train.lock"):
        (tmp_path / name).touch()
    with pytest.raises(
        CheckpointError, match="holds a training that has not come to its end: go on with it by --resume"
    ):
        evaluate_checkpoint(tmp_path)
