"""A case by another model: from its crops, killed or not, with a bridge from the old vectors while it lasts."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from skyreid.cases.case import open_case
from skyreid.cases.search.bridging import build_bridge
from skyreid.cases.search.re_embedding import _Bridges, re_embed
from skyreid.cases.search.searching import CaseSearch
from skyreid.cases.tracklets import find_model, put_vectors, read_models, read_table, read_tracklets
from skyreid.cases.verification import verify_case
from skyreid.cases.work.importing import import_build
from skyreid.checkpoint import write_checkpoint
from skyreid.extraction.embed_folder import embed
from skyreid.files.config_json import to_json
from skyreid.retrieval.search import Asked
from tests.cases.builds import drawn, write_build
from tests.cases.conftest import new_case
from tests.tiny_model import tiny_model

MANY = tuple(f"{source}-{number:04d}" for source in ("gate-a", "roof-a") for number in range(1, 101))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    model = tiny_model().requires_grad_(False)
    folder = tmp_path_factory.mktemp("model") / "checkpoint"
    config = {"kind": "vsla-clip", "model": to_json(model.config)}
    write_checkpoint(folder, weights=model.state_dict(), config=config, provenance={"seed": 0})
    return folder


@pytest.fixture
def case(tmp_path, database):
    write_build(tmp_path / "built", embeddings=drawn())
    with new_case(tmp_path / "case", database) as made:
        import_build(made, tmp_path / "built", by="anna", purpose="a test")
        yield made


def test_every_vector_is_that_of_embed_and_searches_take_the_new_model(case, checkpoint, tmp_path):
    report = re_embed(case, checkpoint, by="anna")
    assert (report.model, report.embedded, report.left_out) == (2, 6, ())
    new = read_models(case)[0]
    assert new.number == 2 and not new.seen_unmasked
    ours, theirs = read_table(case, new), embed(tmp_path / "built", checkpoint)
    order = [list(theirs.tracklet_ids).index(one) for one in ours.tracklet_ids]
    np.testing.assert_allclose(ours.embeddings, theirs.embeddings[order], atol=1e-6)
    assert CaseSearch(case).search(["gate-a-0001"]).model.number == 2
    assert CaseSearch(case).search(["gate-a-0001"], model=1).model.number == 1
    assert re_embed(case, checkpoint, by="anna").embedded == 0
    assert verify_case(case).damage == ()


def test_whoever_lost_a_crop_is_named_and_the_others_are_embedded(case, checkpoint):
    lost = read_tracklets(case)[0].tracklet
    Path(lost.frames[0].path).write_bytes(b"no picture")
    report = re_embed(case, checkpoint, by="anna")
    assert report.embedded == 5
    assert lost.tracklet_id in report.left_out[0] and lost.frames[0].path in report.left_out[0]


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_and_ends_alike(checkpoint, tmp_path, empty):
    write_build(tmp_path / "built", MANY)
    import_build(empty, tmp_path / "built", by="anna", purpose="a test")
    command = [sys.executable, "-m", "skyreid", "case", "re-embed", str(tmp_path / "case"), "--model", str(checkpoint)]
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open_case(tmp_path / "case") as case:
        while not any(one.num_vectors for one in read_models(case)) and killed.poll() is None:
            time.sleep(0.01)
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        before = read_models(case)[0].num_vectors
        assert 0 < before < len(MANY) and before % 64 == 0
        assert re_embed(case, checkpoint, by="anna").embedded == len(MANY) - before
        table, whole = read_table(case, read_models(case)[0]), embed(tmp_path / "built", checkpoint)
    order = [list(whole.tracklet_ids).index(one) for one in table.tracklet_ids]
    np.testing.assert_allclose(table.embeddings, whole.embeddings[order], atol=1e-6)


def spaces(*, noise, pairs=1_000):
    """Unit vectors of the same sightings by two models: the second turns the first's space, leans, and sees less."""
    random = np.random.default_rng(3)
    old = random.standard_normal((pairs, 24))
    turned = old @ np.linalg.qr(random.standard_normal((24, 24)))[0] + noise * random.standard_normal(old.shape)
    turned[:, 0] += 3.0
    return [(one / np.linalg.norm(one, axis=1, keepdims=True)).astype(np.float32) for one in (old, turned)]


def test_a_bridge_finds_what_the_new_model_finds_as_far_as_the_old_one_knew_it():
    clear, noisy = build_bridge(*spaces(noise=0.0)), build_bridge(*spaces(noise=0.5))
    assert clear.recall > 0.8 > noisy.recall > 0.3
    old, _ = spaces(noise=0.0)
    strangers = build_bridge(old, np.random.default_rng(4).permutation(old))
    assert strangers.recall < 0.2 and strangers.num_judged == 200


def test_pictures_ask_over_the_bridge_while_the_new_model_is_at_work(tmp_path, database):
    old, new = spaces(noise=0.1, pairs=len(MANY))
    write_build(tmp_path / "built", MANY, embeddings=old)
    with new_case(tmp_path / "case", database) as case:
        import_build(case, tmp_path / "built", by="anna", purpose="a test")
        everybody = read_tracklets(case)
        with case.database.writing() as connection:
            number = find_model(connection, model="n" * 64, feeding=None, seen_unmasked=False, width=24)
            some = {one.number: new[row] for row, one in enumerate(everybody) if row % 4}
            put_vectors(connection, number, some, revision=99)
        bridges = _Bridges(case, number, "anna", 150)
        bridges.consider()
        assert bridges.made is not None and bridges.made.recall > 0.5
        picture = Asked(words="a.jpg", embedding=new[0])
        searching = CaseSearch(case)
        asked = searching.search(asked=[picture], top_k=3)
        cache = case.folder / "cache" / str(asked.model.number)
        assert asked.model.is_bridged and asked.model.asks_by == "n" * 64 and asked.num_searched == len(MANY)
        assert asked.candidates[0].seen.number == everybody[0].number  # whose vector was brought over
        assert CaseSearch(case).search(["gate-a-0001"]).model.number == 1
        held = read_table(case, asked.model).embeddings
        assert all((held[row] == new[row]).all() for row in range(len(MANY)) if row % 4)
        with case.database.writing() as connection:
            rest = {one.number: new[row] for row, one in enumerate(everybody) if not row % 4}
            put_vectors(connection, number, rest, revision=100)
        assert cache.exists()
        bridges.close()
        assert searching.search(asked=[picture]).model.number == number
        assert not cache.exists() and searching._caches.keys() == {number}
        assert CaseSearch(case).search(["gate-a-0001"]).model.number == number
        assert CaseSearch(case).search(asked=[picture]).model.number == number
        assert verify_case(case).damage == ()
