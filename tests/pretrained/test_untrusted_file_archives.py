import sys
import zipfile

import pytest
import torch

from skyreid.errors import CheckpointError, UnsafeFileError
from skyreid.pretrained.foreign_state import read_untrusted_state
from skyreid.pretrained.inert_pickle import STORAGES, read_inert
from skyreid.pretrained.untrusted_file import MAX_PICKLE_BYTES, TorchArchive
from tests.pretrained.archives import Storage, pickled, tensor, write_archive

FOUR = torch.arange(4.0).numpy().astype("<f4").tobytes()


def read_tensors(file):
    return read_untrusted_state(file).tensors


def write_tensor(file, *, size, stride, offset=0, numel=4, content=FOUR):
    return write_archive(file, {"data.pkl": {"w": tensor(Storage(numel), offset, size, stride)}, "data/0": content})


def test_a_transposed_view_with_an_offset_is_read(tmp_path):
    read = read_tensors(write_tensor(tmp_path / "w.pt", size=(1, 2), stride=(1, 2), offset=1))
    assert read["w"].tolist() == [[1.0, 3.0]]


@pytest.mark.parametrize("order", ["little", "big", None])
@pytest.mark.parametrize("kind", ["BFloat16Storage", "HalfStorage", "FloatStorage", "DoubleStorage", "LongStorage"])
def test_both_byte_orders_are_read(tmp_path, order, kind):
    dtype = getattr(torch, STORAGES[f"torch.{kind}"][0])
    expected = torch.tensor([1.5, -2.25, 300.0, 0.0]).to(dtype)
    raw = expected.view(torch.uint8).numpy()
    if sys.byteorder != (order or "little"):
        raw = raw.reshape(4, -1)[:, ::-1]
    entries = {"data.pkl": {"w": tensor(Storage(4, kind=getattr(torch, kind)), 0, (4,), (1,))}, "data/0": raw.tobytes()}
    if order:
        entries["byteorder"] = order.encode()
    read = read_tensors(write_archive(tmp_path / "w.pt", entries))["w"]
    assert read.dtype == dtype
    assert torch.equal(read, expected)


def test_an_unknown_byte_order_is_refused(tmp_path):
    entries = {"data.pkl": {"w": tensor(Storage(4), 0, (4,), (1,))}, "data/0": FOUR, "byteorder": b"middle"}
    with pytest.raises(CheckpointError, match="byteorder must be little or big; got b'middle'"):
        read_tensors(write_archive(tmp_path / "w.pt", entries))


def test_a_storage_may_be_empty(tmp_path):
    file = write_tensor(tmp_path / "w.pt", size=(0, 3), stride=(3, 1), numel=0, content=b"")
    assert read_tensors(file)["w"].shape == (0, 3)


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ({"size": (10**5, 10**5), "stride": (0, 0)}, "w claims 10000000000 elements, reaching to 1, of a storage"),
        ({"size": (5,), "stride": (0,)}, "w claims 5 elements, reaching to 1, of a storage that holds 4"),
        ({"size": (2, 2), "stride": (3, 1)}, "w claims 4 elements, reaching to 5, of a storage that holds 4"),
        ({"size": (2,), "stride": (1,), "offset": 3}, "w claims 2 elements, reaching to 5"),
        ({"size": (0,), "stride": (1,), "offset": 5}, "w claims 0 elements, reaching to 5"),
        ({"size": (2,), "stride": ()}, "w describes itself as no tensor of weights does"),
        ({"size": (1,) * 9, "stride": (1,) * 9}, "w describes itself as no tensor"),
        ({"size": (0, 2**80), "stride": (1, 1)}, "w describes itself as no tensor"),
        ({"size": (4,), "stride": (1,), "content": FOUR[:-1]}, "'data/0' is 15 bytes long; its tensors claim 16"),
        ({"size": (4,), "stride": (1,), "content": FOUR * 2}, "'data/0' is 32 bytes long; its tensors claim 16"),
        ({"size": (4,), "stride": (1,), "numel": 5}, "'data/0' is 16 bytes long; its tensors claim 20"),
        ({"size": (1,), "stride": (1,), "numel": 2**31}, "holds 2147483648 numbers; 1073741824 at most are read"),
    ],
)
def test_a_claim_that_the_archive_does_not_bear_out_is_refused(tmp_path, claim, message):
    with pytest.raises(UnsafeFileError, match=message):
        read_tensors(write_tensor(tmp_path / "w.pt", **claim))


