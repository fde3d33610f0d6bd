"""The truth and what is derived from it, against plain NumPy, whatever happens in between."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from skyreid.cases.case import create_case, next_revision, open_case
from skyreid.cases.keeping.retention import purge_source, trash_source
from skyreid.cases.schema import SOURCES
from skyreid.cases.search import search_cache
from skyreid.cases.search.search_cache import SearchCache, score_error
from skyreid.cases.search.searching import CaseSearch
from skyreid.cases.sources import NewSource, insert_source, source_named, touch_tracklets
from skyreid.cases.tracklets import find_model, insert_tracklets, put_vectors, read_models, remove_vectors
from skyreid.cases.verification import verify_case
from skyreid.cases.work.importing import import_build, import_table
from skyreid.errors import CaseError, NothingFoundError
from skyreid.retrieval.comparing import Direction
from skyreid.retrieval.search import Asked
from skyreid.tracklet import Platform
from tests.building.linking.folders import seen
from tests.cases.builds import MODEL, drawn, write_build
from tests.cases.conftest import on_postgres

WIDTH = 6
CACHED = ("rows.npy", "units.f16", "units.i8", "steps.npy")
ASKEW = np.random.default_rng(1).uniform(-1, 1, (3, WIDTH))


class TruthAndCache(RuleBasedStateMachine):
    """Rows come, change and go; at every moment a search finds what NumPy finds in what should be there."""

    database = None

    @initialize()
    def begin(self):
        self.folder = Path(mkdtemp(prefix="skyreid-case-"))
        self.case = create_case(self.folder / "case", by="anna", database=self.database)
        self.searching = CaseSearch(self.case)
        self.random = np.random.default_rng(0)
        self.sources: dict[str, tuple[int, list[int], Platform]] = {}
        self.vectors: dict[int, np.ndarray] = {}
        self.trashed: set[str] = set()

    def teardown(self):
        if hasattr(self, "case"):
            if self.database is not None:
                self.case.database.drop()
            self.case.close()
            shutil.rmtree(self.folder)

    def draw(self):
        # A few directions askew, so that many are nearly the same and float16 puts them in another order.
        return (ASKEW[self.random.integers(3)] + 1e-4 * self.random.standard_normal(WIDTH)).astype(np.float32)

    @rule(size=st.integers(1, 7), platform=st.sampled_from(Platform))
    def add(self, size, platform):
        camera = "roof" if platform is Platform.AERIAL else "gate"
        name = f"{camera}-{len(self.sources)}"
        tracklets = [hashed(seen(f"{name}-{number:04d}")) for number in range(size)]
        with self.case.database.writing() as connection:
            source = insert_source(connection, new_source(name, camera, platform), by="anna")
            revision = next_revision(connection)
            numbers = list(insert_tracklets(connection, source, tracklets, revision=revision).values())
            self.put(connection, {number: self.draw() for number in numbers}, revision)
        self.sources[name] = (source, numbers, platform)

    @precondition(lambda self: self.sources)
    @rule(data=st.data())
    def change_vectors(self, data):
        chosen = data.draw(st.lists(st.sampled_from(self.all_numbers()), min_size=1, max_size=3, unique=True))
        with self.case.database.writing() as connection:
            self.put(connection, {number: self.draw() for number in chosen}, next_revision(connection))

    @precondition(lambda self: self.vectors)
    @rule(data=st.data())
    def remove(self, data):
        chosen = data.draw(st.lists(st.sampled_from(sorted(self.vectors)), min_size=1, max_size=3, unique=True))
        with self.case.database.writing() as connection:
            model = find_model(connection, model=MODEL, feeding=None, seen_unmasked=False, width=WIDTH)
            remove_vectors(connection, model, chosen, revision=next_revision(connection))
        for number in chosen:
            del self.vectors[number]

    @precondition(lambda self: self.sources)
    @rule(data=st.data())
    def trash_or_restore(self, data):
        name = data.draw(st.sampled_from(sorted(self.sources)))
        self.trashed ^= {name}
        when = "2026-11-28" if name in self.trashed else None
        with self.case.database.writing() as connection:
            connection.execute(SOURCES.update().where(SOURCES.c.name == name).values(trashed_at=when))
            touch_tracklets(connection, self.sources[name][0])

    @rule()
    def another_process_searches(self):
        """Its cache on the disk is what we wrote, its memory is not."""
        self.searching = CaseSearch(self.case)

    @precondition(lambda self: self.cache_files())
    @rule(data=st.data(), is_new=st.booleans())
    def damage_the_cache(self, data, is_new):
        """A truth that differs from what was derived of it is found, and mended."""
        self.check()  # what is mapped is left alone by what we do to the files
        model = read_models(self.case)[0]
        if is_new:  # every row counts; otherwise some have newer ones in their place
            SearchCache(self.case, model).rebuild()
        self.searching = CaseSearch(self.case)
        folder = self.case.folder / "cache" / str(model.number)
        whole = {name: (folder / name).read_bytes() for name in CACHED}
        if not whole["units.f16"]:
            return
        rows = np.load(folder / "rows.npy")
        # Number, source, first and last second and height stand first in a row; its position is not known.
        fact = data.draw(st.integers(0, rows.dtype.fields["latitude"][1] - 1))
        row = data.draw(st.integers(0, len(rows) - 1))
        step = data.draw(st.integers(1, 4 * len(rows)))
        for name, place in (
            ("units.f16", data.draw(st.integers(0, len(whole["units.f16"]) - 1))),
            ("units.i8", data.draw(st.integers(0, len(whole["units.i8"]) - 1))),
            ("steps.npy", len(whole["steps.npy"]) - step),
            ("rows.npy", len(whole["rows.npy"]) - rows.nbytes + row * rows.itemsize + fact),
        ):
            content = bytearray((folder / name).read_bytes())
            content[place] ^= 0xFF
            (folder / name).unlink()
            (folder / name).write_bytes(content)
            found = verify_case(self.case)
            if is_new:
                assert any("rows are not what the database holds" in one for one in found.mended), name
                assert {one: (folder / one).read_bytes() for one in whole} == whole
            assert not [one for one in found.damage if "crop" not in one]
        with self.case.database.reading() as connection:
            assert SearchCache(self.case, model).damage(connection) == []

    @precondition(lambda self: self.cache_files())
    @rule()
    def lose_the_cache(self):
        shutil.rmtree(self.case.folder / "cache")
        self.searching = CaseSearch(self.case)

    @invariant()
    def check(self):
        if not hasattr(self, "case"):
            return
        asked = self.random.standard_normal(WIDTH).astype(np.float32)
        for platform in (None, Platform.AERIAL):
            numbers, expected = self.oracle(asked, platform)
            question = [Asked(words="x", embedding=asked)]
            try:
                ranking = self.searching.search(asked=question, platform=platform, top_k=4)
            except (NothingFoundError, CaseError):
                assert len(numbers) == 0 or not self.vectors
                continue
            assert ranking.num_searched == len(numbers)
            cosines = dict(zip(numbers, expected, strict=True))
            got = [(one.seen.number, one.similarity) for one in ranking.candidates]
            assert np.allclose([s for _, s in got], [cosines[n] for n, _ in got], atol=1e-6)
            assert np.allclose([s for _, s in got], np.sort(expected)[::-1][: len(got)], atol=1e-6)
            assert len({n for n, _ in got}) == min(4, len(numbers))

    def oracle(self, asked, platform):
        """Who can be found, and how alike they are, by plain NumPy in float64."""
        numbers = [
            number
            for name, (_, those, seen_from) in self.sources.items()
            if name not in self.trashed and platform in (None, seen_from)
            for number in those
            if number in self.vectors
        ]
        matrix = np.array([self.vectors[number] for number in numbers], dtype=np.float64).reshape(-1, WIDTH)
        asked = asked.astype(np.float64)
        return numbers, matrix @ asked / np.linalg.norm(matrix, axis=1) / np.linalg.norm(asked)

    def put(self, connection, vectors, revision):
        model = find_model(connection, model=MODEL, feeding=None, seen_unmasked=False, width=WIDTH)
        put_vectors(connection, model, vectors, revision=revision)
        self.vectors |= vectors

    def all_numbers(self):
        return [number for _, numbers, _ in self.sources.values() for number in numbers]

    def cache_files(self):
        return list((self.case.folder / "cache").glob("*/*"))


def hashed(tracklet):
    return replace(tracklet, frames=tuple(replace(frame, sha256="0" * 64) for frame in tracklet.frames))


def new_source(name, camera, platform):
    return NewSource(
        name=name,
        platform=platform,
        camera=camera,
        file=f"{name}.mp4",
        path=None,
        sha256=name,
        crops=name,
        start_time=None,
        purpose="a test",
        facts={},
        settings={},
        is_simulated=False,
    )


@pytest.fixture(autouse=True)
def early_compaction(monkeypatch):
    """Caches are written anew after some changes, not after thousands."""
    monkeypatch.setattr(search_cache, "_MOST_BEHIND", 4)


@pytest.mark.parametrize("url", [pytest.param(None, id="sqlite"), on_postgres])
def test_a_search_always_finds_what_numpy_finds_in_the_truth(url):
    class OnThisDatabase(TruthAndCache):
        database = url

    OnThisDatabase.TestCase.settings = settings(max_examples=6, stateful_step_count=10, deadline=None)
    OnThisDatabase.TestCase("runTest").runTest()


@pytest.mark.slow
@pytest.mark.parametrize("url", [pytest.param(None, id="sqlite"), on_postgres])
def test_a_search_always_finds_what_numpy_finds_in_the_truth_for_long(url):
    class OnThisDatabase(TruthAndCache):
        database = url

    OnThisDatabase.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
    OnThisDatabase.TestCase("runTest").runTest()


@pytest.mark.parametrize("width", [8, 512, 1280])
def test_no_score_of_float16_is_farther_from_the_cosine_than_is_allowed_for(width):
    from skyreid.cases.search.search_cache import _scores

    random = np.random.default_rng(width)
    vectors = np.abs(random.standard_normal((3_000, width))).astype(np.float32)  # high cosines, coarse numbers
    units = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    scores = _scores(units.astype(np.float16), Direction(units[:1]), np.arange(len(units)))
    assert np.abs(scores - units.astype(np.float64) @ units[0]).max() < score_error(width)


def test_the_cache_of_a_copy_that_went_another_way_is_not_used(case, tmp_path):
    CaseSearch(case).search(["gate-a-0001"])
    if not case.database.is_file:
        pytest.skip("a copy of a database of PostgreSQL is made by its own means")
    shutil.copytree(case.folder, tmp_path / "backup")
    meta = json.loads((tmp_path / "backup" / "cache" / "1" / "meta.json").read_text())
    source = source_named(case, "gate-a")
    for _ in range(3):
        with case.database.writing() as connection:
            put_vectors(connection, 1, {1: drawn(["x"])[0]}, revision=next_revision(connection))
            touch_tracklets(connection, source.number)
    with open_case(tmp_path / "backup") as restored:
        meta |= {"revision": meta["revision"] + 1, "audit_seq": meta["audit_seq"] + 1}  # written after the backup
        (restored.folder / "cache" / "1" / "meta.json").write_text(json.dumps(meta))
        with restored.database.writing() as connection:
            next_revision(connection)
            next_revision(connection)
        CaseSearch(restored).search(["gate-a-0001"])
        written = json.loads((restored.folder / "cache" / "1" / "meta.json").read_text())
        assert written["revision"] == meta["revision"] + 1


def test_vectors_of_two_models_are_never_compared(case, built, tmp_path):
    write_build(tmp_path / "built", embeddings=drawn(seed=1), model="n" * 64)
    import_table(case, tmp_path / "built" / "embeddings.npz", by="anna")
    searching = CaseSearch(case)
    first, second = (searching.search(["gate-a-0001"], model=number) for number in (1, 2))
    assert [c.similarity for c in first.candidates] != [c.similarity for c in second.candidates]
    assert (first.model.model, second.model.model) == (MODEL, "n" * 64)
    assert first.num_searched == second.num_searched == 5


def test_the_most_similar_are_found_where_8_bits_see_nothing_of_what_tells_them_apart(tmp_path):
    random, many = np.random.default_rng(7), tuple(f"roof-a-{number:04d}" for number in range(1, 121))
    vectors = 0.004 * random.standard_normal((len(many), 32))  # as much as one step of the first number's 127
    vectors[:, 0] = 1.0
    write_build(tmp_path / "built", many, embeddings=vectors.astype(np.float32))
    with create_case(tmp_path / "case", by="anna") as case:
        import_build(case, tmp_path / "built", by="anna", purpose="a test")
        for _ in range(10):
            asked = random.standard_normal(32)
            asked[0] = 0.0
            right = np.argsort(-(vectors @ asked) / np.linalg.norm(vectors, axis=1))[:5]
            question = Asked(words="x", embedding=asked.astype(np.float32))
            found = CaseSearch(case).search(asked=[question], top_k=5).candidates
            assert [one.seen.tracklet.tracklet_id for one in found] == [many[row] for row in right]


def test_tracklets_without_a_vector_are_told(case, tmp_path):
    write_build(tmp_path / "door", ["door-a-0001"])
    import_build(case, tmp_path / "door", by="anna", purpose="a test")
    ranking = CaseSearch(case).search(["gate-a-0001"])
    assert (ranking.num_waiting, ranking.num_searched) == (1, 5)
    assert any("the result is partial" in line for line in ranking.lines())


def test_caches_that_many_write_and_remove_at_once_are_whole_for_each(case):
    (model,) = read_models(case)
    found = CaseSearch(case).search(["gate-a-0001"])
    expected = [(one.seen.tracklet.tracklet_id, one.similarity) for one in found.candidates]

    def use(which):
        with open_case(case.folder) as opened:
            for _ in range(12):
                if which == "purges":
                    shutil.rmtree(opened.folder / "cache", ignore_errors=True)
                elif which == "writes":
                    assert SearchCache(opened, model).rebuild() == 6
                else:
                    again = CaseSearch(opened).search(["gate-a-0001"])
                    assert [(one.seen.tracklet.tracklet_id, one.similarity) for one in again.candidates] == expected

    with ThreadPoolExecutor(5) as threads:
        list(threads.map(use, ["writes", "writes", "searches", "searches", "purges"]))


def test_who_has_a_cache_open_finds_what_another_brings_and_keeps_nothing_of_what_another_purges(case, tmp_path):
    searching = CaseSearch(case)

    def found():
        return {
            one.seen.tracklet.tracklet_id
            for one in searching.search(["gate-a-0001"], platform=Platform.AERIAL).candidates
        }

    assert found() == {"roof-a-0001", "roof-a-0002", "roof-a-0003"}
    source = {"name": "roof-b", "file": "m.mp4", "camera": "roof", "platform": "aerial", "video_sha256": "m"}
    write_build(tmp_path / "roof", ["roof-b-0001"], embeddings=drawn(["x"]), sources=[source])
    with open_case(case.folder) as other:
        import_build(other, tmp_path / "roof", by="bert", purpose="a test")
        assert found() == {"roof-a-0001", "roof-a-0002", "roof-a-0003", "roof-b-0001"}
        trash_source(other, "roof-a", by="bert")
        assert found() == {"roof-b-0001"}
        purge_source(other, "roof-a", by="bert")
    assert found() == {"roof-b-0001"}
    (model,) = read_models(case)
    with case.database.reading() as connection:
        cached, newer = searching._caches[model.number].gallery(connection).parts
    assert {*cached.rows["number"], *newer.rows["number"]} == {1, 2, 3, 7}
