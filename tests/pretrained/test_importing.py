import hashlib
import json

import pytest
import torch

from skyreid.checkpoint import load_strictly, read_checkpoint
from skyreid.errors import CheckpointError, UnsafeFileError
from skyreid.files.config_json import from_json
from skyreid.models.tower_pair import TowerPair
from skyreid.models.vsla_clip import VslaClip, VslaClipConfig
from skyreid.pretrained.importing import FORMATS, import_weights
from skyreid.pretrained.release import model_from_release
from tests.pretrained.archives import Call
from tests.reference.micro_weights import micro_release_state


@pytest.fixture
def clip_file(known, tmp_path):
    torch.save(known.state, tmp_path / "clip.pt")
    return tmp_path / "clip.pt"


def test_a_pretrained_pair_becomes_a_checkpoint(known, clip_file, tmp_path):
    report = import_weights("openai", clip_file, tmp_path / "out", image_size=(32, 32))
    checkpoint = read_checkpoint(tmp_path / "out")
    assert (checkpoint.config["kind"], checkpoint.config["vocabulary"]) == ("clip-pair", 49408)
    pair = TowerPair(from_json(VslaClipConfig, checkpoint.config["model"]), vocabulary=49408)
    load_strictly(pair, checkpoint.weights, origin="out")
    known.assert_computed_by(pair)
    source = {"name": "clip.pt", "sha256": hashlib.sha256(clip_file.read_bytes()).hexdigest()}
    assert checkpoint.provenance["imported"]["sources"] == {"file": source}
    assert checkpoint.provenance["imported"]["format"] == "openai"
    assert (report.kind, report.mapped, report.sha256) == ("clip-pair", 61, source["sha256"])


def test_a_trained_model_becomes_a_checkpoint(tmp_path):
    state = micro_release_state()
    torch.save(state, tmp_path / "ViT-B-16_120.pth")
    report = import_weights("release", tmp_path / "ViT-B-16_120.pth", tmp_path / "out")
    checkpoint = read_checkpoint(tmp_path / "out")
    assert (checkpoint.config["kind"], checkpoint.config["num_identities"]) == ("vsla-clip", 5)
    model = VslaClip(from_json(VslaClipConfig, checkpoint.config["model"]), num_identities=5)
    load_strictly(model, checkpoint.weights, origin="out")
    for name, tensor in model_from_release(state).state_dict().items():
        assert torch.equal(tensor, checkpoint.weights[name]), name
    assert report.mapped == len(state)


def test_the_report_says_what_was_read_and_left_out(known, clip_file, tmp_path):
    larger_table, temperature = (16 * 8 - 2 * 2) * 64, 1
    parameters = sum(p.numel() for p in known.clip.parameters()) + larger_table - temperature
    report = import_weights("openai", clip_file, tmp_path / "out")
    assert report.lines() == [
        f"{clip_file}: 61 tensors read as openai, 4 keys left out",
        "  left out: logit_scale (CLIP's temperature; the losses here have their own, which the recipes set)",
        "  left out: input_resolution and 2 more (a size, which the shapes tell as well)",
        "  frames: 256 x 128, patches of 16",
        "  image tower: 2 blocks, 64 wide",
        "  text tower: 2 blocks, 64 wide",
        "  shared space: 32",
        f"  parameters: {parameters}",
        "  vocabulary: 49408",
        "  fed with: clips of 8 frames (one-clip), 256 x 128 RGB",
        f"  sha256: {report.sha256}",
        f"clip-pair written to {tmp_path / 'out'}",
    ]
    assert json.loads(json.dumps(report.to_json()))["dropped"].keys() == report.dropped.keys()


def test_a_refused_file_leaves_nothing_behind(tmp_path):
    torch.save({"w": Call(print, "canary")}, tmp_path / "evil.pt")
    with pytest.raises(UnsafeFileError, match=r"names '__builtin__\.print'"):
        import_weights("openai", tmp_path / "evil.pt", tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["evil.pt"]


def test_nothing_is_overwritten(clip_file, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(CheckpointError, match="out exists; name a folder that does not, or remove it"):
        import_weights("openai", clip_file, tmp_path / "out")


def test_an_unknown_format_is_refused_with_the_known_ones(clip_file, tmp_path):
    with pytest.raises(CheckpointError, match=r"no weights format is called 'open-clip' \(did you mean 'open_clip'"):
        import_weights("open-clip", clip_file, tmp_path / "out")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_refuses_a_file_that_is_not_its_own(name, tmp_path):
    torch.save({"w": torch.zeros(1)}, tmp_path / "other.pt")
    table = tmp_path / "other.pt" if name == "vifi" else None
    with pytest.raises(CheckpointError, match=r"other\.pt: has no "):
        import_weights(name, tmp_path / "other.pt", tmp_path / "out", token_embedding=table)


@pytest.mark.parametrize("format", sorted(FORMATS.keys() - {"release"}))
def test_the_importer_that_fits_is_named(tmp_path, format):
    """Kind C4: a file of another family than was said."""
    torch.save({"model": micro_release_state()}, tmp_path / "mine.pth")
    with pytest.raises(
        CheckpointError, match=f"mine.pth is no file of '{format}': .*'skyreid model import release' reads"
    ):
        import_weights(format, tmp_path / "mine.pth", tmp_path / "out")


def test_openai_s_names_are_known_and_what_needs_no_import_is_told(known, clip_file, tmp_path):
    with pytest.raises(
        CheckpointError, match="'skyreid model import openai' or 'skyreid model import open_clip' reads"
    ):
        import_weights("release", clip_file, tmp_path / "out")
    import_weights("openai", clip_file, tmp_path / "out", image_size=(32, 32))
    with pytest.raises(CheckpointError, match="a checkpoint that needs no import: name that folder"):
        import_weights("release", tmp_path / "out/model.safetensors", tmp_path / "again")


def test_a_folder_is_answered_with_the_files_of_weights_in_it(clip_file, tmp_path):
    with pytest.raises(CheckpointError, match=r"it is a folder; did you mean .*clip\.pt\?$"):
        import_weights("openai", tmp_path, tmp_path / "out")
