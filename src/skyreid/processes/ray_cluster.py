"""The workers of a Ray cluster: the only file that touches Ray.

Whoever reaches a port of Ray can run programs on every machine of it. So a cluster stands on the loopback of one
machine, or asks for a token and speaks TLS; skyreid starts none. docs/many-machines.md shows how one is started.
"""

import ipaddress
import logging
import os
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from skyreid.errors import ClusterError, LostError, SettingError, SkyreidError
from skyreid.processes.progress import Progress
from skyreid.processes.workers import LOST, MOST_ATTEMPTS, Job, Needs, Result, outcome

_PAGE = "docs/many-machines.md, Ray"
_ONE_MACHINE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""By which Ray listens on the loopback alone, on every system: without it, Linux takes 127.0.0.1 for the address of the
network card. Read when Ray is loaded."""
_GUARDED = {"RAY_USE_TLS": "1", "RAY_AUTH_MODE": "token"}
"""Of a cluster that others can reach."""
_ANSWERS_S = 10.0
_LOOK_S = 1.0
"""From one look at who is there to the next."""
_GONE_S = 60.0
"""Without a single machine for so long, a cluster counts as lost."""
_logger = logging.getLogger(__name__)


@contextmanager
def ray_workers(address: str) -> Iterator["RayWorkers"]:
    """Join a Ray cluster; at the end, what is still at work for us there is ended.

    Args:
        address: HOST:PORT of its head; a node of the cluster runs on this machine too.

    Raises:
        SettingError: an address that is none, or one that others can reach without a token and TLS; or Ray is not
            installed.
        ClusterError: nobody answers there, or the cluster is of another version of Ray or Python.
    """
    host, port = _checked(address)
    try:
        socket.create_connection((host, port), timeout=_ANSWERS_S).close()
    except OSError as error:
        raise ClusterError(f"--ray {address}: nobody answers there ({error}); start one: {_PAGE}") from error
    if _is_loopback(host):
        if "ray" in sys.modules and not _ONE_MACHINE.items() <= os.environ.items():
            told = " ".join(f"{name}={value}" for name, value in _ONE_MACHINE.items())
            raise SettingError(
                f"--ray {address}: Ray was loaded before {told} was set, by which it stays on the loopback"
            )
        os.environ.update(_ONE_MACHINE)
    try:
        import ray  # pyright: ignore[reportMissingImports] # an extra that CI does not install
        import ray.exceptions  # pyright: ignore[reportMissingImports] # an extra that CI does not install
    except ImportError as error:
        raise SettingError(f"--ray needs Ray: pip install 'skyreid[cluster]' ({error})") from error
    # It would print on our standard output, where results stand, that a worker died; that is said once, below.
    sys.modules["ray._private.worker"].__dict__["print_to_stdstream"] = lambda *_, **__: None
    try:
        ray.init(f"{host}:{port}", log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
    except (RuntimeError, ConnectionError, ValueError, ray.exceptions.RayError) as error:
        raise ClusterError(f"--ray {address}: cannot be joined: {_first_line(error)} ({_PAGE})") from error
    try:
        yield RayWorkers(address)
    finally:
        ray.shutdown()


class RayWorkers:
    """The workers of the cluster that this process has joined."""

    are_elsewhere = True

    def __init__(self, address: str) -> None:
        self._address = address

    def finish(
        self,
        unit: Callable[[Job, Progress], Result],
        jobs: Sequence[Job],
        *,
        task: str,
        needs: Needs,
        progress: Progress,
    ) -> Generator[tuple[Job, Result | SkyreidError]]:
        """As `Workers.finish`; not more jobs are given out than workers can do at once.

        A job whose worker was lost is done again after all others, and given up at the third time.
        """
        import ray  # pyright: ignore[reportMissingImports] # an extra that CI does not install

        places = _Places(self._address, needs)
        do = ray.remote(
            num_cpus=needs.threads,
            num_gpus=places.gpus,
            max_retries=0,  # counted here: a job that kills its workers is named and given up
            max_calls=0,  # a process keeps its models from one job to the next, on a GPU too
            scheduling_strategy="SPREAD",
        )(_do)
        sender = _Sender(version=version("skyreid"), folder=str(Path.cwd()))
        waiting = deque(range(len(jobs)))
        losses = Counter[int]()
        at_work: dict[Any, int] = {}
        done = 0
        try:
            while waiting or at_work:
                for _ in range(min(len(waiting), places.count() - len(at_work))):
                    number = waiting.popleft()
                    at_work[do.remote(sender, unit, jobs[number])] = number
                for finished in ray.wait(list(at_work), timeout=_LOOK_S)[0] if at_work else _nothing_yet():
                    number = at_work.pop(finished)
                    job, result = jobs[number], _result_of(finished)
                    if isinstance(result, _Lost):
                        losses[number] += 1
                        if losses[number] < MOST_ATTEMPTS:
                            _logger.warning("%s: its worker was lost (%s); it begins anew", job.name, result.reason)
                            waiting.append(number)
                            continue
                        result = LostError(f"{job.name}: {LOST}; the last time: {result.reason}")
                    done += 1
                    progress(task, done, len(jobs), job.name)
                    yield job, result
        finally:
            for left in at_work:
                ray.cancel(left, force=True)


class _Places:
    """How many jobs the machines of a cluster can do at once."""

    def __init__(self, address: str, needs: Needs) -> None:
        self._address, self._needs = address, needs
        machines = _machines()
        self.gpus = int(needs.has_model and any(one.get("GPU", 0) >= 1 for one in machines))
        self._count = self._counted(machines)
        self._looked = self._seen = time.monotonic()
        if not self._count:
            gpu = " and a GPU" if self.gpus else ""
            raise ClusterError(f"--ray {address}: no machine of it has {needs.threads} CPUs{gpu}; lower --threads")

    def count(self) -> int:
        """As many as there are now: machines come and go."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_S:
            self._count, self._looked = self._counted(_machines()), now
            self._seen = now if self._count else self._seen
        if now - self._seen > _GONE_S:
            raise ClusterError(
                f"--ray {self._address}: all its workers are gone; what is finished stays: run the same again"
            )
        return self._count

    def _counted(self, machines: Sequence[dict[str, float]]) -> int:
        return sum(self._counted_on(one) for one in machines)

    def _counted_on(self, machine: dict[str, float]) -> int:
        by_cpus = int(machine.get("CPU", 0) // self._needs.threads)
        return min(by_cpus, int(machine.get("GPU", 0))) if self.gpus else by_cpus


@dataclass(frozen=True)
class _Lost:
    """A worker that did not come back, and why."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class _Sender:
    """Whom a worker works for."""

    version: str
    """Of skyreid."""
    folder: str
    """That relative paths count from."""


def _do(sender: _Sender, unit: Callable[[Job, Progress], Result], job: Job) -> Result | SkyreidError:
    """Do one job; runs on a worker."""
    here, host = version("skyreid"), socket.gethostname()
    if here != sender.version:
        raise ClusterError(f"{host}: has skyreid {here}, and {sender.version} asks; install the same everywhere")
    try:
        os.chdir(sender.folder)
    except OSError as error:
        raise ClusterError(
            f"{host}: has no folder {sender.folder}; footage, models and what is written lie at the same paths on all "
            "machines of a cluster"
        ) from error
    return outcome(unit, job)


def _result_of(finished: Any) -> Any:
    """What a worker gave; `_Lost` where it died.

    Raises:
        Exception: whatever the unit raised that is no refusal of its input.
    """
    import ray  # pyright: ignore[reportMissingImports] # an extra that CI does not install
    from ray import exceptions  # pyright: ignore[reportMissingImports] # an extra that CI does not install

    try:
        return ray.get(finished)
    except exceptions.RayTaskError as error:
        cause = error.cause
        if isinstance(cause, ImportError):
            raise ClusterError(f"{error.ip}: has no such skyreid ({cause}); install the same everywhere") from error
        raise cause from error
    except exceptions.OutOfMemoryError:
        return _Lost("its machine was out of memory")
    except (exceptions.NodeDiedError, exceptions.LocalRayletDiedError, exceptions.ObjectLostError):
        return _Lost("its machine is gone")
    except exceptions.WorkerCrashedError:
        return _Lost("its process ended")


def _nothing_yet() -> Sequence[Any]:
    """Wait for machines to come back."""
    time.sleep(_LOOK_S)
    return ()


def _machines() -> list[dict[str, float]]:
    """What each machine that is there has, by Ray's names."""
    import ray  # pyright: ignore[reportMissingImports] # an extra that CI does not install

    return [dict(one["Resources"]) for one in ray.nodes() if one["Alive"]]


def _checked(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    host = host.strip("[]")
    if not (colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 2**16) or "/" in host:
        raise SettingError(f"--ray takes HOST:PORT of the head of a cluster, such as 127.0.0.1:6379; got {address!r}")
    missing = [f"{name}={value}" for name, value in _GUARDED.items() if os.environ.get(name) != value]
    if missing and not _is_loopback(host):
        raise SettingError(
            f"--ray {address}: other machines can reach it, and whoever reaches Ray runs programs there; it must ask "
            f"for a token and speak TLS, here too: set {' and '.join(missing)} ({_PAGE})"
        )
    return host, int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
