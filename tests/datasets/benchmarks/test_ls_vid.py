import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.datasets.benchmarks import ls_vid
from skyreid.errors import DatasetError, MissingFrameError
from skyreid.tracklet import Frame, Platform, Tracklet
from tests.datasets.miniature_trees import write_image, write_ls_vid


def test_prefixes_become_tracklets_with_integer_pids(miniature):
    benchmark = ls_vid.survey(miniature("ls-vid")).benchmark()
    assert [(t.pid, t.camid, len(t.frames)) for t in benchmark.train] == [(0, 0, 5), (0, 14, 100)]
    assert [(t.tracklet_id, t.pid, t.camid) for t in benchmark.query] == [
        ("test-00000", 842, 2),
        ("test-00002", 843, 2),
    ]
    assert [(t.pid, t.camid, len(t.frames)) for t in benchmark.gallery] == [(842, 3, 3), (843, 0, 2)]
    paths = [frame.path for frame in benchmark.train[1].frames]
    assert paths == sorted(paths)


def test_training_pieces_are_cut_and_test_tracklets_are_not(tmp_path):
    write_ls_vid(tmp_path, train_frames=(47, 145))
    benchmark = ls_vid.survey(tmp_path, training_piece_frames=48).benchmark()
    assert [(t.tracklet_id, len(t.frames)) for t in benchmark.train] == [
        ("train-00000#0", 47),
        ("train-00001#0", 48),
        ("train-00001#1", 48),
        ("train-00001#2", 49),
    ]
    whole = ls_vid.survey(tmp_path).benchmark()
    assert sum((t.frames for t in benchmark.train), ()) == sum((t.frames for t in whole.train), ())
    assert (benchmark.query, benchmark.gallery) == (whole.query, whole.gallery)
    assert (benchmark.name, whole.name) == ("ls-vid-48", "ls-vid")


