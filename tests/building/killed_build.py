"""A build that is killed at a chosen system call; run as a program by test_build_again.py.

`python -m tests.building.killed_build OUT_DIR SOURCE... CALL...` forks one child for each CALL. The child
builds into a copy of its own, OUT_DIR-CALL, and sends itself SIGKILL just before its CALL-th renaming,
flushing, making of a folder or removing. Then the parent builds there again, to the end, and prints how
the child had ended.
"""

import os
import signal
import sys
from pathlib import Path

from skyreid.building.build import build
from skyreid.building.sources import parse_source

CALLS = ("rename", "replace", "fsync", "mkdir", "unlink", "rmdir")


def kill_before(number):
    """Count the calls that change what is on the disk, and die at one of them."""
    made = 0

    def counted(call):
        def counting(*args, **kwargs):
            nonlocal made
            made += 1
            if made == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return counting

    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))


def main():
    out_dir = sys.argv[1]
    sources = [parse_source(text) for text in sys.argv[2:] if "=" in text]
    for number in map(int, (text for text in sys.argv[2:] if "=" not in text)):
        mine = Path(f"{out_dir}-{number}")
        child = os.fork()
        if child == 0:
            kill_before(number)
            build(sources, mine)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        print(number, "killed" if os.WIFSIGNALED(status) else f"left with {status}")
        build(sources, mine)


if __name__ == "__main__":
    main()
