"""Methods one after the other on a tiny benchmark: killed, resumed, refused."""

import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from skyreid.errors import CheckpointError
from skyreid.experiments.method_comparison import Outcome, Refusal, run_methods
from skyreid.experiments.method_settings import ComparisonConfig, Reduction

OWN_METHODS = ("vsla-clip", "ft-clip")
"""Their small CLIP trains in seconds."""


def small(root, *methods):
    return ComparisonConfig(
        benchmark="g2a-vreid",
        data_root=root,
        methods=methods,
        reduction=Reduction(image_size=(64, 32), epochs=2, batch=(2, 2)),
    )


@pytest.fixture(scope="module")
def whole(tiny_g2a, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    return out, run_methods(small(tiny_g2a, *OWN_METHODS), out)


def results(outcomes):
    """What does not depend on the clock."""
    return [replace(o, training_s=None, cost=replace(o.cost, clips_per_s=1.0)) for o in outcomes]


@pytest.mark.slow  # two more comparisons, one in a process that loads PyTorch
def test_a_killed_comparison_goes_on_where_it_stopped(tiny_g2a, tmp_path, whole):
    out = tmp_path / "out"
    program = (
        "import sys; from pathlib import Path; from skyreid.experiments.method_comparison import run_methods; "
        "from tests.experiments.test_method_comparison import OWN_METHODS, small; "
        "run_methods(small(Path(sys.argv[1]), *OWN_METHODS), Path(sys.argv[2]))"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tiny_g2a), str(out)])
    log = out / "runs" / "ft-clip" / "0" / "log.jsonl"
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and process.poll() is None:
        if log.exists() and log.read_text().count("\n") >= 2:
            break
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done, cut = (out / "runs" / method / "0" / "outcome.json" for method in OWN_METHODS)
    assert done.exists()
    assert not cut.exists(), "the comparison finished before it could be killed"
    before = done.stat().st_mtime_ns

    outcomes = run_methods(small(tiny_g2a, *OWN_METHODS), out)
    assert results(outcomes) == results(whole[1])
    assert [outcome.training_s is None for outcome in outcomes] == [False, True]
    assert done.stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_second_call_gives_the_same_and_runs_nothing(tiny_g2a, whole):
    out, outcomes = whole
    told = []
    assert run_methods(small(tiny_g2a, *OWN_METHODS), out, progress=lambda task, *_: told.append(task)) == outcomes
    assert told == ["methods", "methods"]


def test_a_run_that_is_done_keeps_its_result_and_not_its_state(whole):
    run_dir = whole[0] / "runs" / "vsla-clip" / "0"
    assert (run_dir / "checkpoint" / "model.safetensors").exists()
    assert not (run_dir / "state.pt").exists()


def test_runs_of_other_settings_are_refused(tiny_g2a, whole):
    out, _ = whole
    longer = replace(small(tiny_g2a, "vsla-clip"), reduction=Reduction(epochs=3, batch=(2, 2)))
    message = f"{out / 'runs' / 'vsla-clip' / '0'} holds a run of other settings (stage2.epochs was 2, is 3; "
    with pytest.raises(CheckpointError, match=f"^{re.escape(message)}"):
        run_methods(longer, out)


def test_weights_that_are_missing_are_refused_before_any_method_is_trained(tiny_g2a, tmp_path):
    (tmp_path / "resnet50-19c8e357.pth").touch()
    config = replace(small(tiny_g2a, "vsla-clip", "ap3d", "pit"), imagenet=tmp_path)
    message = (
        f"{tmp_path} lacks jx_vit_base_p16_224-80ecf9dd.pth; put it there, or leave out the methods that start from it"
    )
    with pytest.raises(CheckpointError, match=f"^{re.escape(message)}$"):
        run_methods(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_method_that_refuses_the_settings_becomes_a_row_and_the_others_go_on(tiny_g2a, tmp_path):
    refused, done = run_methods(small(tiny_g2a, "mgh", "vsla-clip"), tmp_path)
    assert isinstance(refused, Refusal)
    assert (refused.method, refused.seed) == ("mgh", 0)
    assert refused.reason.startswith("mgh: the rows of the last feature map must fall into 8 equal strips")
    assert isinstance(done, Outcome)
    assert (done.method, done.start) == ("vsla-clip", "small CLIP of drawn people")
    assert not (tmp_path / "runs" / "mgh").exists()


@pytest.mark.slow  # a ResNet-50 with clips of eight frames
def test_a_method_of_others_is_run_at_the_reduced_size(tiny_g2a, tmp_path):
    (done,) = run_methods(small(tiny_g2a, "ap3d"), tmp_path)
    assert isinstance(done, Outcome)
    assert (done.method, done.start, done.clip_length, done.image_size) == ("ap3d", "random weights", 8, (64, 32))
    assert done.training_s is not None
    assert done.cost.parameters.all > 24e6
