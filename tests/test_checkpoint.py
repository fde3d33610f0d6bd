"""A checkpoint folder: whole or not at all, and loaded key by key."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
import torch
from torch import nn

from skyreid.checkpoint import build_to_fit, load_strictly, provenance_of_this_run, read_checkpoint, write_checkpoint
from skyreid.errors import CheckpointError

WEIGHTS = {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor(3)}
CONFIG = {"kind": "test", "sizes": [1, 2]}


def write(folder, **changes):
    write_checkpoint(folder, **{"weights": WEIGHTS, "config": CONFIG, "provenance": {"seed": 1}, **changes})


def test_what_is_written_comes_back(tmp_path):
    write(tmp_path / "made" / "checkpoint", metrics={"mAP": 0.5})
    checkpoint = read_checkpoint(tmp_path / "made" / "checkpoint")
    assert checkpoint.config == CONFIG
    assert checkpoint.provenance == {"seed": 1}
    assert checkpoint.weights.keys() == WEIGHTS.keys()
    assert all(torch.equal(checkpoint.weights[key], WEIGHTS[key]) for key in WEIGHTS)
    assert json.loads((tmp_path / "made" / "checkpoint" / "metrics.json").read_text()) == {"mAP": 0.5}


def test_the_folder_holds_the_documented_files_and_nothing_is_left_beside_it(tmp_path):
    write(tmp_path / "checkpoint")
    files = [path.name for path in (tmp_path / "checkpoint").iterdir()]
    assert sorted(files) == ["config.json", "model.safetensors", "provenance.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]
    (tmp_path / "other").mkdir()
    assert (tmp_path / "checkpoint").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_weights_that_share_or_transpose_memory_are_written_as_they_look(tmp_path):
    table = torch.arange(12.0).view(3, 4)
    write(tmp_path / "checkpoint", weights={"transposed": table.T, "row": table[1]})
    weights = read_checkpoint(tmp_path / "checkpoint").weights
    assert torch.equal(weights["transposed"], table.T)
    assert torch.equal(weights["row"], table[1])


def test_an_older_checkpoint_is_replaced_whole(tmp_path):
    write(tmp_path / "checkpoint", metrics={"mAP": 0.5})
    write(tmp_path / "checkpoint", weights={"c": torch.zeros(1)})
    assert read_checkpoint(tmp_path / "checkpoint").weights.keys() == {"c"}
    assert not (tmp_path / "checkpoint" / "metrics.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_a_failed_write_leaves_the_older_checkpoint_and_nothing_else(tmp_path):
    write(tmp_path / "checkpoint")
    with pytest.raises(TypeError, match="not JSON serializable"):
        write(tmp_path / "checkpoint", weights={"c": torch.zeros(1)}, metrics={"mAP": object()})
    assert read_checkpoint(tmp_path / "checkpoint").weights.keys() == WEIGHTS.keys()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
import torch
from skyreid.checkpoint import write_checkpoint

class Deadly(dict):
    def __bool__(self):
        return True
    def items(self):
        os.kill(os.getpid(), signal.SIGKILL)

for where in ("config", "provenance", "metrics"):
    for folder in sys.argv[1:]:
        if os.fork() == 0:
            parts = {"config": {}, "provenance": {}, "metrics": {}, where: Deadly(a=1)}
            write_checkpoint(Path(folder), weights={"c": torch.zeros(1)}, **parts)
            os._exit(3)
        print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def test_a_writer_that_is_killed_leaves_the_older_checkpoint_or_none(tmp_path):
    write(tmp_path / "older")
    folders = [str(tmp_path / "older"), str(tmp_path / "none")]
    finished = subprocess.run(
        [sys.executable, "-c", KILLED_WRITER, *folders], capture_output=True, text=True, check=True
    )
    assert finished.stdout.split() == [str(-signal.SIGKILL)] * 6
    assert read_checkpoint(tmp_path / "older").weights.keys() == WEIGHTS.keys()
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", ["folder", "file"])
def test_what_is_no_checkpoint_is_never_replaced_by_one(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").touch()
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=f"{name}: must be new, empty, or a checkpoint"):
        write(tmp_path / name)
    assert (tmp_path / "folder" / "thesis.tex").exists()


def test_a_checkpoint_whose_writer_was_killed_between_two_names_is_found_by_its_reader(tmp_path):
    """Kind B5: killed between two renames leaves none."""
    write(tmp_path / "checkpoint")
    staging = tmp_path / ".checkpoint.0123456789abcdef.partial"
    staging.mkdir()
    (staging / "lock").touch()
    (tmp_path / "checkpoint").rename(staging / "old")
    write(staging / "new", weights={"c": torch.zeros(1)})
    assert read_checkpoint(tmp_path / "checkpoint").weights.keys() == {"c"}
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


@pytest.mark.skipif(os.name == "nt", reason="sizes of files cannot be limited there")
def test_a_full_disk_is_told_with_the_file_that_did_not_fit(tmp_path):
    """Kind B7: errors without a file name."""
    program = """
