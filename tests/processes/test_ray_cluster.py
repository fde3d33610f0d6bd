"""Units on a Ray cluster of two nodes, and a build there."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from importlib.util import find_spec

import pytest

from skyreid.building.build import build
from skyreid.cases.case import create_case
from skyreid.cases.tracklets import read_tracklets
from skyreid.cases.verification import verify_case
from skyreid.cases.work.jobs import DONE, add_job, read_jobs
from skyreid.checkpoint import write_checkpoint
from skyreid.errors import ClusterError, SettingError
from skyreid.experiments.checkpoint_evaluation import evaluate_checkpoint
from skyreid.extraction.embed_folder import embed
from skyreid.files.config_json import to_json
from skyreid.processes.workers import workers_at
from tests.building.source_pairs import tree, write_pair, write_source
from tests.extraction.test_committed_clips import crops
from tests.processes.ray_nodes import listening, ray_nodes, work_under
from tests.tiny_model import tiny_model

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="skyreid[cluster] is not installed")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    with ray_nodes(tmp_path_factory.mktemp("nodes"), 1, 1) as nodes:
        yield nodes


def program(*words):
    return subprocess.run([sys.executable, "-m", *map(str, words)], capture_output=True, text=True, timeout=120)


def kill_one(raylets, folder, build=""):
    """Kill a worker as soon as one has cut a crop."""
    while not list(folder.glob(f"{build}partial/*/*/*.jpg")):
        time.sleep(0.002)
    os.kill(work_under(raylets)[0], signal.SIGKILL)


def write_tiny(folder):
    model = tiny_model().requires_grad_(False)
    config = {"kind": "vsla-clip", "model": to_json(model.config)}
    write_checkpoint(folder, weights=model.state_dict(), config=config, provenance={})
    return folder


@needs_ray
def test_a_build_on_two_nodes_whose_worker_is_killed_ends_in_the_files_of_one_process(tmp_path, nodes):
    (tmp_path / "in").mkdir()
    sources = [write_source(tmp_path / "in", f"gate{number}", people=(4, 9), frames=30) for number in range(4)]
    whole = build(sources, tmp_path / "whole")
    killer = threading.Thread(target=kill_one, args=(nodes.raylets, tmp_path / "out"), daemon=True)
    killer.start()
    told = [
        f"{one.path},platform=ground,camera={one.camera},annotations={one.annotations},identities=shared"
        for one in sources
    ]
    run = program("skyreid", "build", "--source", *told, "--out", tmp_path / "out", "--ray", nodes.address, "--json")
    assert run.returncode == 0, run.stderr
    assert "its worker was lost" in run.stderr
    assert json.loads(run.stdout)["manifest_sha256"] == whole.manifest_sha256
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


@needs_ray
def test_a_job_that_kills_its_workers_is_given_up_by_name_and_what_ends_the_work_is_as_it_is_here(tmp_path, nodes):
    run = program("tests.processes.ray_units", nodes.address, tmp_path, "1:poison,a,bad,b", "1:full", "64:a")
    given_up, ended, refused = map(json.loads, run.stdout.splitlines())
    assert given_up == {
        "poison": [
            "LostError",
            "poison: its worker was lost 3 times (killed, or out of memory); the last time: its process ended",
        ],
        "a": "A",
        "b": "B",
        "bad": ["VideoError", "is no video", "a note"],
    }
    assert ended == {"ended by": "OSError: [Errno 28] No space left on device: 'somewhere'"}
    assert "no machine of it has 64 CPUs; lower --threads" in refused["ended by"]
    attempts = [path.name.rpartition("-")[0] for path in tmp_path.iterdir()]
    assert sorted(attempts) == ["a", "b", "bad", "full", "poison", "poison", "poison"]


@pytest.mark.slow
@needs_ray
def test_a_table_that_nodes_embed_is_that_of_one_process_and_a_tracklet_that_cannot_be_read_keeps_no_other_back(
    tmp_path, nodes
):
    checkpoint = write_tiny(tmp_path / "checkpoint")
    folder = crops(tmp_path / "crops", tracklets=40)
    told = {"platform": "aerial", "batch": 2, "threads": 1, "sampling": "all-frames"}
    embed(folder, checkpoint, tmp_path / "whole.npz", **told)
    words = [word for name, value in told.items() for word in (f"--{name}", value)]
    command = ["skyreid", "embed", folder, "--model", checkpoint, "--out", tmp_path / "out.npz", *words]
    picture = folder / "4/2.png"
    content = picture.read_bytes()
    picture.write_bytes(b"no picture")
    run = program(*command, "--ray", nodes.address)
    assert run.returncode == 1
    assert "4/2.png" in run.stderr
    picture.write_bytes(content)
    committed = (tmp_path / "out.npz.clips").read_bytes()
    assert committed.count(b'"embeddings"') >= 1
    run = program(*command, "--ray", nodes.address)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "out.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


@pytest.mark.slow
@needs_ray
def test_a_checkpoint_that_nodes_embed_with_has_the_scores_of_one_process(tmp_path, nodes):
    checkpoint, built = write_tiny(tmp_path / "checkpoint"), tmp_path / "built"
    build(write_pair(tmp_path / "in"), built)
    evaluate_checkpoint(checkpoint, tmp_path / "here", data="manifest", root=built)
    command = ["skyreid", "evaluate", checkpoint, "--data", "manifest", "--root", built, "--out", tmp_path / "there"]
    run = program(*command, "--ray", nodes.address)
    assert run.returncode == 0, run.stderr
    here, there = (
        {path.name: path.read_bytes() for path in (tmp_path / place).glob("*.*") if path.suffix in (".npz", ".json")}
        for place in ("here", "there")
    )
    assert here == there
    assert len(here) > 4


@pytest.mark.slow
@needs_ray
def test_the_jobs_of_a_case_are_done_by_the_nodes_and_one_whose_worker_is_killed_is_done_all_the_same(tmp_path, nodes):
    with create_case(tmp_path / "case", by="anna") as case:
        for name in ("gate", "roof"):
            write_source(tmp_path, name, people=(4, 9), frames=30)
            text = f"{name}.mov,platform=ground,camera={name},annotations={name}.txt,identities=shared"
            add_job(case, text, folder=tmp_path, by="anna", purpose="a test")
        killer = threading.Thread(target=kill_one, args=(nodes.raylets, tmp_path, "case/work/*/"), daemon=True)
        killer.start()
        run = program("skyreid", "case", "work", tmp_path / "case", "--ray", nodes.address, "--json")
        assert run.returncode == 0, run.stderr
        assert "its worker was lost" in run.stderr
        assert json.loads(run.stdout) == {"done": 2, "failed": [], "waiting": []}
        assert [(job.state, job.attempt) for job in read_jobs(case)].count((DONE, 2)) == 1
        assert sorted(one.tracklet.tracklet_id for one in read_tracklets(case)) == [
            f"{name}-{name}-000{number}" for name in ("gate", "roof") for number in (1, 2)
        ]
        assert verify_case(case).damage == ()
        assert not list((case.folder / "work").glob("*"))


@needs_ray
def test_nothing_of_the_cluster_listens_on_more_than_the_loopback(nodes):
    found = listening(nodes.processes())
    assert len(found) > 3
    assert all(address.startswith("127.") for address in found), found


@pytest.mark.parametrize("address", ["", "6379", "host", "host:", "127.0.0.1:0", "ray://127.0.0.1:10001", "auto"])
def test_an_address_is_a_host_and_a_port(address):
    with pytest.raises(SettingError, match="--ray takes HOST:PORT of the head of a cluster"), workers_at(address):
        pass


def test_a_cluster_that_others_can_reach_must_ask_for_a_token_and_speak_tls(monkeypatch):
    monkeypatch.setenv("RAY_USE_TLS", "1")
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    with pytest.raises(SettingError, match="here too: set RAY_AUTH_MODE=token "), workers_at("10.0.0.7:6379"):
        pass


def test_where_nobody_answers_it_is_said():
    with pytest.raises(ClusterError, match=r"--ray 127\.0\.0\.1:1: nobody answers there"), workers_at("127.0.0.1:1"):
        pass
