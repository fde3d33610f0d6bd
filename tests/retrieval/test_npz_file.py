import io
import re

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
    arrays = read_npz(tmp_path / "file.npz", mapped="embeddings")
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
    read = read_npz(tmp_path / "file.npz", mapped="embeddings")["embeddings"]
    assert not isinstance(read, np.memmap)
    assert np.array_equal(read, large)


def test_a_mapped_array_is_compared_with_its_checksum(tmp_path):
    path = tmp_path / "file.npz"
    np.savez(path, embeddings=LARGE)
    content = bytearray(path.read_bytes())
    content[content.index(LARGE.tobytes()) + 5] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(TableError, match=f"^{re.escape(str(path))}: not a readable .npz table: Bad CRC-32"):
        read_npz(path, mapped="embeddings")
