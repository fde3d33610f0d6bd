"""A build of many films on a cluster whose workers, nodes and callers are killed at random."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec

import pytest

from skyreid.building.build import build
from tests.building.source_pairs import tree, write_source
from tests.processes.ray_nodes import descendants, ray_nodes, work_under

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="skyreid[cluster] is not installed"),
]
FILMS, KILLS = 60, 30


def spoken(source):
    return f"{source.path},platform=ground,camera={source.camera},annotations={source.annotations},identities=shared"


def kill(kind, nodes, caller, chance):
    """Kill one of this kind; gives whether there was one."""
    if kind == "worker":
        victims = work_under(nodes.raylets)
    elif kind == "node":
        victims = nodes.raylets[1:][-1:]  # the first one is the head, which knows of all others
    else:
        victims = [caller.pid]
    if not victims:
        return False
    victim = chance.choice(victims)
    below = descendants([victim]) if kind == "node" else [victim]
    for process in below:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    if kind == "node":
        nodes.add()
    if kind == "caller":
        caller.wait()
    return True


@pytest.mark.parametrize("num_nodes", [2, 3])
def test_thirty_kills_lose_and_double_nothing(tmp_path, num_nodes):
    """`SKYREID_SEED` chooses when; it is printed."""
    seed = int(os.environ.get("SKYREID_SEED", time.time()))
    print(f"seed {seed}, {num_nodes} nodes")
    chance = random.Random(seed)
    (tmp_path / "in").mkdir()
    sources = [write_source(tmp_path / "in", f"c{number}", people=(4, 9)) for number in range(FILMS)]
    whole = build(sources, tmp_path / "whole")
    kinds = [("worker", "node", "caller")[number % 3] for number in range(KILLS)]
    chance.shuffle(kinds)
    out, killed, calls = tmp_path / "out", [], 0
    words = ["--source", *map(spoken, sources), "--out", out]
    with ray_nodes(tmp_path, *[1] * num_nodes) as nodes:
        command = [sys.executable, "-m", "skyreid", "build", *map(str, words), "--ray", nodes.address, "--json"]
        while True:
            calls += 1
            assert calls < 5 * KILLS
            with (tmp_path / f"told-{calls}.txt").open("w") as told:
                caller = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=told, text=True)
                while caller.poll() is None:  # a caller is killed once
                    # A kill for every film of the first half, at any moment of the next one: the rest is soon done.
                    finished = len(list(out.glob("sources/*.json")))
                    if len(killed) < min(len(kinds), 1 + finished * KILLS // (FILMS // 2)) and out.exists():
                        time.sleep(chance.uniform(0, 1.5))
                        if kill(kinds[len(killed)], nodes, caller, chance):
                            killed.append(kinds[len(killed)])
                            print(f"{time.strftime('%X')} {killed[-1]} killed, {finished} films finished", flush=True)
                    time.sleep(0.05)
                said = caller.communicate()[0]
            if caller.returncode == 0:
                break
            print(f"{time.strftime('%X')} the caller ended with {caller.returncode}", flush=True)
    print(f"{len(killed)} kills, {calls} calls")
    assert len(killed) == KILLS
    report = json.loads(said)
    assert report["manifest_sha256"] == whole.manifest_sha256
    assert report["data_sha256"] == whole.data_sha256
    assert tree(out) == tree(tmp_path / "whole")
    assert not (out / "partial").exists()
