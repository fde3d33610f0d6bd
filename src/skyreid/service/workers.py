"""Processes beside a server that do its jobs: begun when there is work, replaced when one dies, ended with it."""

import logging
import subprocess
import sys
import threading
import time
from contextlib import suppress

from skyreid.cases.work.leases import end_leases, is_work_waiting, worker_name
from skyreid.cases.work.worker_process import ASK_S
from skyreid.errors import SettingError, SkyreidError
from skyreid.service.open_cases import OpenCases

MOST_WORKERS = 64
GRACE_S = 20.0
"""So long a worker has to give its job back when the server ends."""
AGAIN_S = 10.0
"""Who dies earlier than that is not replaced before, lest a fault of ours keeps the machine busy."""
_logger = logging.getLogger(__name__)


class Workers:
    """Looks after the workers of a server; to be used in a `with` block.

    Args:
        cases: whose jobs they do.
        count: how many work at once; 0 = none, and 'skyreid case work' does the jobs.

    Raises:
        SettingError: a count that cannot be.
    """

    def __init__(self, cases: OpenCases, count: int) -> None:
        if not 0 <= count <= MOST_WORKERS:
            raise SettingError(f"a server has 0 to {MOST_WORKERS} workers; got {count}")
        self._cases, self._count = cases, count
        self._processes: list[subprocess.Popen[bytes]] = []
        self._begun = self._not_before = 0.0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._look_after, daemon=True)

    def __enter__(self) -> "Workers":
        if self._count:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        if self._count:
            self._thread.join()
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()  # by which it knows
        deadline = time.monotonic() + GRACE_S
        for process in self._processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            with suppress(OSError, SkyreidError):  # the database is away, its disk full: then the lease ends by itself
                self._note_end(process)

    def _look_after(self) -> None:
        said = ""
        while not self._ends.wait(ASK_S):
            try:
                self._bury()
                if len(self._processes) < self._count and time.monotonic() >= self._not_before and self._is_wanted():
                    self._begin_one()
            except (OSError, SkyreidError) as error:  # of one round: a full disk, a case that was just removed
                if str(error) != said:  # a database that is away is so for many rounds
                    _logger.warning("workers: %s", error)
                said = str(error)

    def _is_wanted(self) -> bool:
        return any(is_work_waiting(one.case) for one in self._cases.all())

    def _begin_one(self) -> None:
        self._begun = time.monotonic()
        self._processes.append(
            subprocess.Popen(
                [sys.executable, "-P", "-m", "skyreid.cases.work.worker_process", str(self._cases.folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the server, which then ends its workers in order
            )
        )

    def _bury(self) -> None:
        for process in [one for one in self._processes if one.poll() is not None]:
            self._processes.remove(process)
            if process.returncode:
                _logger.warning("a worker ended with status %d; another one takes its job", process.returncode)
                self._not_before = self._begun + AGAIN_S
            self._note_end(process)

    def _note_end(self, process: subprocess.Popen[bytes]) -> None:
        """What somebody held who was killed is free at once, and need not wait for its lease to end."""
        if process.returncode:
            for one in self._cases.all():
                end_leases(one.case, worker_name(process.pid))
