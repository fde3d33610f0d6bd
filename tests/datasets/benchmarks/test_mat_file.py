import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.io import savemat

from skyreid.datasets.benchmarks.mat_file import read_matrix, write_matrix
from skyreid.errors import DatasetError


@given(arrays(np.int32, array_shapes(min_dims=2, max_dims=2, min_side=0), elements=st.integers(-(2**31), 2**31 - 1)))
def test_a_matrix_survives_its_file(tmp_path_factory, matrix):
    path = tmp_path_factory.mktemp("mat") / "m.mat"
    write_matrix(path, "table", matrix)
    np.testing.assert_array_equal(read_matrix(path, "table"), matrix)


@pytest.mark.parametrize("dtype", [np.float64, np.uint8, np.uint16, np.int64])
def test_whole_numbers_are_read_whatever_their_type(tmp_path, dtype):
    savemat(tmp_path / "m.mat", {"table": np.array([[1, 2], [3, 4]], dtype=dtype)})
    assert read_matrix(tmp_path / "m.mat", "table").tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("value", [[[1.5]], [[np.nan]], "text"])
def test_other_values_are_refused(tmp_path, value):
    savemat(tmp_path / "m.mat", {"table": value})
    with pytest.raises(DatasetError, match=r"m\.mat: table must be a matrix of whole numbers; got"):
        read_matrix(tmp_path / "m.mat", "table")


def test_a_matrix_of_another_name_is_refused(tmp_path):
    savemat(tmp_path / "m.mat", {"other": [[1]]})
    with pytest.raises(DatasetError, match=r"m\.mat must hold the matrix table; it does not"):
        read_matrix(tmp_path / "m.mat", "table")


def test_a_file_of_another_kind_or_a_cut_one_is_refused(tmp_path):
    savemat(tmp_path / "m.mat", {"table": np.arange(1000)[None]})
    content = (tmp_path / "m.mat").read_bytes()
    for damaged in (b"", b"\x89HDF\r\n\x1a\n" + content, content[:500], b"text" * 100):
        (tmp_path / "m.mat").write_bytes(damaged)
        with pytest.raises(DatasetError, match=r"m\.mat must "):
            read_matrix(tmp_path / "m.mat", "table")


def test_a_packed_table_that_unpacks_a_thousandfold_is_refused(tmp_path):
    """Kind 11-B4: 30 KB that would be 32 MB."""
    path = tmp_path / "bomb.mat"
    savemat(path, {"track": np.zeros((2**20, 4))}, do_compression=True)
    assert path.stat().st_size < 50_000
    with pytest.raises(DatasetError, match=r"bytes unpack to more than 100 times as many"):
        read_matrix(path, "track")


def test_a_table_that_claims_more_than_the_file_is_refused(tmp_path):
    path = tmp_path / "cut.mat"
    savemat(path, {"track": np.zeros((1000, 4))})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DatasetError, match=r"an element claims 32,0\d\d bytes, of which"):
        read_matrix(path, "track")


def test_an_ordinary_packed_table_is_read(tmp_path):
    path = tmp_path / "table.mat"
    table = np.arange(40_000).reshape(-1, 4)
    savemat(path, {"track": table}, do_compression=True)
    assert (read_matrix(path, "track") == table).all()
