"""Work that outlives its database or object store: one that is started anew, or a network that is away for a while."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from skyreid.errors import AwayError

LONGEST_OUTAGE_S = 600.0
"""Who works waits so long for a database or an object store that does not answer."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.25, 5.0
_logger = logging.getLogger(__name__)
Result = TypeVar("Result")


def through_outage(call: Callable[[], Result], *, longest_s: float = LONGEST_OUTAGE_S) -> Result:
    """Do something that may be done twice, again and again until what it needs answers.

    Args:
        call: what is done; the answer to an earlier try may have been lost, and what it did be there.
        longest_s: how long.

    Raises:
        AwayError: it did not answer for so long.
    """
    deadline, wait_s = time.monotonic() + longest_s, _FIRST_WAIT_S
    while True:
        try:
            return call()
        except AwayError as away:
            if time.monotonic() >= deadline:
                raise
            if wait_s == _FIRST_WAIT_S:
                _logger.warning("%s; waiting for it", away)
        time.sleep(wait_s)
        wait_s = min(_LONGEST_WAIT_S, 2 * wait_s)
