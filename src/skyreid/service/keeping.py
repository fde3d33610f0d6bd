"""Does what is due in the cases of a server, again and again: what may not stay goes, though nobody asks for it."""

import logging
import threading

from skyreid.cases.keeping.retention import purge_due
from skyreid.errors import RefusedError, SkyreidError
from skyreid.service.open_cases import OpenCases

EVERY_S = 600.0
FIRST_S = 5.0
"""After the server began, lest whoever only looks at a case for a moment waits for it."""
_logger = logging.getLogger(__name__)


class Keeper:
    """Sweeps the cases of a server; to be used in a `with` block."""

    def __init__(self, cases: OpenCases) -> None:
        self._cases = cases
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._sweep, daemon=True)

    def __enter__(self) -> "Keeper":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _sweep(self) -> None:
        wait_s = FIRST_S
        while not self._ends.wait(wait_s):
            wait_s = EVERY_S
            try:
                cases = self._cases.all()
            except (OSError, SkyreidError) as error:  # of a database that is away, or of one case
                _logger.warning("retention: %s", error)
                wait_s = FIRST_S
                continue
            for one in cases:
                try:
                    report = purge_due(one.case)
                except RefusedError:  # on hold: nothing goes
                    continue
                except (OSError, SkyreidError) as error:
                    _logger.warning("retention of %s: %s", one.case.folder, error)
                    continue
                for name in report.purged:
                    _logger.warning("%s: source %s was purged, as its time had come", one.case.folder, name)