def test_many_views_of_one_storage_count_each(tmp_path):
    storage, count = Storage(2**22), 257
    views = {f"w{number}": tensor(storage, 0, (2**22,), (1,)) for number in range(count)}
    file = write_archive(tmp_path / "w.pt", {"data.pkl": views, "data/0": bytes(2**24)})
    with pytest.raises(UnsafeFileError, match=f"holds {count * 2**22} numbers"):
        read_tensors(file)


def test_storages_longer_than_the_file_together_are_refused(tmp_path):
    """As entries are that overlap."""
    tree = {f"w{number}": tensor(Storage(4, key=str(number)), 0, (4,), (1,)) for number in range(200)}
    file = write_archive(tmp_path / "w.pt", {"data.pkl": {"w": 0}, "data/0": FOUR})
    with zipfile.ZipFile(file) as zip_file, pytest.raises(UnsafeFileError, match="claim more bytes than the file has"):
        TorchArchive(zip_file, file_bytes=file.stat().st_size).check(read_inert(pickled(tree)))


def test_a_missing_storage_is_named(tmp_path):
    file = write_archive(tmp_path / "w.pt", {"data.pkl": {"w": tensor(Storage(4, key="3"), 0, (4,), (1,))}})
    with pytest.raises(CheckpointError, match="lacks its entry 'data/3'"):
        read_tensors(file)


def test_a_deflated_entry_is_refused_unread(tmp_path):
    entries = {"data.pkl": {"w": tensor(Storage(2**22), 0, (2**22,), (1,))}, "data/0": bytes(2**24)}
    file = write_archive(tmp_path / "bomb.pt", entries, compression=zipfile.ZIP_DEFLATED)
    assert file.stat().st_size < 2**15
    with pytest.raises(UnsafeFileError, match=r"'data\.pkl' is deflated or encrypted; PyTorch writes neither"):
        read_tensors(file)


def test_an_entry_longer_than_the_file_is_refused_unread(tmp_path):
    file = write_tensor(tmp_path / "w.pt", size=(4,), stride=(1,))
    content = file.read_bytes()
    at = content.index(b"PK\x01\x02") + 20  # lengths of data.pkl in the central directory, packed and unpacked
    file.write_bytes(content[:at] + (2**20).to_bytes(4, "little") * 2 + content[at + 8 :])
    with pytest.raises(UnsafeFileError, match=r"'data\.pkl' claims to be longer than the file"):
        read_tensors(file)


def test_a_long_pickle_is_refused_unread(tmp_path):
    file = write_archive(tmp_path / "w.pt", {"data.pkl": bytes(MAX_PICKLE_BYTES + 1)})
    with pytest.raises(UnsafeFileError, match=r"'data\.pkl' is 4194305 bytes long; 4194304 at most are read"):
        read_tensors(file)


@pytest.mark.parametrize("name", ["../../evil.py", "/etc/passwd", "weights/../../evil.py", "weights\\evil.py"])
def test_an_entry_that_points_out_of_the_archive_is_refused(tmp_path, name):
    file = write_tensor(tmp_path / "w.pt", size=(4,), stride=(1,))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(name, b"")
    with pytest.raises(UnsafeFileError, match="holds an entry that points out of it"):
        read_tensors(file)


def test_two_entries_of_one_name_are_refused(tmp_path):
    file = write_tensor(tmp_path / "w.pt", size=(4,), stride=(1,))
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("weights/data/0", FOUR)
    with pytest.raises(UnsafeFileError, match="holds two entries of one name"):
        read_tensors(file)


def test_another_zip_file_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"holds one data\.pkl; this zip file holds 0"):
        read_tensors(write_archive(tmp_path / "frames.zip", {"0.jpg": b""}))
