"""How a training begins: what cannot work claims no folder and costs no minute, and a run goes on wherever it lies now.

Kind C3. Trainings are those of the small recipe, with one epoch a stage, on four people.
"""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from skyreid.clips.identity_sampler import IdentitySamplerConfig
from skyreid.errors import CheckpointError, SettingError
from skyreid.extraction.embed_tracklets import ExtractionConfig
from skyreid.pretrained.pair_checkpoint import TINY_TOWERS
from skyreid.recipes.comparison import common
from skyreid.recipes.simulated import vsla_clip_small
from skyreid.retrieval.embedding_table import load_table
from skyreid.training import train

TWO_BY_TWO = IdentitySamplerConfig(identities=2, tracklets=2)


def small(data_root: Path, run_dir: Path, **changes):
    recipe = vsla_clip_small()
    settings = {
        "data_root": data_root,
        "run_dir": run_dir,
        "stage1": replace(recipe.stage1, epochs=1),
        "stage2": replace(recipe.stage2, epochs=1, sampler=TWO_BY_TWO),
    }
    return replace(recipe, **{**settings, **changes})


@pytest.fixture(scope="module")
def finished(tiny_g2a, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("finished") / "run"
    train(small(tiny_g2a, run_dir))
    return run_dir


def test_a_typo_in_pretrained_leaves_the_folder_to_the_next_try(tiny_g2a, tmp_path):
    run_dir = tmp_path / "run"
    with pytest.raises(CheckpointError, match=r"wieghts must be a checkpoint folder .*; nothing lies there"):
        train(small(tiny_g2a, run_dir, pretrained=tmp_path / "wieghts"))
    assert not run_dir.exists()
    train(small(tiny_g2a, run_dir))
    assert (run_dir / "checkpoint").is_dir()


def test_weights_of_another_size_leave_the_folder_alone(tiny_g2a, tmp_path):
    recipe = vsla_clip_small()
    image = replace(recipe.model.image, image_size=(32, 32))
    with pytest.raises(CheckpointError, match="image tower image_size differs from the pretrained one"):
        train(small(tiny_g2a, tmp_path / "run", model=replace(recipe.model, image=image)))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stage1": replace(vsla_clip_small().stage1, batch_size=64, drop_last=True)},
         "stage 1 has 8 features, fewer than one batch of 64: lower stage1.batch_size or keep incomplete batches"),
        ({"stage1": replace(vsla_clip_small().stage1, batch_size=64, drop_last=True, augmented_features=True)},
         "stage 1 has 8 features, fewer than one batch of 64"),
        ({"stage2": replace(vsla_clip_small().stage2, sampler=IdentitySamplerConfig(identities=8))},
         "a batch of 8 identities needs as many; the training set has 4"),
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused_before_a_picture_is_read(
    changes, message, tiny_g2a, tmp_path, monkeypatch
):
    monkeypatch.setattr("skyreid.training.run.hash_benchmark", lambda *_, **__: pytest.fail("pictures were read"))
    with pytest.raises(SettingError, match=re.escape(message)):
        train(small(tiny_g2a, tmp_path / "run", **changes))
    assert not (tmp_path / "run").exists()


def test_a_method_of_the_comparison_begins_likewise(tiny_g2a, tmp_path):
    config = replace(
        common("ap3d", "g2a-vreid"),
        data_root=tiny_g2a,
        run_dir=tmp_path / "run",
        sampler=TWO_BY_TWO,
        image_size=(32, 32),
    )
    with pytest.raises(CheckpointError, match=r"resnet50\.pht must be a file of weights .*; nothing lies there"):
        train(replace(config, pretrained=tmp_path / "resnet50.pht"))
    with pytest.raises(SettingError, match="a batch of 8 identities needs as many"):
        train(replace(config, sampler=IdentitySamplerConfig(identities=8)))
    assert not (tmp_path / "run").exists()


