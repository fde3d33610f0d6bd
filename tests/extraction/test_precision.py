"""Which precision a model computes in, and that it says so."""

import json

import numpy as np
import pytest
import torch
from torch import nn

import skyreid
from skyreid.datasets.manifest import write_manifest
from skyreid.errors import SettingError
from skyreid.extraction.embed_folder import embed
from skyreid.extraction.precision import (
    LEAST_COSINE,
    LEAST_GAIN,
    LEAST_GFLOP,
    gflop_of_a_clip,
    measured,
    on_threads,
    probe,
    with_precision,
)
from skyreid.models.fast_encoder import FastEncoder
from skyreid.models.vsla_clip import VideoEncoder, VslaClipConfig
from skyreid.retrieval.embedding_table import load_table, save_table
from tests.tiny_model import IMAGE_SIZE, tiny_model


class Slowed(VideoEncoder):
    """The tiny encoder, taking its time, so that anything is faster."""

    def embed(self, frames, platforms):
        for _ in range(200):
            torch.randn(100, 100) @ torch.randn(100, 100)
        return super().embed(frames, platforms)


class Hurried(VideoEncoder):
    """The tiny encoder, which knows its answer the second time, so that nothing is faster."""

    known = None

    def embed(self, frames, platforms):
        if self.known is None:
            self.known = super().embed(frames, platforms)
        return self.known


def encoder_of(kind):
    encoder = tiny_model().encoder.eval()
    encoder.__class__ = kind
    return encoder


def test_the_exact_path_is_the_readable_encoder():
    encoder = tiny_model().encoder
    computing, policy = with_precision(encoder, "float32")
    assert computing is encoder
    assert (policy.precision, policy.engine, policy.why) == ("float32", "readable", "asked for")


def test_a_small_model_stays_exact_by_itself_so_that_published_scores_stay(save_checkpoint):
    embedder = skyreid.load(save_checkpoint())
    assert (embedder.policy.precision, embedder.policy.gain) == ("float32", None)
    assert isinstance(embedder.encoder, VideoEncoder)


def test_what_is_asked_for_is_taken_without_a_probe(save_checkpoint):
    embedder = skyreid.load(save_checkpoint(), precision="bfloat16")
    assert isinstance(embedder.encoder, FastEncoder)
    assert embedder.policy.in_words() == "bfloat16 (fast, 1 thread): asked for"
    clips = np.random.default_rng(0).integers(0, 256, (2, 4, 3, *IMAGE_SIZE), dtype=np.uint8)
    exact = skyreid.load(save_checkpoint(), precision="float32").embed(clips, "ground")
    found = embedder.embed(clips, "ground")
    assert torch.cosine_similarity(found, exact).min() > LEAST_COSINE
    assert not torch.equal(found, exact)


def test_float16_without_a_gpu_is_refused(save_checkpoint):
    with pytest.raises(SettingError, match="precision float16 needs a GPU; on a CPU choose float32 or bfloat16"):
        skyreid.load(save_checkpoint(), precision="float16")


def test_a_probe_takes_fewer_bits_that_are_faster_and_point_the_same_way():
    policy = probe(encoder_of(Slowed), "bfloat16")
    assert (policy.precision, policy.engine) == ("bfloat16", "fast")
    assert policy.gain >= LEAST_GAIN
    assert policy.cosine >= LEAST_COSINE
    assert f"{policy.gain:.1f} times as fast" in policy.why


def test_a_probe_refuses_fewer_bits_that_turn_embeddings_away():
    encoder = encoder_of(Slowed)
    with torch.no_grad():  # whom a token looks at hangs on the last bits
        for block in encoder.tower.blocks:
            block.attention.query.weight.mul_(1000)
            block.attention.out.weight.mul_(10)
    policy = probe(encoder, "bfloat16")
    assert policy.cosine < LEAST_COSINE
    assert (policy.precision, policy.engine) == ("float32", "readable")
    assert policy.why == f"bfloat16 turns embeddings away: cosine {policy.cosine:.5f}"


def test_fewer_bits_that_are_not_faster_leave_float32_to_the_fast_engine():
    policy = probe(encoder_of(Hurried), "bfloat16")
    assert policy.gain < LEAST_GAIN
    assert (policy.precision, policy.engine) == ("float32", "fast")
    assert policy.why == f"bfloat16 is only {policy.gain:.1f} times as fast here"


def test_what_was_measured_is_remembered_and_no_second_run_decides_otherwise(monkeypatch, tmp_path):
    monkeypatch.setenv("SKYREID_CACHE", str(tmp_path))
    told = []
    weights = {"low": "bfloat16", "model": "a" * 64}
    first = measured(encoder_of(Slowed), **weights, progress=lambda *report: told.append(report))
    assert first.precision == "bfloat16"
    assert told == [("choose precision", 0, 1), ("choose precision", 1, 1, first.in_words())]
    assert measured(encoder_of(VideoEncoder), **weights) == first  # which would gain less by it now
    (remembered,) = (tmp_path / "precision").iterdir()
    remembered.write_text(json.dumps({"precision": "float8"}))
    assert measured(encoder_of(Slowed), **weights).precision == "bfloat16"


def test_the_size_of_a_model_decides_who_is_probed():
    with torch.device("meta"):
        large = VideoEncoder(VslaClipConfig())
    assert gflop_of_a_clip(large) == pytest.approx(205, rel=0.05)
    assert gflop_of_a_clip(tiny_model().encoder) < LEAST_GFLOP
    assert gflop_of_a_clip(nn.Linear(1, 1)) == float("inf")


def test_a_large_model_without_faster_products_is_computed_fast_in_float32():
    with torch.device("meta"):  # which has none
        large = VideoEncoder(VslaClipConfig())
    computing, policy = with_precision(large, model="a" * 64)
    assert isinstance(computing, FastEncoder)
    assert (policy.precision, policy.engine, computing.dtype) == ("float32", "fast", torch.float32)


def test_a_table_says_in_which_precision_it_was_computed(save_checkpoint, footage, tracklets, tmp_path):
    write_manifest(footage / "manifest.jsonl", tracklets)
    exact = embed(footage, save_checkpoint(), tmp_path / "exact.npz")
    fast = embed(footage, save_checkpoint(), tmp_path / "fast.npz", precision="bfloat16")
    assert (exact.precision, load_table(tmp_path / "fast.npz").precision) == ("float32", "bfloat16")
    assert exact.concatenate(fast.select(fast.pids < 0)).precision is None
    save_table(tmp_path / "cut.npz", fast.select(fast.pids > 0))
    assert load_table(tmp_path / "cut.npz").precision == "bfloat16"


def test_threads_are_given_back():
    before = torch.get_num_threads()
    with on_threads(2) as used:
        assert used == torch.get_num_threads() == 2
    assert torch.get_num_threads() == before
    with pytest.raises(SettingError, match="threads must be at least 1; got 0"), on_threads(0):
        pass