import resource, signal, sys
from pathlib import Path
import torch
from skyreid.checkpoint import write_checkpoint
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_checkpoint(Path(sys.argv[1]), weights={"c": torch.zeros(1000)}, config={}, provenance={})
except OSError as error:
    print(error.filename)
"""
    path = tmp_path / "checkpoint"
    finished = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == str(path / "model.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_missing_is_named_with_the_remedy(tmp_path):
    write(tmp_path / "checkpoint")
    (tmp_path / "checkpoint" / "config.json").unlink()
    message = f"{tmp_path / 'checkpoint'} is no whole checkpoint: config.json missing; make it again"
    with pytest.raises(CheckpointError, match=f"^{re.escape(message)}$"):
        read_checkpoint(tmp_path / "checkpoint")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "provenance.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1, 2]"])
def test_a_file_that_is_cut_or_something_else_is_refused(tmp_path, name, content):
    write(tmp_path / "checkpoint")
    (tmp_path / "checkpoint" / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=f"^{re.escape(str(tmp_path / 'checkpoint'))}: cannot be read: "):
        read_checkpoint(tmp_path / "checkpoint")


def test_weights_are_loaded_when_every_key_fits():
    layer = nn.Linear(3, 2)
    load_strictly(layer, {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}, origin="x")
    assert (layer.weight == 1).all()
    assert not layer.bias.any()


def test_missing_unexpected_and_mis_shaped_keys_are_all_listed_and_nothing_is_loaded():
    layer = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    before = {key: tensor.clone() for key, tensor in layer.state_dict().items()}
    given = {
        "0.weight": torch.ones(2, 4),
        "0.bias": torch.ones(2),
        "1.weight": torch.ones(1, 2),
        "2.bias": torch.ones(1),
    }
    message = (
        "run: weights do not fit the model: missing 1.bias; unexpected 2.bias; "
        "0.weight has shape [2, 4], the model wants [2, 3]"
    )
    with pytest.raises(CheckpointError, match=f"^{re.escape(message)}$"):
        load_strictly(layer, given, origin="run")
    assert all(torch.equal(tensor, before[key]) for key, tensor in layer.state_dict().items())


def test_a_long_list_is_cut_and_says_how_much_is_missing():
    with pytest.raises(CheckpointError, match=r"unexpected extra09; and 7 more$"):
        load_strictly(nn.Identity(), {f"extra{i:02}": torch.zeros(1) for i in range(17)}, origin="run")


def test_provenance_says_what_made_a_result():
    provenance = provenance_of_this_run(seed=7, world_size=2, data_sha256="ab")
    assert {key: provenance[key] for key in ("seed", "world_size", "data_sha256")} == {
        "seed": 7,
        "world_size": 2,
        "data_sha256": "ab",
    }
    assert provenance["torch"] == torch.__version__
    assert provenance.keys() >= {"skyreid", "commit", "dirty", "python", "threads", "machine"}
    json.dumps(provenance)


def layers(number, width=3):
    return lambda: nn.Sequential(*(nn.Linear(width, width) for _ in range(number)))


def test_a_model_is_built_when_its_weights_fit():
    weights = layers(2)().state_dict()
    model = build_to_fit(layers(2), weights, origin="run")
    assert all(torch.equal(tensor, weights[key]) for key, tensor in model.state_dict().items())
    assert {parameter.device.type for parameter in model.parameters()} == {"cpu"}


def test_a_config_that_asks_for_terabytes_is_compared_with_the_weights_before_memory_is_taken():
    """Kind 11-B4: 400 TB on paper."""
    with pytest.raises(CheckpointError, match=r"run: weights do not fit the model: 0.bias has shape \[3\], the model"):
        build_to_fit(layers(1, width=10**7), layers(1)().state_dict(), origin="run")


def test_a_config_of_a_billion_layers_is_stopped_at_the_first_thousand():
    """Kind 11-B4."""
    with pytest.raises(CheckpointError, match="run: its config asks for more than 1004 tensors; its weights hold 2"):
        build_to_fit(layers(10**9), layers(1)().state_dict(), origin="run")


def test_a_config_of_which_no_model_can_be_built_is_refused_in_one_line():
    """Kind 11-B7: such as a stride of 0."""
    with pytest.raises(CheckpointError, match=r"^run: no model can be built from its config: .*division"):
        build_to_fit(lambda: nn.Linear(1 // 0, 3), {}, origin="run")


def test_all_files_of_a_checkpoint_are_as_readable_as_any_other_of_their_owner(tmp_path):
    """Kind C8: the library behind the weights, and tempfile, keep what they make for its owner."""
    write_checkpoint(tmp_path / "model", weights={"a": torch.zeros(2)}, config={}, provenance={})
    (tmp_path / "other").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    usual = (tmp_path / "other").stat().st_mode
    assert {file.name: file.stat().st_mode for file in (tmp_path / "model").iterdir()} == dict.fromkeys(
        ("model.safetensors", "config.json", "provenance.json"), usual
    )
    assert (tmp_path / "model").stat().st_mode == (tmp_path / "folder").stat().st_mode
