"""A worker beside a server: a process that does the jobs of all cases in a folder, and ends when nothing is left to do.

It ends too when whoever started it does, in whatever way: its standard input ends then. The job at work is given back.
"""

import logging
import signal
import sys
import threading
import time
from pathlib import Path

from skyreid.cases.case import list_cases, open_case
from skyreid.cases.work.leases import is_work_waiting
from skyreid.errors import SkyreidError

IDLE_S = 60.0
"""So long a process waits for more to do, with its models loaded."""
ASK_S = 1.0
_logger = logging.getLogger(__name__)


def main() -> int:
    """Work on the cases of the folder that the command line names."""
    folder = Path(sys.argv[1])
    threading.Thread(target=_end_with_caller, daemon=True).start()
    try:
        idle_since = time.monotonic()
        while time.monotonic() - idle_since < IDLE_S:
            if _work_once(folder):
                idle_since = time.monotonic()
            time.sleep(ASK_S)
    except KeyboardInterrupt:
        pass  # the job at work was given back
    return 0


def _work_once(folder: Path) -> bool:
    """Do what waits in any case; gives whether there was something."""
    has_worked = False
    for path in list_cases(folder):
        try:
            with open_case(path) as case:
                if is_work_waiting(case):
                    from skyreid.cases.work.worker import work  # loads what looks at pictures

                    work(case)
                    has_worked = True
        except (OSError, SkyreidError) as error:  # a case that is damaged, or gone, stops no other one
            _logger.warning("%s", error)
    return has_worked


def _end_with_caller() -> None:
    sys.stdin.buffer.read()
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
