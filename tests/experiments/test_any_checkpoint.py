"""Any checkpoint on any benchmark folder (kind C1): real layouts, weights that were never trained."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from skyreid.baselines import BaselineModel, build_baseline
from skyreid.checkpoint import write_checkpoint
from skyreid.datasets.data_hash import with_hashes
from skyreid.datasets.manifest import read_manifest, write_manifest
from skyreid.errors import CheckpointError, DatasetError, ResultError, SettingError, WeightsError
from skyreid.evaluation.results.paired_difference import compare
from skyreid.evaluation.results.result_file import read_result
from skyreid.experiments.checkpoint_evaluation import evaluate_checkpoint
from skyreid.feeding import Feeding
from skyreid.files.config_json import to_json
from skyreid.pretrained.importing import import_weights
from tests.datasets.miniature_trees import MINIATURES
from tests.extraction import networks
from tests.pretrained.reference_clip import make_reference_clip
from tests.reference.micro_weights import micro_release_state


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A CLIP of OpenAI's layout, imported."""
    folder = tmp_path_factory.mktemp("weights")
    torch.save(make_reference_clip().state_dict(), folder / "clip.pt")
    import_weights("openai", folder / "clip.pt", folder / "clip", image_size=(32, 32))
    return folder / "clip"


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A checkpoint of the authors' program, imported."""
    folder = tmp_path_factory.mktemp("weights")
    torch.save(micro_release_state(), folder / "ViT-B-16_120.pth")
    import_weights("release", folder / "ViT-B-16_120.pth", folder / "vsla-clip")
    return folder / "vsla-clip"


@pytest.fixture(scope="module")
def method(tmp_path_factory):
    """A method of the comparison, as its training leaves it, of which only the checkpoint was handed on."""
    folder = tmp_path_factory.mktemp("weights") / "ap3d"
    config = BaselineModel(method="ap3d", num_classes=3, frames=2, image_size=(32, 32))
    feeding = Feeding(clip_length=2, sampling="all-consecutive", image_size=(32, 32), needs_platform=False)
    write_checkpoint(
        folder,
        weights=build_baseline(config).state_dict(),
        config={"kind": "baseline", "model": to_json(config), "feeding": to_json(feeding)},
        provenance={"seed": 3},
    )
    return folder


@pytest.fixture
def tree(tmp_path):
    """A maker of benchmark folders, whose pictures are noise: those of the miniatures are all alike."""

    def make(name):
        root = tmp_path / name
        MINIATURES[name](root)
        if name == "prid-2011":  # whose miniature tests one person, and nobody to take that one for
            split = {"train": ["person_0003"], "test": ["person_0001", "person_0002"]}
            (root / "splits_prid2011.json").write_text(json.dumps([split] * 10))
        rng = np.random.default_rng(0)
        for path in sorted([*root.rglob("*.jpg"), *root.rglob("*.png")]):
            Image.fromarray(rng.integers(0, 256, (16, 8, 3), dtype=np.uint8)).save(path)
        if (root / "manifest.jsonl").exists():
            repaint_manifest(root / "manifest.jsonl")
        return root

    return make


def repaint_manifest(path):
    """List the pictures as they are now."""
    listed = [
        replace(tracklet, frames=tuple(replace(frame, sha256=None) for frame in tracklet.frames))
        for tracklet in read_manifest(path).tracklets
    ]
    write_manifest(path, with_hashes(listed))


@pytest.mark.parametrize("name", MINIATURES)
def test_imported_weights_are_scored_on_every_benchmark(name, pair, tree, tmp_path):
    evaluation = evaluate_checkpoint(pair, tmp_path / "out", data=name, root=tree(name))
    cards = [one.result.card for one in evaluation.scored]
    assert {card.dataset for card in cards} == {name}
    assert {(card.sampling, card.clip_length) for card in cards} == {("one-clip", 8), ("all-frames", 8)}
    assert {(card.checkpoint_rule, card.model) for card in cards} == {("not trained", "clip-pair")}
    (said,) = (line for line in evaluation.lines() if "re-ranking" in line)
    assert said.startswith("without re-ranking, which needs more than 40 tracklets; query and gallery have ")
    assert "imported from" in evaluation.page.read_text(encoding="utf-8")


def test_people_who_were_linked_since_are_scored_anew(pair, tree, tmp_path):
    """The pictures are the same, but the tables of before say other people."""
    root = tree("manifest")
    before = evaluate_checkpoint(pair, tmp_path / "out", data="manifest", root=root, all_frames=False, rerank=False)
    ground, *aerial = read_manifest(root / "manifest.jsonl").tracklets
    write_manifest(root / "manifest.jsonl", [ground, *(replace(t, pid=3 - t.pid) for t in aerial)])
    after = evaluate_checkpoint(pair, tmp_path / "out", data="manifest", root=root, all_frames=False, rerank=False)
    hashes = {one.result.card.data_sha256 for evaluation in (before, after) for one in evaluation.scored}
    assert len(hashes) == 2
    assert [one.gallery.pids.tolist() for run in (before, after) for one in run.directions[:1]] == [[1, 2], [2, 1]]


