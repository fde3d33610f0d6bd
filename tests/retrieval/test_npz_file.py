import io
import re
import zipfile

import numpy as np
import pytest

from skyreid.errors import TableError
from skyreid.retrieval.npz_file import npz_pieces, read_npz

LARGE = np.random.default_rng(0).standard_normal((50, 7)).astype(np.float32)


def test_the_pieces_are_a_file_that_numpy_reads():
    arrays = {"large": LARGE, "text": np.array("ß"), "none": np.zeros((0, 3)), "strided": LARGE[::2, ::3]}
    with np.load(io.BytesIO(b"".join(npz_pieces(arrays)))) as file:
        assert file.files == list(arrays)
        for name, array in arrays.items():
            assert file[name].dtype == array.dtype
            assert np.array_equal(file[name], array)


def test_no_piece_is_as_large_as_a_large_array():
    large = np.zeros(2**23)  # 64 MiB
    assert max(map(len, npz_pieces({"large": large}))) < large.nbytes / 3


@pytest.mark.parametrize("save", [np.savez, lambda path, **arrays: path.write_bytes(b"".join(npz_pieces(arrays)))])
def test_an_uncompressed_array_is_mapped(tmp_path, save):
    save(tmp_path / "file.npz", embeddings=LARGE, pids=LARGE)
    arrays = read_npz(tmp_path / "file.npz", ["embeddings", "pids"], mapped="embeddings")
    assert [isinstance(arrays[name], np.memmap) for name in ("embeddings", "pids")] == [True, False]
    assert np.array_equal(arrays["embeddings"], LARGE)
    assert arrays["embeddings"].flags.aligned


@pytest.mark.parametrize(
    ("save", "large"),
    [
        (np.savez_compressed, LARGE),
        (np.savez, np.asfortranarray(LARGE)),
        (np.savez, LARGE[:0]),
        (lambda path, embeddings: np.savez(path, x=np.zeros(2, np.uint8), embeddings=embeddings), LARGE),
    ],
    ids=["compressed", "in Fortran's order", "empty", "not aligned"],
)
def test_what_cannot_be_mapped_is_read(tmp_path, save, large):
    save(tmp_path / "file.npz", embeddings=large)
    read = read_npz(tmp_path / "file.npz", ["embeddings"], mapped="embeddings")["embeddings"]
    assert not isinstance(read, np.memmap)
    assert np.array_equal(read, large)


def test_a_mapped_array_is_compared_with_its_checksum(tmp_path):
    path = tmp_path / "file.npz"
    np.savez(path, embeddings=LARGE)
    content = bytearray(path.read_bytes())
    content[content.index(LARGE.tobytes()) + 5] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(TableError, match=f"^{re.escape(str(path))}: not a readable .npz table: Bad CRC-32"):
        read_npz(path, ["embeddings"], mapped="embeddings")


def test_what_nobody_asked_for_is_left_alone(tmp_path):
    np.savez(tmp_path / "file.npz", embeddings=LARGE, notes=np.array([{"of": "another program"}], dtype=object))
    assert list(read_npz(tmp_path / "file.npz", ["embeddings", "pids"], mapped="embeddings")) == ["embeddings"]


def test_an_array_without_the_ending_is_read(tmp_path):
    content = io.BytesIO()
    np.save(content, LARGE)
    with zipfile.ZipFile(tmp_path / "file.npz", "w") as archive:
        archive.writestr("embeddings", content.getvalue())
    assert np.array_equal(read_npz(tmp_path / "file.npz", ["embeddings"], mapped="embeddings")["embeddings"], LARGE)


@pytest.mark.parametrize("name", ["embeddings", "pids", "pids.npy"])
def test_what_is_no_array_is_refused(tmp_path, name):
    path = tmp_path / "file.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"1, 2, 3")
    array = name.removesuffix(".npy")
    with pytest.raises(TableError) as refusal:
        read_npz(path, ["embeddings", "pids"], mapped="embeddings")
    assert str(refusal.value) == f"{path}: {array} must be an array in numpy's format; got another file"


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        (6, 118, "zip file version 11.8"),
        (8, 1, "is encrypted"),
        (10, 1, "compression method is not supported"),
    ],
)
def test_an_archive_that_python_cannot_unpack_is_named(tmp_path, offset, value, reason):
    """What numpy and zipfile raise here is not of one kind."""
    path = tmp_path / "file.npz"
    np.savez(path, embeddings=LARGE)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + offset] = value
    path.write_bytes(bytes(content))
    with pytest.raises(TableError, match=f"^{re.escape(str(path))}: not a readable .npz table: .*{reason}"):
        read_npz(path, ["embeddings"], mapped="pids")


def test_a_description_that_is_no_python_is_named(tmp_path):
    path = tmp_path / "file.npz"
    np.savez(path, pids=LARGE)
    with zipfile.ZipFile(path) as archive:
        array = archive.read("pids.npy").replace(b"), }", b"((((", 1)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pids.npy", array)
    with pytest.raises(TableError, match=f"^{re.escape(str(path))}: not a readable .npz table: "):
        read_npz(path, ["pids"], mapped="embeddings")


def header_of(shape):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def test_an_array_that_claims_more_than_the_file_holds_is_refused_before_it_is_made_room_for(tmp_path):
    """Kind 11-B4."""
    path = tmp_path / "table.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("embeddings.npy", header_of((10**9, 512)) + b"\0" * 64)
    message = f"{path}: 'embeddings.npy' claims 2,048,000,000,000 bytes of values; the file holds 64 of them"
    with pytest.raises(TableError, match=f"^{re.escape(message)}$"):
        read_npz(path, ["embeddings"], "embeddings")


def test_a_file_that_unpacks_a_hundredfold_is_refused(tmp_path):
    """Kind 11-B4."""
    path = tmp_path / "table.npz"
    np.savez_compressed(path, embeddings=np.zeros((2**13, 2**10), np.float32))
    with pytest.raises(
        TableError, match=r"bytes that claim to unpack to 33,554,\d+; 20 times as many at most are read"
    ):
        read_npz(path, ["embeddings"], "embeddings")


def test_a_small_file_may_be_packed_well(tmp_path):
    path = tmp_path / "table.npz"
    np.savez_compressed(path, pids=np.zeros(10**6, np.int64))
    assert read_npz(path, ["pids"], "embeddings")["pids"].shape == (10**6,)
