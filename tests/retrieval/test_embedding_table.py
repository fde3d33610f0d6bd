import re
import zipfile

import numpy as np
import pytest
import torch

from skyreid.errors import TableError
from skyreid.feeding import Feeding
from skyreid.retrieval.embedding_table import EmbeddingTable, load_table, save_table
from skyreid.retrieval.table_rows import platform_counts
from skyreid.tracklet import Platform

FED = Feeding(clip_length=4, image_size=(64, 32), needs_platform=False)


def arrays(rows: int = 4, embed: int = 3) -> dict[str, np.ndarray]:
    return {
        "embeddings": np.random.default_rng(0).standard_normal((rows, embed)).astype(np.float32),
        "pids": np.arange(rows),
        "camids": np.arange(rows) % 2,
        "platforms": np.arange(rows) % 2,
        "tracklet_ids": np.array([f"t{row}" for row in range(rows)]),
    }


PICTURES = np.array([64 * digit for digit in "abcd"], dtype="S64")


def table(**changes: object) -> EmbeddingTable:
    return EmbeddingTable(**{**arrays(), **changes})


def assert_same(one: EmbeddingTable, other: EmbeddingTable) -> None:
    for name in arrays():
        left, right = getattr(one, name), getattr(other, name)
        assert left.dtype == right.dtype
        assert np.array_equal(left, right)
    assert (one.manifest, one.model, one.feeding) == (other.manifest, other.model, other.feeding)
    assert (one.pictures is None) == (other.pictures is None)
    assert one.pictures is None or one.pictures.tolist() == other.pictures.tolist()


@pytest.mark.parametrize("manifest", [None, "/street/manifest.jsonl"])
@pytest.mark.parametrize("ids", [np.array(["a", "ß", "c", "d"]), np.array([9, 7, 8, 1])])
def test_a_saved_table_loads_as_it_was(tmp_path, manifest, ids):
    known = {} if manifest is None else {"manifest": manifest, "model": "5" * 64, "feeding": FED, "pictures": PICTURES}
    saved = table(tracklet_ids=ids, **known)
    save_table(tmp_path / "table.npz", saved)
    assert_same(load_table(tmp_path / "table.npz"), saved)


def test_a_saved_table_holds_exactly_the_documented_arrays_uncompressed(tmp_path):
    save_table(tmp_path / "table.npz", table())
    with zipfile.ZipFile(tmp_path / "table.npz") as file:
        assert {entry.filename for entry in file.infolist()} == {f"{name}.npy" for name in arrays()}
        assert {entry.compress_type for entry in file.infolist()} == {zipfile.ZIP_STORED}


def test_saving_replaces_the_older_table_and_leaves_nothing_else(tmp_path):
    save_table(tmp_path / "table.npz", table())
    save_table(tmp_path / "table.npz", table(pids=np.array([5, 6, 7, 8])))
    assert load_table(tmp_path / "table.npz").pids.tolist() == [5, 6, 7, 8]
    assert [path.name for path in tmp_path.iterdir()] == ["table.npz"]