def test_every_kind_of_checkpoint_is_scored_and_two_are_compared(pair, release, method, tree, tmp_path):
    root = tree("g2a-vreid")
    for checkpoint in (pair, release, method):
        evaluate_checkpoint(checkpoint, tmp_path / checkpoint.name, data="g2a-vreid", root=root, rerank=False)
    results = [
        read_result(tmp_path / checkpoint.name / "ground-to-aerial.all-frames.cosine.json")
        for checkpoint in (pair, release)
    ]
    assert [result.card.checkpoint_rule for result in results] == ["not trained", None]
    with pytest.raises(ValueError, match="checkpoint rule: not trained and not stated"):
        compare(*results)
    one_clip = read_result(tmp_path / method.name / "ground-to-aerial.all-consecutive.cosine.json").card
    assert (one_clip.clip_length, one_clip.seed) == (2, 3)


def test_a_network_of_ones_own_is_scored_like_a_checkpoint(tree, tmp_path):
    text = f"{networks.random_network(tmp_path / 'net.onnx')},colour=rgb,scale=255"
    evaluation = evaluate_checkpoint(text, data="g2a-vreid", root=tree("g2a-vreid"), rerank=False)
    assert evaluation.page == tmp_path / "net-on-g2a-vreid" / "report.html"
    cards = [one.result.card for one in evaluation.scored]
    assert {(card.model, card.sampling, card.clip_length) for card in cards} == {("net", "all-frames", 1)}
    assert len({card.protocol for card in cards}) == 2
    again = evaluate_checkpoint(text, data="g2a-vreid", root=tmp_path / "g2a-vreid", rerank=False)
    assert [one.scores.mAP for one in again.scored] == [one.scores.mAP for one in evaluation.scored]


def test_a_network_says_on_what_it_is_tested_and_published_weights_are_known_by_name(tmp_path, monkeypatch):
    path = networks.random_network(tmp_path / "net.onnx")
    with pytest.raises(SettingError, match=r"was not trained here: say on what it is tested, by --data NAME --root D"):
        evaluate_checkpoint(f"{path},colour=rgb,scale=255", data="mars")
    monkeypatch.setenv("SKYREID_CACHE", str(tmp_path))
    monkeypatch.setenv("SKYREID_OFFLINE", "1")
    with pytest.raises(WeightsError, match=r"^person-reid-0277 is not in the cache, .*get https://"):
        evaluate_checkpoint("person-reid-0277", data="mars", root=tmp_path)
    with pytest.raises(
        SettingError, match=r"person-reid-0276: there is no such file; did you mean the weights person-"
    ):
        evaluate_checkpoint("person-reid-0276", data="mars", root=tmp_path)


def test_the_scores_lie_beside_the_checkpoint_unless_told_otherwise(pair, tree):
    evaluation = evaluate_checkpoint(pair, data="mars", root=tree("mars"), rerank=False, all_frames=False)
    assert evaluation.folder == pair.with_name("clip-on-mars")
    assert "without re-ranking, as asked" in evaluation.lines()
    assert not (pair / "evaluation").exists()
    (scored,) = evaluation.scored
    assert evaluation.result_of("mars") is scored.result
    assert (
        repr(evaluation)
        == f"CheckpointEvaluation({str(evaluation.folder)!r}: mars one-clip mAP {scored.scores.mAP:.1%})"
    )
    with pytest.raises(ResultError, match=r"^no result is of mars all-frames re-ranked; there are: mars one-clip$"):
        evaluation.result_of("mars", "all-frames", reranked=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "was not trained here: say on what it is tested, by --data NAME --root D"),
        ({"data": "mars"}, "the folder of mars is not known: name it by --root"),
        ({"data": "marz"}, "no benchmark is called 'marz'"),
        ({"data": "g2a", "root": "."}, "no benchmark is called 'g2a' (did you mean 'g2a-vreid'?)"),
    ],
)
def test_what_is_missing_is_asked_for(pair, settings, message):
    with pytest.raises((SettingError, DatasetError), match=re.escape(message)):
        evaluate_checkpoint(pair, **settings)


def test_a_folder_that_is_no_checkpoint_says_what_makes_one(tmp_path):
    with pytest.raises(
        CheckpointError, match=r"must be a checkpoint folder .* or the folder of a training .*; it is an empty folder"
    ):
        evaluate_checkpoint(tmp_path, data="mars", root=tmp_path)


def test_a_build_of_one_platform_or_of_unknown_people_cannot_be_scored(pair, tree, tmp_path):
    root = tree("manifest")
    tracklets = read_manifest(root / "manifest.jsonl").tracklets
    write_manifest(root / "manifest.jsonl", tracklets, info={"identities": "per-tracklet"})
    with pytest.raises(DatasetError, match="nobody has said which of its tracklets are the same person"):
        evaluate_checkpoint(pair, tmp_path / "out", data="manifest", root=root)
    write_manifest(root / "manifest.jsonl", [t for t in tracklets if t.platform == "aerial"])
    with pytest.raises(DatasetError, match="it has tracklets of one platform only; embed its cameras apart"):
        evaluate_checkpoint(pair, tmp_path / "out", data="manifest", root=root)
