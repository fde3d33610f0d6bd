"""Units on a Ray cluster, as a program of their own; run by test_ray_cluster.py.

`python -m tests.processes.ray_units ADDRESS FOLDER THREADS:NAME,…...` does a job for each name, one list after the
other, and prints what became of each list, as JSON lines.
"""

import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from skyreid.errors import SkyreidError, VideoError
from skyreid.processes.progress import silent
from skyreid.processes.workers import Needs, workers_at


@dataclass(frozen=True)
class NamedJob:
    name: str
    folder: Path


def note(job, progress):
    """Leave a file for each attempt; what else happens is in the name."""
    (job.folder / f"{job.name}-{time.monotonic_ns()}").touch()
    if job.name == "poison":
        os.kill(os.getpid(), signal.SIGKILL)
    if job.name == "bad":
        raise VideoError("is no video", notes=["a note"])
    if job.name == "full":
        raise OSError(28, "No space left on device", "somewhere")
    return job.name.upper()


def main():
    from tests.processes import ray_units  # as the workers know it

    address, folder, *lists = sys.argv[1:]
    with workers_at(address) as workers:
        for one in lists:
            threads, names = one.split(":")
            jobs = [ray_units.NamedJob(name, Path(folder)) for name in names.split(",")]
            needs = Needs(threads=int(threads))
            told = {}
            try:
                for job, result in workers.finish(ray_units.note, jobs, task="", needs=needs, progress=silent):
                    notes = getattr(result, "__notes__", [])
                    is_refused = isinstance(result, SkyreidError)
                    told[job.name] = [type(result).__name__, str(result), *notes] if is_refused else result
            except (OSError, SkyreidError) as error:
                told["ended by"] = f"{type(error).__name__}: {error}"
            print(json.dumps(told))


if __name__ == "__main__":
    main()