@pytest.mark.parametrize("precision", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("integer", [np.uint8, np.int32, np.int64])
def test_a_table_of_another_program_is_converted(tmp_path, precision, integer):
    content = arrays()
    content["embeddings"] = content["embeddings"].astype(precision)
    for name in ("pids", "camids", "platforms"):
        content[name] = content[name].astype(integer)
    np.savez_compressed(tmp_path / "table.npz", **content)
    loaded = load_table(tmp_path / "table.npz")
    assert np.array_equal(loaded.embeddings, content["embeddings"].astype(np.float32))
    assert loaded.pids.dtype == loaded.camids.dtype == loaded.platforms.dtype == np.int64


def test_unit_embeddings_have_length_one_and_are_made_once():
    made = table()
    np.testing.assert_allclose(np.linalg.norm(made.unit_embeddings, axis=1), 1, atol=5e-6)  # float32
    assert made.unit_embeddings is made.unit_embeddings


def test_selecting_and_concatenating_gives_the_table_back():
    whole = table(manifest="m", model="5" * 64, pictures=PICTURES)
    first = np.array([True, True, False, False])
    assert_same(whole.select(first).concatenate(whole.select(~first)), whole)


def test_selected_rows_keep_their_order():
    assert table().select(np.array([True, False, False, True])).tracklet_ids.tolist() == ["t0", "t3"]


def test_platforms_are_counted_in_words():
    assert platform_counts(table(platforms=np.array([1, 1, 0, 1]))) == "1 ground, 3 aerial"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tracklet_ids": np.arange(4.0)}, "tracklet_ids must be strings or integers; got float64"),
        ({"tracklet_ids": np.array(list("abcd"), object)}, "tracklet_ids must be strings or integers; got object"),
        ({"tracklet_ids": np.array(list("abcb"))}, "tracklet_ids must be unique; rows 1 and 3 are both b"),
        ({"platforms": np.array([0, 1, 2, 0])}, "platforms, row 2: must be 0 (ground) or 1 (aerial); got 2"),
        ({"embeddings": np.ones((4, 0), np.float32)},
         "embeddings must have the shape (tracklets, embedding size); got (4, 0)"),
    ],
)  # fmt: skip
def test_values_that_no_table_can_hold_are_refused(changes, message):
    with pytest.raises(TableError, match=f"^{re.escape(message)}$"):
        table(**changes)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused_by_row(value):
    embeddings = arrays()["embeddings"]
    embeddings[2, 1] = value
    message = "embeddings, row 2 (tracklet t2): every value must be finite; got NaN or infinity"
    with pytest.raises(TableError, match=f"^{re.escape(message)}$"):
        table(embeddings=embeddings)


@pytest.mark.parametrize(("length", "shown"), [(0.0, "0"), (1e-20, "1e-20"), (1e25, "1e+25")])
def test_a_row_without_a_direction_is_refused(length, shown):
    embeddings = arrays()["embeddings"]
    embeddings[1] = embeddings[3] = [length, 0, 0]
    message = (
        "embeddings, row 1 (tracklet t1): the length of a row must be between 1e-12 and 1.8e19, "
        f"else its cosine is undefined; got {shown}; 2 such rows"
    )
    with pytest.raises(TableError, match=f"^{re.escape(message)}$"):
        table(embeddings=embeddings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embeddings": np.ones((4, 5), np.float32)}, "embeddings of two tables must have one size; got 3 and 5"),
        ({"tracklet_ids": np.arange(4)}, "tracklet_ids of two tables must be of one kind"),
        ({"model": "6" * 64}, "embeddings of two tables must come from one model; got the sha256 555"),
        ({"manifest": "other"}, "a table points at one manifest; got None and 'other'"),
        ({}, "tracklet_ids must be unique; rows 0 and 4 are both t0"),
    ],
)
def test_tables_that_do_not_fit_are_not_put_together(changes, message):
    with pytest.raises(TableError, match=f"^{re.escape(message)}"):
        table(model="5" * 64).concatenate(table(**changes))


