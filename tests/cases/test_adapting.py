"""What is learned from the decisions of a case: kept when others are found better by it, and nothing else."""

import numpy as np
import pytest

from skyreid.cases.audit import read_audit
from skyreid.cases.deciding.decisions import decide
from skyreid.cases.deciding.standing import read_standing
from skyreid.cases.search.adapting import Lesson, adapt, applied, precision, split, train
from skyreid.cases.search.searching import CaseSearch
from skyreid.cases.tracklets import read_models, read_table
from skyreid.cases.work.importing import import_build, import_table
from skyreid.errors import NothingFoundError
from skyreid.retrieval.search import Asked
from tests.cases.builds import write_build
from tests.cases.conftest import new_case

PEOPLE = 48
IDS = tuple(f"{source}-{number:04d}" for source in ("gate-a", "roof-a") for number in range(1, PEOPLE + 1))
WIDTH, NUISANCE = 22, 2


def views(*, noise):
    """Vectors of the same people from both platforms; two numbers of each say nothing of the person."""
    random = np.random.default_rng(5)
    who = random.standard_normal((PEOPLE, WIDTH - NUISANCE))
    seen = []
    for _ in range(2):
        blurred = who + noise * random.standard_normal(who.shape)
        seen.append(np.concatenate([blurred, 8 * noise * random.standard_normal((PEOPLE, NUISANCE))], axis=1))
    return np.concatenate(seen).astype(np.float32)


@pytest.fixture
def decided(tmp_path, request, database):
    """A case in which the first forty people are confirmed."""
    write_build(tmp_path / "built", IDS, embeddings=request.param)
    with new_case(tmp_path / "case", database) as case:
        import_build(case, tmp_path / "built", by="anna", purpose="a test")
        for number in range(1, 41):
            decide(case, f"gate-a-{number:04d}", f"roof-a-{number:04d}", "confirmed", annotator="anna")
        yield case


@pytest.mark.parametrize("decided", [views(noise=0.7)], indirect=True)
def test_what_finds_others_better_becomes_a_model_that_searches_take_until_somebody_new_comes(decided, tmp_path):
    report = adapt(decided, by="anna")
    assert report.after > report.before and report.adopted == 2
    base, adapted = read_models(decided)
    assert (adapted.number, adapted.is_adapted, adapted.num_vectors) == (2, True, 2 * PEOPLE) and not base.is_adapted
    searching = CaseSearch(decided)
    assert searching.search(["gate-a-0045"]).model.number == 2
    assert searching.search(["gate-a-0045"], model=1).model.number == 1
    picture = Asked(words="a.jpg", embedding=np.ones(WIDTH, dtype=np.float32))
    assert searching.search(asked=[picture]).model.number == 1
    units = read_table(decided, adapted).embeddings
    assert np.allclose(np.linalg.norm(units, axis=1), 1, atol=1e-6)
    with decided.database.reading() as connection:
        assert [row.subject for row in read_audit(connection) if row.action == "case adapt"] == ["model 2"]
    write_build(tmp_path / "door", ["door-a-0001"], embeddings=np.ones((1, WIDTH), dtype=np.float32))
    import_build(decided, tmp_path / "door", by="anna", purpose="a test")
    import_table(decided, tmp_path / "door" / "embeddings.npz", by="anna")
    assert CaseSearch(decided).search(["gate-a-0045"]).model.number == 1


@pytest.mark.parametrize("decided", [views(noise=0.0)], indirect=True)
def test_what_finds_nobody_better_changes_nothing_but_the_log(decided):
    report = adapt(decided, by="anna")
    assert report.adopted is None and report.before == 1.0
    assert len(read_models(decided)) == 1 and CaseSearch(decided).search(["gate-a-0045"]).model.number == 1
    with decided.database.reading() as connection:
        assert [row.subject for row in read_audit(connection) if row.action == "case adapt"] == ["not adopted"]


@pytest.mark.parametrize("decided", [views(noise=0.7)], indirect=True)
def test_nobody_is_on_both_sides_of_the_split_and_training_is_the_same_again(decided):
    decide(decided, "gate-a-0001", "roof-a-0002", "rejected", annotator="anna")
    (model,) = read_models(decided)
    table = read_table(decided, model)
    trained, held_out = split(read_standing(decided), table.tracklet_ids.tolist(), table.embeddings, seed=0)
    assert not set(trained.pids) & set(held_out.pids)
    assert (len(trained.pids) + len(held_out.pids), trained.num_identities + held_out.num_identities) == (80, 40)
    first, second = train(trained, seed=0), train(trained, seed=0)
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_precision_is_that_of_a_slow_loop_and_an_empty_adapter_changes_nothing():
    random = np.random.default_rng(0)
    units = random.standard_normal((12, 8)).astype(np.float32)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    lesson = Lesson(units=units, pids=np.arange(12) % 4, platforms=np.arange(12) // 4 % 2)
    found = []
    for row in range(12):
        others = [one for one in range(12) if lesson.platforms[one] != lesson.platforms[row]]
        others.sort(key=lambda one: -float(units[one] @ units[row]))
        hits = [place for place, one in enumerate(others, start=1) if lesson.pids[one] == lesson.pids[row]]
        found += [np.mean([(count + 1) / place for count, place in enumerate(hits)])] if hits else []
    assert precision(lesson) == pytest.approx(np.mean(found))
    nothing = np.zeros((16, 8), dtype=np.float32), np.zeros((8, 16), dtype=np.float32)
    assert np.allclose(applied(units, *nothing), units, atol=1e-6)


def test_too_few_decisions_are_refused(tmp_path, empty):
    write_build(tmp_path / "few", IDS, embeddings=views(noise=0.7))
    import_build(empty, tmp_path / "few", by="anna", purpose="a test")
    with pytest.raises(NothingFoundError, match=r"too few people are confirmed .* needed are 6 and 3"):
        adapt(empty, by="anna")
