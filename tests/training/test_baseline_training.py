"""A method of the comparison from the command line: trained, killed and resumed, loaded without its training data."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from einops import rearrange
from safetensors.torch import load_file

import skyreid
from skyreid.clips.frame_reading import read_frame, resize
from skyreid.clips.frame_sampling import all_consecutive
from skyreid.clips.identity_sampler import IdentitySamplerConfig
from skyreid.datasets import read_benchmark
from skyreid.errors import CheckpointError, SettingError
from skyreid.extraction.embed_tracklets import ExtractionConfig
from skyreid.pretrained.pair_checkpoint import TINY_TOWERS
from skyreid.recipes.comparison import ap3d_native
from skyreid.tracklet import Platform
from skyreid.training import train

SMALL = (
    "--image-size 64 32 --clip-length 2 --extraction.clip-length 2 --sampler.identities 4 --sampler.tracklets 2 "
    "--epochs 4 --schedule.peak 1e-3"
).split()


def small(root, run_dir):
    """What the command line is told above."""
    return replace(
        ap3d_native("ap3d", "g2a-vreid"),
        data_root=root,
        run_dir=run_dir,
        image_size=(64, 32),
        clip_length=2,
        extraction=ExtractionConfig(clip_length=2, sampling="all-consecutive"),
        sampler=IdentitySamplerConfig(identities=4, tracklets=2),
        epochs=4,
        schedule=replace(ap3d_native("ap3d", "g2a-vreid").schedule, peak=1e-3),
    )


def command(root, run_dir, *more):
    return ["-m", "skyreid", "train", "ap3d-native", "--data-root", str(root), "--run-dir", str(run_dir), *SMALL, *more]


@pytest.fixture(scope="module")
def data(tiny_g2a, tmp_path_factory):
    """A copy that a test may take away."""
    return shutil.copytree(tiny_g2a, tmp_path_factory.mktemp("data") / "g2a")


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    return train(small(data, tmp_path_factory.mktemp("whole") / "run"))


@pytest.fixture(scope="module")
def log(finished):
    lines = (finished.checkpoint.parent / "log.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_training_lowers_the_loss_whose_terms_are_logged(log):
    assert [entry["step"] for entry in log] == [1, 2, 3, 4]
    for entry in log:
        assert entry["loss"] == pytest.approx(entry["identity"] + entry["triplet"])
    losses = [entry["loss"] for entry in log]
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.slow  # the run folder is that of the two stages, whose killed run is in every run of the tests
def test_a_killed_run_ends_in_the_same_bits_after_resuming(data, tmp_path, finished):
    run_dir = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, *command(data, run_dir)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    log = run_dir / "log.jsonl"
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and process.poll() is None:
        if log.exists() and log.read_text().count("\n") >= 2:
            break
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (run_dir / "checkpoint").exists(), "the run finished before it could be killed"

    train(small(data, run_dir), resume=True)
    whole = load_file(finished.checkpoint / "model.safetensors")
    again = load_file(run_dir / "checkpoint" / "model.safetensors")
    assert whole.keys() == again.keys()
    for name, tensor in whole.items():
        assert torch.equal(tensor, again[name]), name
    assert log.read_text() == (finished.checkpoint.parent / "log.jsonl").read_text()


def test_a_run_that_is_done_is_not_trained_again(data, finished):
    run_dir = finished.checkpoint.parent
    state = (run_dir / "state.pt").stat().st_mtime_ns
    assert train(small(data, run_dir), resume=True).scores.mAP == finished.scores.mAP
    assert (run_dir / "state.pt").stat().st_mtime_ns == state
    with pytest.raises(CheckpointError, match="holds a run already: go on with it by --resume"):
        train(small(data, run_dir))


def test_the_checkpoint_gives_the_embeddings_of_its_tables_without_the_training_data(data, finished, tmp_path):
    benchmark = read_benchmark("g2a-vreid", data)
    shutil.copytree(finished.checkpoint, tmp_path / "elsewhere")
    embedder = skyreid.load(tmp_path / "elsewhere")
    table = skyreid.load_table(finished.checkpoint.parent / "gallery.npz")
    assert embedder.feeding.clip_length == 2
    clips = [
        np.stack([resize(read_frame(tracklet.frames[place]), (64, 32)) for place in places])
        for tracklet in benchmark.gallery
        for places in all_consecutive(len(tracklet.frames), 2)
    ]
    frames = rearrange(torch.from_numpy(np.stack(clips)), "clip frame h w c -> clip frame c h w")
    embeddings = embedder.embed(frames, [Platform.AERIAL] * len(clips))
    of_tracklets = rearrange(embeddings.numpy(), "(tracklet clip) dim -> tracklet clip dim", clip=3).mean(axis=1)
    # Other batches than the run's: PyTorch may take another kernel for them, which sums in another order.
    scale = np.abs(table.embeddings).max()
    np.testing.assert_allclose(of_tracklets, table.embeddings, rtol=0, atol=1e-5 * scale)
    metrics = json.loads((finished.checkpoint / "metrics.json").read_text())
    assert (metrics["protocol"], metrics["queries"], metrics["epoch"]) == ("ground-to-aerial", 4, 4)


@pytest.mark.slow  # two processes that load PyTorch
def test_two_processes_are_refused(data, tmp_path):
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    refused = subprocess.run(
        [sys.executable, *launcher, *command(data, tmp_path / "run")], capture_output=True, text=True, timeout=120
    )
    assert refused.returncode != 0
    message = (
        "error: the methods of the comparison are trained by one process, since their batch normalisation must see "
        "the whole batch; got 2"
    )
    assert message in refused.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"method": "ap4d"}, "no method is called 'ap4d' (did you mean 'ap3d'?); there are "),
        (
            {"sampler": IdentitySamplerConfig(identities=9)},
            "a batch of 9 identities needs as many; the training set has 4",
        ),
    ],
)
def test_settings_that_cannot_work_leave_no_folder_behind(changed, message, data, tmp_path):
    with pytest.raises(SettingError, match=f"^{re.escape(message)}"):
        train(replace(small(data, tmp_path / "run"), **changed))
    assert not (tmp_path / "run").exists()


def test_clips_of_two_lengths_are_refused(tmp_path):
    message = (
        "a method is tested with clips as long as those it is trained with; got clip_length=3, extraction.clip_length=2"
    )
    with pytest.raises(SettingError, match=f"^{re.escape(message)}$"):
        replace(small(tmp_path, tmp_path), clip_length=3)


def test_tf_clip_starts_from_a_clip_pair_and_the_others_from_a_file(data, tmp_path):
    """The small CLIP is a pair, of another size than TF-CLIP's tower."""
    config = replace(small(data, tmp_path / "run"), pretrained=TINY_TOWERS)
    with pytest.raises(SettingError, match=r"^image tower width differs from the pretrained one: 768 and 128$"):
        train(replace(config, method="tf-clip"))
    with pytest.raises(CheckpointError, match=r"must be a file of weights .*; it is a checkpoint folder"):
        train(config)
