"""A PostgreSQL server of one test, which it may kill."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path


class OwnPostgres:
    """Listens in a folder of its own; ends with the block, and nothing of it is left."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short: the address of a socket has a hundred letters
        self.url = f"postgresql+psycopg://postgres@/postgres?host={self.folder}"
        self._programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        self._as_owner = []
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(self.folder, "postgres")
            self._as_owner = ["runuser", "-u", "postgres", "--"]

    def __enter__(self):
        self._run("initdb", "--username", "postgres", "--auth", "trust", "--encoding", "UTF8")
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder)

    def start(self):
        options = f"-k {self.folder} -c listen_addresses=''"
        self._run("pg_ctl", "--wait", "--log", self.folder / "log", "--options", options, "start")

    def stop_at_once(self):
        self._run("pg_ctl", "--mode", "immediate", "stop")

    def kill(self):
        """Kill the server as power cuts do, and see its children off, who would keep its memory."""
        pids = self._pids()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        while any(Path(f"/proc/{pid}").exists() for pid in pids):
            time.sleep(0.01)

    def _pids(self):
        try:
            first = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
            children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        except (OSError, IndexError, ValueError):
            return []
        return [first, *map(int, children)]

    def _run(self, program, *arguments):
        command = [*self._as_owner, self._programs / program, "--pgdata", self.folder / "data", *arguments]
        done = subprocess.run([*map(str, command)], cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