@given(num_frames=st.integers(1, 300), piece_frames=st.integers(1, 60))
def test_pieces_keep_every_frame_once_and_in_order(num_frames, piece_frames):
    frames = tuple(Frame(str(number)) for number in range(num_frames))
    tracklet = Tracklet(tracklet_id="a", frames=frames, pid=1, camid=0, platform=Platform.GROUND)
    pieces = ls_vid._pieces(tracklet, piece_frames)
    assert sum((piece.frames for piece in pieces), ()) == frames
    assert len(pieces) == max(num_frames // piece_frames, 1)
    assert all(len(piece.frames) == piece_frames for piece in pieces[:-1])


def test_pieces_of_no_frames_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^training_piece_frames must be at least 1; got 0$"):
        ls_vid.survey(tmp_path, training_piece_frames=0).benchmark()


def test_a_prefix_without_frames_is_missing(miniature):
    root = miniature("ls-vid")
    for path in (root / "tracklet_test/0842").glob("0842_000_*"):
        path.unlink()
    with pytest.raises(MissingFrameError, match="the first is tracklet_test/0842/0842_000_03_0303morning"):
        ls_vid.survey(root).benchmark()


def test_frames_of_two_prefixes_are_refused(miniature):
    root = miniature("ls-vid")
    with (root / "list_sequence/list_seq_test.txt").open("a") as file:
        file.write("tracklet_test/0842/0842_000_03 842\n")
    with pytest.raises(DatasetError, match=r"test row 4: 0842_000_03_.* belongs to test row 0 as well"):
        ls_vid.survey(root).benchmark()


def test_a_tracklet_of_two_cameras_is_refused(miniature):
    root = miniature("ls-vid")
    write_image(root / "tracklet_test/0842/0842_000_05_x.jpg")
    with (root / "list_sequence/list_seq_test.txt").open("a") as file:
        file.write("tracklet_test/0842/0842_000_0 842\n")
    findings = [finding.detail for finding in ls_vid.survey(root).findings]
    assert "its frames name 2 cameras, 0842_000_03_0303morning_0008_0_00000.jpg first" in findings


def test_a_sixteenth_camera_is_refused(miniature):
    root = miniature("ls-vid")
    write_image(root / "tracklet_test/0842/0842_009_16_x.jpg")
    with (root / "list_sequence/list_seq_test.txt").open("a") as file:
        file.write("tracklet_test/0842/0842_009 842\n")
    with pytest.raises(DatasetError, match=r"the third '_' field of 0842_009_16_x\.jpg must be a camera from 1 to 15"):
        ls_vid.survey(root).benchmark()


@pytest.mark.parametrize("query", [[0.0], [5.0], [2.0, 2.0]])
def test_impossible_queries_are_refused(miniature, query):
    root = miniature("ls-vid")
    with h5py.File(root / "test/data/info_test.mat", "w") as file:
        file["query"] = np.array([query])
    with pytest.raises(DatasetError, match=r"ls-vid: query row (-1|4|1): (the test list has 4 rows|stands twice)"):
        ls_vid.survey(root).benchmark()


def test_a_query_file_that_is_not_hdf5_is_refused(miniature):
    root = miniature("ls-vid")
    (root / "test/data/info_test.mat").write_text("MATLAB 5.0")
    with pytest.raises(DatasetError, match="must be an HDF5 file with the dataset query"):
        ls_vid.survey(root).benchmark()


@pytest.mark.parametrize("line", ["tracklet_test/0842/x", "../outside/x 7"])
def test_a_line_that_is_not_a_prefix_and_a_pid_is_refused(miniature, line):
    root = miniature("ls-vid")
    (root / "list_sequence/list_seq_test.txt").write_text(f"{line}\n")
    with pytest.raises(DatasetError, match=r"list_seq_test\.txt: line 1 (must be|leaves the root)"):
        ls_vid.survey(root).benchmark()


def query_file(root, fill):
    """A new file of queries in a miniature, written by `fill`."""
    path = root / ls_vid.QUERY_FILE
    path.unlink()
    with h5py.File(path, "w") as file:
        fill(file)
    return path


def refusal_of(root):
    with pytest.raises(DatasetError) as caught:
        ls_vid.survey(root).benchmark()
    return str(caught.value)


def test_a_file_of_queries_that_claims_gigabytes_is_refused_before_they_are_made_room_for(miniature):
    """Kind 11-B4: one value, stored in 1.4 KB, shown 100,000,000,000 times."""
    root = miniature("ls-vid")
    path = query_file(root, lambda file: file.create_dataset("query", (1, 10**11), "f8", chunks=(1, 2**20)))
    rows = len((root / ls_vid.TEST_FILE).read_text().splitlines())
    assert refusal_of(root) == f"{path}: query claims 100,000,000,000 numbers; the test list has {rows} rows"


def test_queries_that_lie_in_other_files_are_never_read(miniature, tmp_path):
    """Kind 11-B2: external storage, virtual layouts and links show the bytes of files that are nobody's business."""
    root = miniature("ls-vid")
    secret = tmp_path / "secret"
    secret.write_bytes(b"12345678" * 2)

    def external(file):
        file.create_dataset("query", (1, 2), "i8", external=[(str(secret), 0, 16)])

    def virtual(file):
        layout = h5py.VirtualLayout((1, 2), "i8")
        layout[0] = h5py.VirtualSource(str(secret), "query", (2,))
        file.create_virtual_dataset("query", layout)

    def link(file):
        file["query"] = h5py.ExternalLink(str(secret), "query")

    for fill in (external, virtual, link):
        told = refusal_of(root) if query_file(root, fill) else ""
        assert "query" in told
        assert "3978425819141910832" not in told  # what the secret is as a number
        assert "other files" in told or "must be a dataset of the file itself" in told or "dataset query" in told


def test_a_damaged_table_of_links_is_one_line(tmp_path):
    """Kind B7: h5py says some damage by RuntimeErrors."""
    write_ls_vid(tmp_path)
    path = tmp_path / "test/data/info_test.mat"
    content = path.read_bytes()
    assert b"SNOD" in content
    path.write_bytes(content.replace(b"SNOD", b"ONDS"))
    with pytest.raises(DatasetError, match="must be an HDF5 file with the dataset"):
        ls_vid.survey(tmp_path).benchmark()
