"""Two and three processes against one: losses, gradients, statistics, embeddings, shares."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from skyreid.errors import SettingError
from skyreid.processes.distributed import Processes
from tests.distributed_step import FRAMES_OF, everything


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frames")
    rng = np.random.default_rng(0)
    for number, length in enumerate(FRAMES_OF):
        for frame in range(length):
            Image.fromarray(rng.integers(0, 256, (24, 16, 3), dtype=np.uint8)).save(folder / f"{number}_{frame}.png")
    return folder


@pytest.fixture(scope="module")
def one(folder):
    return everything(Processes(device="cpu", precision="float32"), folder)


@pytest.fixture(scope="module", params=[2, 3])
def several(request, folder, tmp_path_factory):
    """What each of several processes has to say."""
    out = tmp_path_factory.mktemp(f"{request.param}-processes")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={request.param}"]
    finished = subprocess.run(
        [*launcher, "-m", "tests.distributed_step", str(folder), str(out)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stderr
    return [torch.load(out / f"rank{rank}.pt") for rank in range(request.param)]


def differences(ours, theirs):
    """How far each float64 tensor is from the other one, in units of its norm."""
    assert ours.keys() == theirs.keys()
    assert {tensor.dtype for tensor in ours.values()} == {torch.float64}
    return {name: float((ours[name] - theirs[name]).norm() / theirs[name].norm().clamp_min(1e-12)) for name in ours}


def assert_same_in_float64(ours, theirs):
    assert {name: far for name, far in differences(ours, theirs).items() if not far <= 1e-12} == {}


def test_so_many_processes_are_so_many(one, several):
    assert [one["world_size"], *(rank["world_size"] for rank in several)] == [1, *[len(several)] * len(several)]


def test_every_process_computes_the_losses_of_the_whole_batch(one, several):
    for rank in several:
        assert_same_in_float64(rank["step"]["losses"], one["step"]["losses"])


def test_the_gradients_are_those_of_one_process(one, several):
    gradients = one["step"]["gradients"]
    assert {"head_final.norm.weight", "head_joint.norm.weight", "encoder.platform_prompt.prompts"} <= gradients.keys()
    for rank in several:
        assert_same_in_float64(rank["step"]["gradients"], gradients)


def test_a_gradient_that_is_not_averaged_would_be_seen_in_every_weight_of_the_encoder(one, several):
    """Plants the fault that the test above must catch. The heads see the whole batch on every process."""
    for rank in several:
        far = differences(rank["unaveraged_step"]["gradients"], one["step"]["gradients"])
        assert {name for name, difference in far.items() if difference > 0.01} == {
            name for name in far if name.startswith("encoder.")
        }
        with pytest.raises(AssertionError):
            assert_same_in_float64(rank["unaveraged_step"]["gradients"], one["step"]["gradients"])


def test_batch_normalisation_sees_the_whole_batch_on_every_process(one, several):
    for rank in several:
        assert_same_in_float64(rank["step"]["statistics"], one["step"]["statistics"])


@pytest.mark.parametrize("tracklets", ["all", "one"])
def test_the_table_is_that_of_one_process_even_where_one_has_nothing_to_do(one, several, tracklets):
    for rank in several:
        assert rank[tracklets]["ids"] == one[tracklets]["ids"]
        assert_close(rank[tracklets]["embeddings"], one[tracklets]["embeddings"], rtol=1e-5, atol=1e-5)


def test_an_even_share_is_consecutive_and_a_list_that_does_not_divide_is_refused(several):
    count = len(several)
    size = 6 // count
    shares = [list(range(rank * size, (rank + 1) * size)) for rank in range(count)]
    assert [rank["sharing"]["share"] for rank in several] == shares
    assert {rank["sharing"]["refusal"] for rank in several} == {
        f"5 clips a batch do not divide among {count} processes"
    }


def test_uneven_shares_hold_everything_once_and_differ_by_one_at_most(several):
    for length, shares in enumerate(zip(*(rank["sharing"]["uneven"] for rank in several), strict=True)):
        assert [place for share in shares for place in share] == list(range(length))
        sizes = [len(share) for share in shares]
        assert max(sizes) - min(sizes) <= 1


def test_rows_come_together_in_the_order_of_the_processes(several):
    for rank in several:
        assert rank["sharing"]["gathered"].flatten().tolist() == [0, 1, 2, 3, 4]


def test_lists_come_together_in_the_order_of_the_processes(one, several):
    assert one["sharing"]["items"] == []
    everybodys = [f"of {rank}" for rank in range(len(several)) for _ in range(rank)]
    assert [each["sharing"]["items"] for each in several] == [everybodys] * len(several)


def test_a_gathered_tensor_sends_each_process_the_gradient_of_its_own_part(several):
    count = len(several)
    for number, rank in enumerate(several):
        assert rank["sharing"]["whole"].tolist() == [place // 2 for place in range(2 * count)]
        # Each process weighs the values by 1, 2, 3, …, and the gradients of all add up.
        assert rank["sharing"]["gradient"].tolist() == [count * (2 * number + 1), count * (2 * number + 2)]


def test_the_first_process_makes_it_for_all(several):
    assert {rank["sharing"]["of_the_first"] for rank in several} == {"made by 0"}


def test_one_process_has_everything(one):
    sharing = one["sharing"]
    assert sharing["share"] == [0, 1, 2, 3, 4, 5]
    assert sharing["refusal"] == "[0, 1, 2, 3, 4]"
    assert sharing["gathered"].flatten().tolist() == [0, 1, 2, 3, 4]
    assert sharing["of_the_first"] == "made by 0"


def test_the_cpu_can_be_asked_for_and_precision_is_float32_there():
    processes = Processes(device="cpu")
    assert (processes.device.type, processes.precision, processes.rank, processes.is_first) == (
        "cpu",
        "float32",
        0,
        True,
    )
    assert processes.gradient_scaler_state() == {}


def test_float16_is_not_silently_replaced_where_it_does_not_exist():
    with pytest.raises(SettingError, match="precision float16 needs a GPU; on a CPU choose float32 or bfloat16"):
        Processes(device="cpu", precision="float16")


def test_a_process_says_nothing_of_the_precision_that_it_was_given():
    program = "from skyreid.processes.distributed import Processes; Processes(device='cpu', precision='bfloat16')"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
