"""A worker of all cases in a folder: a process that waits for jobs and does them.

Beside a server it ends when nothing was left to do for a while, and when whoever started it does, in whatever way: its
standard input ends then. The job at work is given back. On a machine of its own (`skyreid case work --wait`) it stays.
"""

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

from skyreid.cases.case import Case, cases_there, open_case
from skyreid.cases.work.leases import is_work_waiting
from skyreid.errors import SkyreidError
from skyreid.processes.progress import Progress, silent

IDLE_S = 60.0
"""So long a process waits for more to do, with its models loaded."""
ASK_S, RARELY_ASK_S = 1.0, 5.0
"""From one look for work to the next, beside a server; and of many on many machines, each of which opens every case."""
_logger = logging.getLogger(__name__)


def main() -> int:
    """Work on the cases of the folder that the command line names."""
    threading.Thread(target=_end_with_caller, daemon=True).start()
    with suppress(KeyboardInterrupt):  # the job at work was given back
        work_on_all(Path(sys.argv[1]), idle_s=IDLE_S)
    return 0


def work_on_all(
    folder: Path,
    *,
    idle_s: float | None,
    ask_s: float = ASK_S,
    least_room: int | None = None,
    progress: Progress = silent,
) -> None:
    """Do what waits in any case of a folder, again and again.

    Args:
        folder: with cases, or a case.
        idle_s: ends when there was nothing to do for so long; None = never.
        ask_s: from one look for work to the next.
        least_room: as of `work`.
        progress: hears of every step.

    Raises:
        KeyboardInterrupt: the job at work was given back.
    """
    idle_since, said = time.monotonic(), ""
    with closing(OpenedCases(folder)) as opened:
        while idle_s is None or time.monotonic() - idle_since < idle_s:
            has_worked, complaint = _work_once(opened, least_room, progress)
            if complaint and complaint != said:
                _logger.warning("%s", complaint)
            said = complaint
            if has_worked:
                idle_since = time.monotonic()
            time.sleep(ask_s)


class OpenedCases:
    """The cases of a folder, each opened once: to open them all at each look took more than the look.

    Args:
        folder: with cases, or a case.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: dict[tuple[Path, int], Case] = {}

    def close(self) -> None:
        """Close them all."""
        self._keep(set())

    def now(self) -> Iterator[Callable[[], Case]]:
        """Give those that are there now: what opens each, unless it is open; one that is gone is closed."""
        there = cases_there(self._folder)
        self._keep(set(there))
        for one in there:
            yield partial(self._open, one)

    def _open(self, one: tuple[Path, int]) -> Case:
        if one not in self._opened:
            self._opened[one] = open_case(one[0])
        return self._opened[one]

    def _keep(self, there: set[tuple[Path, int]]) -> None:
        for gone in self._opened.keys() - there:
            self._opened.pop(gone).close()


def _work_once(opened: OpenedCases, least_room: int | None, progress: Progress) -> tuple[bool, str]:
    """Do what waits in any case; gives whether there was something, and what went wrong."""
    has_worked = False
    complaints: list[str] = []
    for open_it in opened.now():
        try:
            case = open_it()
            if is_work_waiting(case, least_room=least_room):
                from skyreid.cases.work.worker import work  # loads what looks at pictures

                work(case, least_room=least_room, progress=progress)
                has_worked = True
        except (OSError, SkyreidError) as error:  # a case that is damaged, or gone, stops no other one
            complaints.append(str(error))
    return has_worked, "; ".join(complaints)


def _end_with_caller() -> None:
    sys.stdin.buffer.read()
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