def test_a_folder_with_a_run_is_refused_before_anything_is_read(finished, tmp_path):
    with pytest.raises(CheckpointError, match="holds a run already: go on with it by --resume"):
        train(small(tmp_path / "no-such-data", finished, pretrained=tmp_path / "no-such-weights"))


@pytest.mark.parametrize("name", ["clip_length", "batch_size", "threads"])
def test_a_test_without_frames_clips_or_threads_is_refused(name):
    with pytest.raises(SettingError, match=f"extraction.{name} must be at least 1; got 0"):
        ExtractionConfig(**{name: 0})


def spellings(data: Path, run_dir: Path, weights: Path):
    (run_dir.parent / "link").symlink_to(run_dir)
    yield Path("run"), Path("../data"), weights
    yield Path(f"{run_dir}/"), Path(f"{data}/./"), Path(f"{weights}/")
    yield run_dir.parent / "link", run_dir / ".." / ".." / "data", weights


def test_a_run_is_resumed_by_any_spelling_of_its_places(finished, tiny_g2a, tmp_path, monkeypatch):
    data, run_dir = tmp_path / "data", tmp_path / "runs" / "run"
    shutil.copytree(tiny_g2a, data)
    shutil.copytree(finished, run_dir)
    before = load_file(run_dir / "checkpoint" / "model.safetensors")
    monkeypatch.chdir(run_dir.parent)
    for folder, root, weights in spellings(data, run_dir, TINY_TOWERS):
        shutil.rmtree(run_dir / "checkpoint")  # as if it had been killed at its end
        train(small(root, folder, pretrained=weights), resume=True)
    after = load_file(run_dir / "checkpoint" / "model.safetensors")
    assert all(tensor.equal(after[name]) for name, tensor in before.items())


def test_a_run_that_was_stopped_after_its_last_epoch_makes_the_tables_of_one_that_was_not(finished, tiny_g2a, tmp_path):
    """To the bit, though nothing is left to train."""
    run_dir = shutil.copytree(finished, tmp_path / "run")
    shutil.rmtree(run_dir / "checkpoint")
    train(small(tiny_g2a, run_dir), resume=True)
    for name in ("query.npz", "gallery.npz"):
        assert load_table(run_dir / name).embeddings.tobytes() == load_table(finished / name).embeddings.tobytes()


def test_a_run_that_moved_with_its_data_and_its_weights_goes_on_and_notes_where_it_is(finished, tiny_g2a, tmp_path):
    moved = {name: tmp_path / "elsewhere" / name for name in ("data", "run", "weights")}
    for source, target in zip((tiny_g2a, finished, TINY_TOWERS), moved.values(), strict=True):
        shutil.copytree(source, target)
    train(small(moved["data"], moved["run"], pretrained=moved["weights"]), resume=True)
    config = json.loads((moved["run"] / "config.json").read_text())
    assert (config["run_dir"], config["data_root"]) == (str(moved["run"]), str(moved["data"]))


def test_what_differs_beside_the_places_is_still_refused(finished, tiny_g2a):
    with pytest.raises(CheckpointError, match=r"was started with another configuration: pretrained was .*, is None"):
        train(small(tiny_g2a, finished, pretrained=None), resume=True)
    with pytest.raises(CheckpointError, match="seed was 1234, is 1"):
        train(small(tiny_g2a, finished, seed=1), resume=True)


def test_other_weights_at_the_named_place_are_noticed(finished, tiny_g2a, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoint")
    shutil.copytree(TINY_TOWERS, tmp_path / "weights")
    weights = load_file(TINY_TOWERS / "model.safetensors")
    save_file({name: tensor + 1 for name, tensor in weights.items()}, tmp_path / "weights" / "model.safetensors")
    with pytest.raises(CheckpointError, match="the run started from other weights"):
        train(small(tiny_g2a, tmp_path / "run", pretrained=tmp_path / "weights"), resume=True)
