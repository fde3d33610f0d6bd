"""What a step will need is counted before it is taken, and held against what there is."""

import logging
import re
from dataclasses import replace

import pytest

from skyreid.clips.identity_sampler import IdentitySamplerConfig
from skyreid.errors import SettingError
from skyreid.processes.distributed import Processes
from skyreid.training.memory import LIBRARIES_BYTES, check_memory, machine_memory, step_bytes, told_memory
from skyreid.training.stage2 import Stage2Config
from tests.tiny_model import tiny_config

pytestmark = pytest.mark.slow  # seconds that every change would pay; what is tested changes rarely

PLAIN, RECOMPUTED = Stage2Config(), Stage2Config(recompute_blocks=True)


def counted(stage2=PLAIN, *, clips=8, precision="float32"):
    return step_bytes(tiny_config(), stage2, clips=clips, frames=4, num_identities=5, precision=precision)


def test_the_count_grows_by_the_same_with_every_clip_and_less_where_blocks_are_computed_again():
    plain, recomputed = ([counted(stage2, clips=clips) for clips in (8, 16, 24)] for stage2 in (PLAIN, RECOMPUTED))
    for eight, sixteen, twenty_four in (plain, recomputed):
        assert twenty_four - sixteen == pytest.approx(sixteen - eight, rel=0.02)
    # One of three blocks is whole at a time; of twelve it is a fraction.
    assert recomputed[2] - recomputed[1] < 0.75 * (plain[2] - plain[1])


def test_sixteen_bits_need_less_and_a_tower_that_is_trained_more():
    assert counted(precision="bfloat16") < counted()
    assert counted(Stage2Config(tuned="image-tower")) > counted()


def test_the_count_is_what_a_step_keeps_and_more():
    """Below the batch itself and the weights it cannot be, nor above every tensor of a step together."""
    batch = 8 * 4 * 3 * 24 * 16 * 4
    assert batch < counted() - LIBRARIES_BYTES < 100_000_000


def test_this_machine_has_memory():
    free, total = machine_memory()
    assert 0 < free <= total


def test_what_fits_is_said_what_may_not_is_warned_of_and_what_never_fits_is_refused(caplog):
    assert told_memory(2 * 10**9, (8 * 10**9, 16 * 10**9), PLAIN) == (
        "a step of stage 2 needs about 2.0 GB of memory; 8.0 GB are free"
    )
    assert told_memory(10**9, None, PLAIN, at_most=True) == "a step of stage 2 needs less than 1.0 GB of memory"
    assert not caplog.records
    with caplog.at_level(logging.WARNING):
        said = told_memory(10 * 10**9, (8 * 10**9, 16 * 10**9), PLAIN)
    assert "about 10.0 GB of memory, and 8.0 of 16.0 GB are free: free some, or take fewer identities a batch" in said
    assert "--stage2.recompute-blocks" in said
    assert [record.getMessage() for record in caplog.records] == [said]
    with pytest.raises(SettingError, match=re.escape("the device has 16.0 GB: take fewer identities")) as refused:
        told_memory(20 * 10**9, (8 * 10**9, 16 * 10**9), RECOMPUTED)
    assert "recompute" not in str(refused.value)


def test_a_small_training_is_not_counted_and_an_impossible_one_refused():
    processes = Processes(device="cpu", precision="float32")
    small = check_memory(tiny_config(), PLAIN, processes, frames=4, num_identities=5)
    assert small.startswith("a step of stage 2 needs less than 1.")
    huge = replace(PLAIN, sampler=IdentitySamplerConfig(identities=1_000_000))
    with pytest.raises(SettingError, match=r"of memory, and the device has .* GB: take fewer identities a batch"):
        check_memory(tiny_config(), huge, processes, frames=4, num_identities=5)
