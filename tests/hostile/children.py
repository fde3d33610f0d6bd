"""Work that is done in a forked child: killed, short of disk or memory, or given a damaged file.

A fork has everything imported already, so that a hundred commands take the time of a few.
"""

import errno
import os
import resource
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from skyreid.cli import main
from skyreid.errors import SkyreidError
from tests.building.killed_build import CALLS

MEMORY = 2**30
"""Bytes of address space that a child may take beyond what it was born with."""
SECONDS = 20
"""Of processor time; a busy machine gets more by the clock."""
BY_THE_CLOCK = 1200


@dataclass(frozen=True)
class Ended:
    """How a child ended."""

    status: int
    """Its exit status, or minus the signal."""
    said: str
    calls: int
    """That change what is on the disk, made by a child that was left to its end."""
    seconds: float

    @property
    def is_clean(self) -> bool:
        """Whether it ended by itself, and not in a fault of ours."""
        return 0 <= self.status <= 3 and "Traceback" not in self.said


def command(*arguments):
    """A command line as work for a child."""
    return lambda: main([str(argument) for argument in arguments])


def reading(read, *arguments):
    """A reader as work for a child, with what the command line makes of its errors."""

    def work():
        try:
            read(*arguments)
        except (SkyreidError, OSError) as error:
            print(error)
            return 1
        return 0

    return work


def run(work, log: Path, *, kill_at_call=None, full_at_call=None, kill_after_s=None, is_limited=False) -> Ended:
    """Do some work in a child.

    Args:
        work: gives an exit status.
        log: file of what it prints.
        kill_at_call: of those calls that change what is on the disk, from 1: it sends itself SIGKILL before it.
        full_at_call: the disk is full from that call on.
        kill_after_s: it is sent SIGKILL then.
        is_limited: in memory and time.
    """
    told, tells = os.pipe()
    begun = time.monotonic()
    child = os.fork()
    if child == 0:
        status = 70
        try:
            status = int(_child(work, log, tells, kill_at_call, full_at_call, is_limited=is_limited))
        finally:
            os._exit(status)  # whatever happened: the tests go on in the parent only
    os.close(tells)
    deadline = begun + (BY_THE_CLOCK if kill_after_s is None else kill_after_s)
    ended, status = 0, 0
    while not ended:
        ended, status = os.waitpid(child, os.WNOHANG)
        if not ended:
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
            time.sleep(0.003)
    seconds = time.monotonic() - begun
    with os.fdopen(told) as pipe:
        calls = int(pipe.read() or 0)
    return Ended(os.waitstatus_to_exitcode(status), log.read_text(errors="replace"), calls, seconds)


def _child(work, log, tells, kill_at_call, full_at_call, *, is_limited):
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(written, 1)
    os.dup2(written, 2)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    made = _count_calls(kill_at_call, full_at_call)
    if is_limited:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)
        used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        resource.setrlimit(resource.RLIMIT_CPU, (int(used) + SECONDS,) * 2)
    try:
        status = work()
    except BaseException:
        traceback.print_exc()
        status = 70
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os.write(tells, str(made[0]).encode())
    return status


def _count_calls(kill_at, full_at):
    made = [0]

    def counted(name, call):
        def counting(*args, **kwargs):
            made[0] += 1
            if made[0] == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            if full_at is not None and made[0] >= full_at and name not in ("unlink", "rmdir"):
                raise OSError(errno.ENOSPC, "No space left on device")
            return call(*args, **kwargs)

        return counting

    for name in CALLS:
        setattr(os, name, counted(name, getattr(os, name)))
    return made