def test_of_tables_that_are_put_together_the_model_is_known_only_if_it_is_of_both():
    one = table(model="5" * 64).concatenate(table(tracklet_ids=np.array(list("abcd"))))
    assert one.model is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pids": None}, "a table holds the arrays embeddings, pids, camids, platforms, tracklet_ids; missing: pids"),
        ({"platform": np.arange(4), "platforms": None}, "missing: platforms"),
        ({"embeddings": np.ones((4, 3), np.int32)}, "embeddings must be floating point; got int32"),
        ({"embeddings": np.ones(4)}, "embeddings must have the shape (tracklets, embedding size); got (4,)"),
        ({"pids": np.arange(3)}, "pids must hold one value per row of embeddings (4); got the shape (3,)"),
        (
            {"camids": np.ones((4, 1), int)},
            "camids must hold one value per row of embeddings (4); got the shape (4, 1)",
        ),
        (
            {"tracklet_ids": np.arange(5)},
            "tracklet_ids must hold one value per row of embeddings (4); got the shape (5,)",
        ),
        ({"camids": np.ones(4)}, "camids must be integers; got float64"),
        ({"pids": np.array([2**64 - 1] * 4, np.uint64)}, "pids must be below 2**63; got 18446744073709551615"),
        ({"embeddings": np.full((4, 3), 1e300)}, "embeddings, row 0 (tracklet t0): every value must be finite"),
        ({"model": np.arange(4)}, "model must be one string; got int64 of the shape (4,)"),
        ({"feeding": np.array("{")}, "feeding must be JSON: Expecting property name"),
        ({"feeding": np.array("{}")}, "feeding: Feeding lacks clip_length, colour_order"),
        ({"manifest": np.array(["a", "b"])}, "manifest must be one string; got <U1 of the shape (2,)"),
    ],
)
def test_a_file_that_is_not_a_table_is_refused_by_name(tmp_path, changes, message):
    path = tmp_path / "table.npz"
    content = {name: array for name, array in {**arrays(), **changes}.items() if array is not None}
    np.savez(path, **content)
    with pytest.raises(TableError, match=f"^{re.escape(str(path))}: .*{re.escape(message)}"):
        load_table(path)


@pytest.mark.parametrize("name", ["pids", "camids", "platforms"])
def test_values_listed_by_frame_are_refused_by_the_name_of_the_mistake(tmp_path, name):
    path = tmp_path / "table.npz"
    np.savez(path, **{**arrays(), name: np.repeat(arrays()[name], 8)})
    message = (
        f"{path}: {name} must hold one value per row of embeddings (4); got the shape (32,): one value per frame "
        "instead of one per tracklet? Taken by tracklet, such values belong to others, and matches of the same camera "
        "count as found. Give each tracklet its value once, outside the loop over its frames"
    )
    with pytest.raises(TableError, match=f"^{re.escape(message)}$"):
        load_table(path)


def test_uncompressed_embeddings_are_mapped_and_the_file_stays_as_it_is(tmp_path):
    path = tmp_path / "table.npz"
    save_table(path, table())
    content = path.read_bytes()
    loaded = load_table(path)
    assert isinstance(loaded.embeddings.base, np.memmap)
    loaded.embeddings[:] = 1
    assert path.read_bytes() == content


class Marker:
    """Unpickling it would leave a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.mark.parametrize("name", ["tracklet_ids", "embeddings", "manifest"])
def test_an_array_of_objects_is_refused_and_never_executed(tmp_path, name):
    path, witness = tmp_path / "table.npz", tmp_path / "executed"
    np.savez(path, allow_pickle=True, **{**arrays(), name: np.array([Marker(str(witness))] * 4, object)})
    with pytest.raises(TableError, match=r"not a readable \.npz table: Object arrays cannot be loaded"):
        load_table(path)
    assert not witness.exists()


def test_a_file_cut_anywhere_is_refused(tmp_path):
    path = tmp_path / "table.npz"
    save_table(path, table())
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(TableError, match=re.escape(str(path))):
            load_table(path)


def test_a_changed_byte_in_the_numbers_is_refused(tmp_path):
    path = tmp_path / "table.npz"
    save_table(path, table())
    content = bytearray(path.read_bytes())
    content[content.index(arrays()["embeddings"].tobytes())] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(TableError, match="Bad CRC-32"):
        load_table(path)


def test_a_single_array_and_a_missing_file_are_refused(tmp_path):
    np.save(tmp_path / "table.npy", np.arange(3))
    with pytest.raises(TableError, match=r"a table is an \.npz file of several arrays; this holds a single one"):
        load_table(tmp_path / "table.npy")
    with pytest.raises(TableError, match=r"missing.npz must be an embedding table .*; nothing lies there$"):
        load_table(tmp_path / "missing.npz")


def test_a_table_finds_its_manifest_wherever_both_were_moved_and_names_no_folder_above(tmp_path):
    """Kind 11-B8: a table is passed on, and the name of somebody's home folder with it."""
    ada = tmp_path / "home-of-ada"
    (ada / "footage").mkdir(parents=True)
    save_table(ada / "tables.npz", table(manifest=str(ada / "footage/manifest.jsonl"), model="5" * 64))
    assert b"home-of-ada" not in (ada / "tables.npz").read_bytes().replace(b"\0", b"")
    moved = ada.rename(tmp_path / "elsewhere")
    assert load_table(moved / "tables.npz").manifest == str(moved / "footage/manifest.jsonl")


