"""The folder of a run: who may go on with it, what survives a kill, what a log line of a cut epoch is worth."""

import io
import json
import os
import re
import subprocess
import sys

import pytest
import torch
from torch.testing import assert_close

from skyreid.errors import CheckpointError
from skyreid.training.run_folder import RunLog, TrainingState, locked_run
from skyreid.training.run_folder import open_run as open_run_of_data

CONFIG = {"seed": 1, "stage1": {"epochs": 3, "schedule": {"peak": 0.1}}, "pretrained": None}
DATA = "d" * 64


def open_run(path, config, *, resume, data_sha256=DATA):
    return open_run_of_data(path, config, data_sha256=data_sha256, resume=resume)


def make_state(epoch=2):
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return TrainingState(
        stage=1,
        epoch=epoch,
        step=7 * epoch,
        weights=layer.state_dict(),
        optimizer=optimizer.state_dict(),
        gradient_scaler={},
        initial_sha256="0" * 64,
    )


def write_lines(folder, *entries, tail=""):
    lines = [json.dumps({"stage": stage, "step": step, "loss": 0.5}) + "\n" for stage, step in entries]
    (folder / "log.jsonl").write_text("".join(lines) + tail)


def kept_steps(folder):
    entries = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [(entry["stage"], entry["step"]) for entry in entries]


def test_a_fresh_folder_holds_the_configuration_and_no_state(tmp_path):
    folder = open_run(tmp_path / "runs" / "first", CONFIG, resume=False)
    assert json.loads((tmp_path / "runs" / "first" / "config.json").read_text()) == {**CONFIG, "data_sha256": DATA}
    assert folder.load_state() is None
    assert folder.load_features(initial_sha256="0" * 64) is None


def test_a_fresh_folder_may_be_resumed_too(tmp_path):
    assert open_run(tmp_path / "run", CONFIG, resume=True).load_state() is None


def test_a_second_run_in_a_folder_must_be_asked_for(tmp_path):
    open_run(tmp_path, CONFIG, resume=False)
    message = f"{tmp_path} holds a run already: go on with it by --resume, or name another --run-dir"
    with pytest.raises(CheckpointError, match=f"^{re.escape(message)}$"):
        open_run(tmp_path, CONFIG, resume=False)
    assert open_run(tmp_path, CONFIG, resume=True).path == tmp_path


@pytest.mark.parametrize(
    ("other", "differences"),
    [
        ({**CONFIG, "seed": 2}, "seed was 1, is 2"),
        (
            {**CONFIG, "pretrained": "clip", "stage1": {"epochs": 3, "schedule": {"peak": 0.2}}},
            "stage1.schedule.peak was 0.1, is 0.2; pretrained was None, is clip",
        ),
        ({**CONFIG, "stage1": {"schedule": {"peak": 0.1}}}, "stage1.epochs was 3, is absent"),
        ({**CONFIG, "threads": 4}, "threads was absent, is 4"),
    ],
)
def test_resuming_with_another_configuration_names_every_field_that_differs(tmp_path, other, differences):
    open_run(tmp_path, CONFIG, resume=False)
    message = f"{tmp_path} was started with another configuration: {differences}"
    with pytest.raises(CheckpointError, match=f"^{re.escape(message)}$"):
        open_run(tmp_path, other, resume=True)
    assert json.loads((tmp_path / "config.json").read_text()) == {**CONFIG, "data_sha256": DATA}


def test_the_last_state_that_was_saved_comes_back_whole(tmp_path):
    folder = open_run(tmp_path, CONFIG, resume=False)
    folder.save_state(make_state(epoch=1))
    state = make_state(epoch=2)
    folder.save_state(state)
    loaded = open_run(tmp_path, CONFIG, resume=True).load_state()
    assert (loaded.stage, loaded.epoch, loaded.step) == (1, 2, 14)
    assert loaded.initial_sha256 == state.initial_sha256
    assert_close(loaded.weights, dict(state.weights), rtol=0, atol=0)
    torch.optim.Adam(torch.nn.Linear(3, 2).parameters()).load_state_dict(loaded.optimizer)
    assert_close(loaded.optimizer["state"][0]["exp_avg"], state.optimizer["state"][0]["exp_avg"], rtol=0, atol=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "state.pt"]


