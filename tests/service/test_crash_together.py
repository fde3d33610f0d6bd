"""What was acknowledged survives when workers, servers and their PostgreSQL are killed again and again."""

import subprocess
import sys

import pytest

from tests.cases.conftest import POSTGRES

pytestmark = pytest.mark.skipif(not POSTGRES, reason="SKYREID_TEST_POSTGRES is not set")


def killed(kills, jobs):
    program = [sys.executable, "-m", "tests.service.killed_together", str(kills), str(jobs), "1"]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-6000:]
    assert f"{kills} kills" in done.stdout and "none lost, none doubled" in done.stdout
    return done.stdout


@pytest.mark.slow
def test_four_workers_two_servers_and_their_database_are_killed_sixty_times_and_nothing_is_lost_or_doubled():
    print(killed(60, 40))