@pytest.mark.parametrize("platforms", [["ground", Platform.AERIAL], [0, 1], np.array([0, 1], dtype=np.uint8)])
@pytest.mark.parametrize(
    "embeddings", [[[1, 2], [3, 4]], np.array([[1.0, 2], [3, 4]]), torch.tensor([[1.0, 2], [3, 4]])]
)
def test_a_table_is_made_of_lists_numpy_or_torch(embeddings, platforms):
    """Kind C2."""
    made = EmbeddingTable.of(embeddings, tracklet_ids=["a", "b"], pids=[7, 8], camids=(0, 1), platforms=platforms)
    assert made.embeddings.tolist() == [[1, 2], [3, 4]]
    assert (made.pids.tolist(), made.camids.tolist(), made.platforms.tolist()) == ([7, 8], [0, 1], [0, 1])
    assert made.tracklet_ids.tolist() == ["a", "b"]
    assert made.on("aerial").tracklet_ids.tolist() == ["b"]


def test_one_platform_stands_for_all_rows_of_a_table():
    made = EmbeddingTable.of(np.eye(3), tracklet_ids=[1, 2, 3], pids=[1, 2, 3], camids=[0] * 3, platforms="aerial")
    assert made.platforms.tolist() == [1, 1, 1]


def test_a_table_says_whether_the_model_saw_people_before_their_faces_were_covered(tmp_path):
    seen = table(seen_unmasked=True)
    save_table(tmp_path / "seen.npz", seen)
    assert load_table(tmp_path / "seen.npz").seen_unmasked
    assert "before their faces were covered" in repr(seen)
    assert seen.select(np.ones(len(seen), bool)).seen_unmasked
    save_table(tmp_path / "plain.npz", table())
    assert not load_table(tmp_path / "plain.npz").seen_unmasked


def test_a_table_in_float16_is_half_the_file_and_ranks_alike(tmp_path):
    generator = np.random.default_rng(0)
    embeddings = (generator.standard_normal((300, 64)) * 10.0 ** generator.integers(-9, 9, (300, 1))).astype(np.float32)
    ids = np.arange(300)
    whole = EmbeddingTable.of(embeddings, tracklet_ids=ids, pids=ids, camids=ids, platforms=Platform.GROUND)
    half = whole.in_float16()
    for name, table in (("whole", whole), ("half", half)):
        save_table(tmp_path / f"{name}.npz", table)
    saved = (tmp_path / "whole.npz").stat().st_size - (tmp_path / "half.npz").stat().st_size
    assert saved == embeddings.nbytes // 2
    loaded = load_table(tmp_path / "half.npz")
    assert loaded.embeddings.dtype == np.float16
    assert isinstance(loaded.embeddings.base, np.memmap)
    assert np.array_equal(loaded.embeddings, half.embeddings)
    np.testing.assert_allclose(loaded.unit_embeddings, whole.unit_embeddings, rtol=0, atol=5e-4)
    assert "300 tracklets of 64 float16 numbers" in repr(loaded)


def test_numbers_that_float16_knows_stay_what_they_are_but_for_a_power_of_two():
    made = table(**arrays(rows=3) | {"embeddings": np.float32([[1.5, -3, 0.25], [2**-30, 2**-31, 1], [2**40, 1, 0]])})
    rounded = made.in_float16().embeddings
    assert np.abs(rounded).max() < 4
    assert (rounded[0] / made.embeddings[0]).tolist() == [0.5] * 3
    assert rounded[2].tolist() == [1.0, 0.0, 0.0]  # 2**-40 of its length tells nobody anything
