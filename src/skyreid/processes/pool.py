"""Work spread over processes that stop when whoever started them does."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection, wait
from typing import TypeVar

from skyreid.errors import SettingError

Job = TypeVar("Job")
Result = TypeVar("Result")


def finish_all(work: Callable[[Job], Result], jobs: Sequence[Job], num_workers: int) -> Generator[tuple[Job, Result]]:
    """Do every job, on new processes if there are more workers than one; gives each job and its result when it is done.

    A job that fails, or an interruption, ends the others: what they were at is not finished.

    Raises:
        SettingError: a worker was killed, most often for want of memory.
    """
    if num_workers == 1:
        for job in jobs:
            yield job, work(job)
        return
    # Forking a process that runs threads can hang, and the caller may have loaded torch.
    context = multiprocessing.get_context("spawn")
    stop_here, stop_there = context.Pipe(duplex=False)
    with (
        stop_there,
        stop_here,
        ProcessPoolExecutor(num_workers, mp_context=context, initializer=_end_when_told, initargs=(stop_here,)) as pool,
    ):
        futures = {pool.submit(work, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool as error:
            raise SettingError(
                f"one of {num_workers} workers died, perhaps for want of memory; what is finished stays: run again, "
                "with fewer workers if it happens again"
            ) from error
        finally:
            # Where all is done, nobody is at work any more; otherwise what they are at is given up.
            pool.shutdown(wait=all(future.done() for future in futures), cancel_futures=True)
            stop_there.close()


def _end_when_told(stop: Connection) -> None:
    """End with the parent, or when it closes its end of `stop`; not only after the job in hand.

    A terminal sends its interruption to everybody: only the parent answers it. Processes that died of it would look
    to the parent like workers that were killed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None
    sentinel = parent.sentinel

    def watch() -> None:
        wait([sentinel, stop])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
