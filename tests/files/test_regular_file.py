import os
import re

import pytest

from skyreid.building.annotations.fields import read_lines as read_annotations
from skyreid.building.linking.candidates import read_pair_list
from skyreid.building.linking.event_log import locked_log, read_log
from skyreid.building.sources import read_sources
from skyreid.building.video.picture_folder import PictureFolder
from skyreid.datasets.benchmarks import ls_vid
from skyreid.datasets.benchmarks.mat_file import read_matrix
from skyreid.datasets.manifest import read_manifest
from skyreid.datasets.survey import read_lines
from skyreid.evaluation.calibration import load_calibration
from skyreid.evaluation.results.result_file import read_result
from skyreid.files.picture_file import read_picture
from skyreid.files.regular_file import open_in_place, open_regular, read_regular
from skyreid.files.strict_json import read_json
from skyreid.retrieval.embedding_table import load_table
from skyreid.simulation.scene_truth import read_scene_truth
from skyreid.training.run_folder import RunFolder, RunLog
from tests.datasets.miniature_trees import write_ls_vid

needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes among files there")


def test_a_file_is_read_whole_through_a_link_too(tmp_path):
    (tmp_path / "file").write_bytes(b"\r\n\0")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "file") == read_regular(str(tmp_path / "link")) == b"\r\n\0"


def test_a_file_beyond_the_limit_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2**40)  # a terabyte that takes no room
    with pytest.raises(OSError, match=re.escape("has 1,099,511,627,776 bytes; at most 268,435,456 are read")):
        read_regular(tmp_path / "large")
    with open_regular(tmp_path / "large") as file:
        assert file.read(1) == b"\0"


READERS = {
    "decisions.csv": read_pair_list,
    "decisions.jsonl": read_pair_list,
    "links.jsonl": lambda path: read_log(path.parent),
    "seqinfo.ini": lambda path: PictureFolder.open(path.parent),
    "sources.json": read_sources,
    "manifest.jsonl": read_manifest,
    "tracks.mat": lambda path: read_matrix(path, "tracks"),
    "names.txt": read_lines,
    "truth.jsonl": read_scene_truth,
    "annotations.txt": read_annotations,
    "calibration.json": load_calibration,
    "result.json": read_result,
    "picture.jpg": read_picture,
    "table.npz": load_table,
    "some.json": read_json,
    "state.pt": lambda path: RunFolder(path.parent).load_state(),
    "stage1_features.pt": lambda path: RunFolder(path.parent).load_features(initial_sha256="0"),
    "log.jsonl": lambda path: RunLog(path.parent, stage=1, steps_done=0),
}


@needs_pipes
@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_no_reader_waits_at_a_pipe_or_reads_a_device(tmp_path, name, kind):
    path = tmp_path / name
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    with pytest.raises((OSError, ValueError), match=r"not a regular file|(is|got) an? (empty )?folder"):
        READERS[name](path)


@needs_pipes
def test_hdf5_does_not_wait_at_a_pipe(tmp_path):
    write_ls_vid(tmp_path)
    path = tmp_path / "test/data/info_test.mat"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ValueError, match=r"info_test\.mat.*not a regular file"):
        ls_vid.survey(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_what_is_written_in_place_never_lands_behind_a_link(tmp_path):
    (tmp_path / "lock").symlink_to("victim")
    with pytest.raises(OSError, match="is a link"), open(tmp_path / "lock", "a", opener=open_in_place):
        pass
    (tmp_path / "links.jsonl").symlink_to("victim")
    with (
        pytest.raises(ValueError, match=r"links\.jsonl: decisions cannot be stored here: is a link"),
        locked_log(tmp_path),
    ):
        pass
    (tmp_path / "log.jsonl").symlink_to("victim")
    with pytest.raises(OSError, match="is a link"):
        RunLog(tmp_path, stage=1, steps_done=0)
    assert not (tmp_path / "victim").exists()