def test_features_come_back_whole(tmp_path):
    folder = open_run(tmp_path, CONFIG, resume=False)
    features, labels = torch.rand(5, 4), torch.tensor([3, 1, 0, 0, 2])
    folder.save_features(features, labels, initial_sha256="0" * 64)
    again = folder.load_features(initial_sha256="0" * 64)
    assert torch.equal(again[0], features)
    assert torch.equal(again[1], labels)
    with pytest.raises(CheckpointError, match=r"started from other weights \(sha256 000000000000, now 111111111111\)"):
        folder.load_features(initial_sha256="1" * 64)


def test_a_run_does_not_go_on_with_other_pictures(tmp_path):
    """Kind B3 of the hostile hands: the features of the old pictures would be used silently."""
    open_run(tmp_path, CONFIG, resume=False)
    message = (
        f"{tmp_path} was started with other pictures: the data sha256 was dddddddddddd, now it is eeeeeeeeeeee; put "
        "the data of then back, or start a new run"
    )
    with pytest.raises(CheckpointError, match=f"^{re.escape(message)}$"):
        open_run(tmp_path, CONFIG, data_sha256="e" * 64, resume=True)


def test_a_run_of_an_earlier_version_names_that_version(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    with pytest.raises(CheckpointError, match="which did not note its pictures; start a new run"):
        open_run(tmp_path, CONFIG, resume=True)


def test_lines_of_an_epoch_that_was_cut_short_vanish(tmp_path):
    write_lines(tmp_path, (1, 1), (1, 2), (2, 1), (2, 2), (2, 3))
    log = RunLog(tmp_path, stage=2, steps_done=1)
    log.write(2, {"loss": 0.25})
    log.close()
    assert kept_steps(tmp_path) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1]) == {"stage": 2, "step": 2, "loss": 0.25}


def test_a_resumed_stage_1_forgets_nothing_of_itself_but_its_cut_epoch(tmp_path):
    write_lines(tmp_path, (1, 1), (1, 2), (1, 3))
    RunLog(tmp_path, stage=1, steps_done=2).close()
    assert kept_steps(tmp_path) == [(1, 1), (1, 2)]


@pytest.mark.parametrize("tail", ['{"stage": 2, "st', '{"stage": 2, "step": 2, "loss": 0.1}'])
def test_a_last_line_that_a_kill_cut_vanishes(tmp_path, tail):
    write_lines(tmp_path, (2, 1), tail=tail)
    log = RunLog(tmp_path, stage=2, steps_done=1)
    log.write(2, {"loss": 0.5})
    log.close()
    assert kept_steps(tmp_path) == [(2, 1), (2, 2)]


def test_a_line_is_on_the_disk_as_soon_as_it_is_written(tmp_path):
    log = RunLog(tmp_path, stage=1, steps_done=0)
    log.write(1, {"loss": 0.5})
    assert kept_steps(tmp_path) == [(1, 1)]
    log.close()
    assert any((tmp_path / "events" / "stage1").iterdir())


def test_a_second_training_in_a_folder_is_refused_while_the_first_is_at_work(tmp_path):
    """Kind B5: two trainings in one folder."""
    message = f"{tmp_path}: another training is at work in this folder; name another --run-dir"
    with (
        locked_run(tmp_path, is_first=True),
        locked_run(tmp_path, is_first=False),
        pytest.raises(CheckpointError, match=f"^{re.escape(message)}$"),
        locked_run(tmp_path, is_first=True),
    ):
        pass
    with locked_run(tmp_path, is_first=True):
        pass


def test_what_a_killed_training_was_just_writing_goes_when_the_next_one_starts(tmp_path):
    """Kind B5: `.partial` files and `.checkpoint-*` folders stay."""
    (tmp_path / ".state.pt.0123456789abcdef.partial").touch()
    (tmp_path / ".checkpoint.0123456789abcdef.partial" / "new").mkdir(parents=True)
    with locked_run(tmp_path, is_first=True):
        assert [path.name for path in tmp_path.iterdir()] == ["train.lock"]


def test_a_run_that_was_moved_with_its_data_and_weights_is_gone_on_with(tmp_path):
    """Kind B5: a moved run folder resumes."""
    there, here = ({**CONFIG, "run_dir": place, "data_root": place, "pretrained": place} for place in ("/a", "/b"))
    open_run(tmp_path, there, resume=False)
    open_run(tmp_path, here, resume=True)
    assert json.loads((tmp_path / "config.json").read_text()) == {**here, "data_sha256": DATA}


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff", b"[]", b'{"seed": NaN}'])
def test_a_damaged_configuration_is_one_line_with_the_remedy(tmp_path, content):
    """Kind B7: damaged config files."""
    open_run(tmp_path, CONFIG, resume=False)
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"config\.json cannot be read: .*; start a new run, in another"):
        open_run(tmp_path, CONFIG, resume=True)


