"""A table in many files: what is written is read, and every damage is named."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file

from skyreid.errors import SettingError, TableError
from skyreid.files.file_kinds import TABLE, kind_at
from skyreid.files.strict_json import content_sha256
from skyreid.retrieval.embedding_table import EmbeddingTable, load_table, save_table
from skyreid.retrieval.table_folder import write_index, write_shards
from tests.retrieval.test_embedding_table import FED, assert_same

NAMES = {"texts": np.array([f"tor-ß{row}" for row in range(10)]), "numbers": np.arange(10)[::-1].astype(np.uint32)}


def table(**changes) -> EmbeddingTable:
    arrays = {
        "embeddings": np.random.default_rng(0).standard_normal((10, 7)).astype(np.float32),
        "pids": np.arange(10) % 4,
        "camids": np.arange(10) % 3,
        "platforms": np.arange(10) % 2,
        "tracklet_ids": NAMES["texts"],
    }
    return EmbeddingTable(**{**arrays, **changes})


@pytest.fixture
def folder(tmp_path):
    save_table(tmp_path / "table", table(model="5" * 64), shard_rows=4)
    return tmp_path / "table"


def test_a_number_of_rows_that_is_none_is_refused(tmp_path):
    with pytest.raises(SettingError, match="shard_rows must be a whole number of tracklets; got True"):
        save_table(tmp_path / "table", table(), shard_rows=True)
    assert not (tmp_path / "table").exists()


@pytest.mark.parametrize("shard_rows", [1, 3, 10, 99])
@pytest.mark.parametrize("ids", ["texts", "numbers"])
def test_a_table_in_many_files_loads_as_it_was(tmp_path, shard_rows, ids):
    pictures = np.array([64 * digit for digit in "0123456789"], dtype="S64")
    known = {"manifest": "/street/manifest.jsonl", "model": "5" * 64, "feeding": FED, "pictures": pictures}
    saved = table(tracklet_ids=NAMES[ids].astype(np.int64) if ids == "numbers" else NAMES[ids], **known)
    save_table(tmp_path / "table", saved, shard_rows=shard_rows)
    assert_same(load_table(tmp_path / "table"), saved)
    assert len(list((tmp_path / "table").glob("*.safetensors"))) == -(-10 // shard_rows)
    assert kind_at(tmp_path / "table") is TABLE


def test_a_table_in_float16_stays_one(tmp_path):
    save_table(tmp_path / "table", table().in_float16(), shard_rows=3)
    assert_same(load_table(tmp_path / "table"), table().in_float16())


def test_every_program_that_knows_safetensors_reads_a_file_of_it(folder):
    first = load_file(min(folder.glob("*.safetensors")))
    assert np.array_equal(first["embeddings"], table().embeddings[:4])
    assert first["pids"].tolist() == [0, 1, 2, 3]
    assert bytes(first["tracklet_ids"][0]).rstrip(b"\0").decode() == "tor-ß0"


def test_processes_that_write_a_share_each_write_the_table_of_one(folder, tmp_path):
    saved, shared = table(model="5" * 64), tmp_path / "shared"
    shards = [
        shard
        for numbers in ([2], [0, 1])
        for shard in write_shards(shared, saved.arrays(), shard_rows=4, numbers=numbers)
    ]
    assert not (shared / "shards.json").exists()
    write_index(shared, sorted(shards, key=lambda shard: shard.file), saved.facts(shared))
    assert {path.name: path.read_bytes() for path in shared.iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }


def test_an_older_table_is_whole_until_the_new_index_is_there_and_then_its_files_go(folder):
    """Whoever is killed while writing has written some shards."""
    newer = table(pids=np.arange(10))
    shards = write_shards(folder, newer.arrays(), shard_rows=5)
    (folder / ".00007-0123456789ab.safetensors.0123456789abcdef.partial").write_bytes(b"half of it")
    assert load_table(folder).pids.tolist() == table().pids.tolist()
    write_index(folder, shards, newer.facts(folder))
    assert load_table(folder).pids.tolist() == list(range(10))
    assert len(list(folder.iterdir())) == 3


def damage(folder, how):
    first, second, _ = sorted(folder.glob("*.safetensors"))
    if how == "missing":
        second.unlink()
    elif how == "swapped":
        content = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(content)
        return first.name
    elif how == "cut":
        second.write_bytes(second.read_bytes()[:-1])
    elif how == "a number changed":
        content = bytearray(second.read_bytes())
        content[-3] ^= 1
        second.write_bytes(content)
    elif how == "a pid changed":
        content = bytearray(second.read_bytes())
        content[content.index(b"}}") + 64] ^= 1
        second.write_bytes(content)
    elif how == "a folder":
        second.unlink()
        second.mkdir()
    return second.name


@pytest.mark.parametrize("how", ["missing", "swapped", "cut", "a number changed", "a pid changed", "a folder"])
def test_a_file_that_is_not_the_one_of_the_index_is_refused_by_name(folder, how):
    name = damage(folder, how)
    with pytest.raises(TableError, match=f"{name}(: this file of the table| is not the file that the index names)"):
        load_table(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "is of version 2, this skyreid reads 1; write the table again"),
        ({"rows": 9}, "must have 9 rows together; they have 10"),
        ({"format": "somebody's"}, "must be the index of a table, of the format"),
        ({"shards": []}, "must have 10 rows together; they have 0"),
        ({"shards": [{"file": "../../secret"}]}, "Shard lacks bytes"),
        ({"facts": {}}, "IndexFacts lacks feeding, manifest"),
    ],
)
def test_an_index_that_cannot_be_is_refused(folder, changes, message):
    content = {**json.loads((folder / "shards.json").read_text()), **changes}
    content["sha256"] = content_sha256({key: value for key, value in content.items() if key != "sha256"})
    (folder / "shards.json").write_text(json.dumps(content))
    with pytest.raises(TableError, match=message):
        load_table(folder)


def test_a_name_that_leads_out_of_the_folder_is_refused(folder):
    content = json.loads((folder / "shards.json").read_text())
    content["shards"][1]["file"] = "../00001-0123456789ab.safetensors"
    content["sha256"] = content_sha256({key: value for key, value in content.items() if key != "sha256"})
    (folder / "shards.json").write_text(json.dumps(content))
    with pytest.raises(TableError, match=r"has a name such as .* got '\.\./00001"):
        load_table(folder)


def test_an_edited_index_is_refused(folder):
    index = folder / "shards.json"
    index.write_text(index.read_text().replace('"model": "5', '"model": "6'))
    with pytest.raises(TableError, match="was cut or edited"):
        load_table(folder)


def test_an_index_cut_anywhere_is_refused(folder):
    content = (folder / "shards.json").read_bytes()
    for length in range(1, len(content) - 2, 97):
        (folder / "shards.json").write_bytes(content[:length])
        with pytest.raises(TableError, match=r"shards\.json"):
            load_table(folder)


def test_files_of_two_tables_are_not_put_together(folder, tmp_path):
    other = table(embeddings=np.ones((10, 3), dtype=np.float32))
    shards = write_shards(tmp_path / "both", table().arrays(), shard_rows=10)
    shards += write_shards(tmp_path / "both", {n: a[:2] for n, a in other.arrays().items()}, shard_rows=10)
    write_index(tmp_path / "both", shards, {})
    with pytest.raises(TableError, match=r"7 float32 numbers; got .* 3 float32 numbers"):
        load_table(tmp_path / "both")


def test_a_tracklet_that_stands_in_two_files_is_refused(tmp_path):
    shards = [write_shards(tmp_path, {n: a[:2] for n, a in table().arrays().items()}, shard_rows=2)[0]] * 2
    write_index(tmp_path, shards, {})
    with pytest.raises(TableError, match="tracklet_ids must be unique; rows 0 and 2 are both tor-ß0"):
        load_table(tmp_path)


def test_a_table_is_not_written_into_a_folder_of_something_else(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SettingError, match=r"must be a folder of its own .* holds 'notes\.txt'"):
        save_table(tmp_path, table(), shard_rows=5)
    with pytest.raises(SettingError, match="must be a folder, since the table is written in many files; it is a file"):
        save_table(tmp_path / "notes.txt", table(), shard_rows=5)


def test_files_without_their_index_are_known_for_what_they_are(folder):
    (folder / "shards.json").unlink()
    with pytest.raises(TableError, match=r"it is the files of a table without the index .* the same 'skyreid embed'"):
        load_table(folder)


def test_a_table_of_nobody_has_no_files(tmp_path):
    with pytest.raises(TableError, match="at least one tracklet"):
        save_table(tmp_path / "table", table().select(np.zeros(10, dtype=bool)), shard_rows=5)


def test_a_moved_table_is_read_where_it_lies(folder, tmp_path):
    shutil.move(folder, tmp_path / "elsewhere")
    assert len(load_table(tmp_path / "elsewhere")) == 10
