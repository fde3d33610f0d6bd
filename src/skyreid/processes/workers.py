"""Where the units of bulk work are done: here, one after the other, or on the workers of a Ray cluster.

A unit is a function of one job, such as one video of a build. It may be begun twice, or be killed at any moment: it
writes only where no other attempt does, and whoever asked for it commits what it gave. So a killed worker, a killed
machine or a killed caller loses what was at work and no more, and nothing is there twice.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

from skyreid.errors import SkyreidError
from skyreid.processes.progress import Progress, silent


@runtime_checkable
class Named(Protocol):
    """A job that people can be told of."""

    @property
    def name(self) -> str:
        """What they call it."""
        ...


Job = TypeVar("Job", bound=Named)
Result = TypeVar("Result")
MOST_ATTEMPTS = 3
"""That end by accident: a job whose worker was lost so often may be what kills them."""
LOST = f"its worker was lost {MOST_ATTEMPTS} times (killed, or out of memory)"


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a worker holds while it does one job."""

    threads: int = 1
    has_model: bool = False
    """Whether a neural network computes in it: on a GPU, where the cluster has any."""


@runtime_checkable
class Workers(Protocol):
    """Those who do the jobs."""

    @property
    def are_elsewhere(self) -> bool:
        """Whether they are other processes, which know only what a job says, and do several jobs at a time."""
        ...

    def finish(
        self,
        unit: Callable[[Job, Progress], Result],
        jobs: Sequence[Job],
        *,
        task: str,
        needs: Needs,
        progress: Progress,
    ) -> Generator[tuple[Job, Result | SkyreidError]]:
        """Do every job, once; gives each with its result, or with why it cannot be done, when it is done.

        Args:
            unit: a function of a module, so that others find it by its name.
            jobs: of it; for others, they are pickled.
            task: what they are together, for whoever waits.
            needs: of each of them.
            progress: hears of what a unit tells where it is done here, else of how many are done.

        Raises:
            OSError: as the unit; what else is at work is given up.
            ClusterError: there is nobody to do them.
        """
        ...


class Here:
    """This process: one job after the other, in their order."""

    are_elsewhere = False

    def finish(
        self,
        unit: Callable[[Job, Progress], Result],
        jobs: Sequence[Job],
        *,
        task: str,
        needs: Needs,
        progress: Progress,
    ) -> Generator[tuple[Job, Result | SkyreidError]]:
        """As `Workers.finish`."""
        for job in jobs:
            yield job, outcome(unit, job, progress)


def outcome(unit: Callable[[Job, Progress], Result], job: Job, progress: Progress = silent) -> Result | SkyreidError:
    """Do one job; gives its result, or why it cannot be done."""
    try:
        return unit(job, progress)
    except SkyreidError as refusal:
        return refusal


@contextmanager
def workers_at(ray: str | None) -> Iterator[Workers]:
    """Ask for those who do the work.

    Args:
        ray: address of a Ray cluster, HOST:PORT; None = this process does it.

    Raises:
        SettingError: an address that is none, one that everybody could reach, or skyreid[cluster] is not installed.
        ClusterError: nobody answers there, or the cluster is of another Python or skyreid.
    """
    if ray is None:
        yield Here()
        return
    from skyreid.processes.ray_cluster import ray_workers  # the one file that knows Ray

    with ray_workers(ray) as workers:
        yield workers
