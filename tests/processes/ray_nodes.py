"""A Ray cluster of several nodes on the loopback of this machine; run as a program by the tests and the benchmarks.

`python -m tests.processes.ray_nodes CPUS...` starts nodes with so many CPUs each, the first of them the head. It says
where the head is and which process each node is, as one JSON line, and does so again for every line that it reads: the
number of CPUs of one more node. It ends when its input does, and all nodes with it.
"""

import ipaddress
import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

OBJECT_STORE = 80 * 2**20
"""Bytes of shared memory for each node; what units give is far smaller."""


def main():
    # A short path: the names of sockets must not be long.
    with tempfile.TemporaryDirectory(prefix="ray-") as folder:
        os.environ |= {
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_TMPDIR": folder,
            "RAY_worker_niceness": "0",  # 15 by default: they would wait for all other tests
        }
        run(sys.argv[1:])


def run(nodes):
    import ray
    from ray.cluster_utils import Cluster

    usual = {"object_store_memory": OBJECT_STORE, "node_ip_address": "127.0.0.1"}
    cluster = Cluster(shutdown_at_exit=True)
    raylets = []

    def add(cpus):
        more = {} if raylets else {"include_dashboard": False}
        node = cluster.add_node(**usual, **more, num_cpus=int(cpus))
        raylets.append(node.all_processes["raylet"][0].process.pid)

    for cpus in nodes:
        add(cpus)
    while True:
        print(json.dumps({"address": cluster.address, "raylets": raylets}), flush=True)
        line = sys.stdin.readline()
        if not line:
            break
        add(line)
    ray.shutdown()
    cluster.shutdown()


class RayNodes:
    """The cluster of another process."""

    def __init__(self, process):
        self._process = process
        self._read()

    def _read(self):
        told = json.loads(self._process.stdout.readline())
        self.address, self.raylets = told["address"], told["raylets"]

    def processes(self):
        """All of the cluster, from the program that began it."""
        return descendants([self._process.pid])

    def add(self, cpus=1):
        """Add a node; its process is the last of `raylets`."""
        self._process.stdin.write(f"{cpus}\n")
        self._process.stdin.flush()
        self._read()


def descendants(processes):
    """These processes and all that they began."""
    found = list(processes)
    for process in found:
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            with suppress(OSError):
                found += [int(child) for child in children.read_text().split()]
    return found


def work_under(raylets):
    """The processes of workers that are at a unit."""
    at_work = []
    for process in descendants(raylets):
        with suppress(OSError):
            if Path(f"/proc/{process}/cmdline").read_bytes().startswith(b"ray::_do"):
                at_work.append(process)
    return at_work


def listening(processes):
    """Addresses on which processes take connections."""
    sockets = set()
    for process in processes:
        for descriptor in Path(f"/proc/{process}/fd").glob("*"):
            with suppress(OSError):
                sockets.add(str(descriptor.readlink()))
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == "0A" and f"socket:[{rest[5]}]" in sockets:
                address = bytes.fromhex(local.split(":")[0])
                words = b"".join(address[start : start + 4][::-1] for start in range(0, len(address), 4))
                ip = ipaddress.ip_address(words)
                found.append(str(getattr(ip, "ipv4_mapped", None) or ip))
    return found


@contextmanager
def ray_nodes(folder, *cpus):
    """Give a cluster of nodes with so many CPUs each; it is gone at the end."""
    log = (folder / "ray-nodes.txt").open("w")
    command = [sys.executable, "-m", "tests.processes.ray_nodes", *map(str, cpus)]
    found_in = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        env={**os.environ, "PYTHONPATH": found_in},
    )
    try:
        yield RayNodes(process)
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(60)
        log.close()


if __name__ == "__main__":
    main()