def damaged_states():
    buffer = io.BytesIO()
    torch.save(vars(make_state()), buffer)
    whole = buffer.getvalue()
    for content in ([1, 2], {"stage": 1}, {**vars(make_state()), "epoch": "two"}, make_state().weights):
        buffer = io.BytesIO()
        torch.save(content, buffer)
        yield buffer.getvalue()
    yield from (b"", b"PK", b"\x80\x02.", whole[: len(whole) // 2])
    yield whole[:200] + b"\xff" * 300 + whole[500:]
    yield whole[len(whole) // 4 :]  # the places in it lie before its start


@pytest.mark.parametrize("content", [*damaged_states()], ids=range(10))
def test_a_damaged_state_is_one_line_with_the_remedy(tmp_path, content):
    """Kind B7: damaged state files."""
    folder = open_run(tmp_path, CONFIG, resume=False)
    (tmp_path / "state.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"state\.pt cannot be read: .*; start a new run, in another"):
        folder.load_state()


def test_a_state_whose_bytes_changed_is_refused(tmp_path):
    """Kind B7: PyTorch itself compares no checksums, and would go on with other weights."""
    folder, state = open_run(tmp_path, CONFIG, resume=False), make_state(epoch=1)
    folder.save_state(state)
    content = (tmp_path / "state.pt").read_bytes()
    weights = state.weights["weight"].numpy().tobytes()
    assert content.count(weights) == 1
    (tmp_path / "state.pt").write_bytes(content.replace(weights, bytes(len(weights))))
    with pytest.raises(
        CheckpointError, match=r"state\.pt cannot be read: .* is not as it was written; start a new run"
    ):
        folder.load_state()


@pytest.mark.parametrize("line", ["{", "[]", "7", '{"stage": 1}', '{"stage": "x", "step": 1}', "[" * 100_000])
def test_a_damaged_log_is_one_line_with_the_remedy(tmp_path, line):
    write_lines(tmp_path, (1, 1), tail=line + "\n")
    with pytest.raises(CheckpointError, match=r"log\.jsonl cannot be read: .* is no step of a training"):
        RunLog(tmp_path, stage=1, steps_done=1)


def test_what_tensorboard_shows_survives_a_kill_and_a_start_within_the_same_second(tmp_path):
    """Kind B5: events of finished epochs were lost with the process, or written over by the next one."""
    logs = []
    for steps_done in (0, 1, 2):
        logs.append(RunLog(tmp_path, stage=1, steps_done=steps_done))
        logs[-1].write(steps_done + 1, {"loss": 0.5})
        logs[-1].flush()  # and the process is killed
    files = sorted((tmp_path / "events/stage1").iterdir())
    assert [path.name.split(".")[-2] for path in files] == ["000000000", "000000001", "000000002"]
    assert all(b"stage1/loss" in path.read_bytes() for path in files)
    for log in logs:
        log.close()


@pytest.mark.skipif(os.name == "nt", reason="sizes of files cannot be limited there")
def test_a_disk_that_fills_while_steps_are_logged_is_told_with_the_log(tmp_path):
    """Kind B7: a full disk; the library's own writer of events waits for ever."""
    program = """
import resource, signal, sys
from pathlib import Path
from skyreid.training.run_folder import RunLog
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = RunLog(Path(sys.argv[1]), stage=1, steps_done=0)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    for step in range(1, 1000):
        log.write(step, {"loss": 0.5})
except OSError as error:
    print(error.filename)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout.strip() == str(tmp_path / "log.jsonl")
    assert "Traceback" not in done.stderr


def test_a_setting_that_changes_no_number_may_be_another_one_and_may_be_younger_than_the_run(tmp_path):
    open_run(tmp_path, {**CONFIG, "stage2": {"epochs": 2}}, resume=False)
    for recompute in (False, True):
        config = {**CONFIG, "stage2": {"epochs": 2, "recompute_blocks": recompute}}
        open_run(tmp_path, config, resume=True)
        assert json.loads((tmp_path / "config.json").read_text())["stage2"]["recompute_blocks"] is recompute
    with pytest.raises(CheckpointError, match=r"another configuration: stage2\.epochs was 2, is 3$"):
        open_run(tmp_path, {**CONFIG, "stage2": {"epochs": 3}}, resume=True)
