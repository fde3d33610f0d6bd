"""What verification finds where no list names the frames: gaps in their numbers, names of somebody else."""

import pytest

from skyreid.datasets import read_benchmark
from skyreid.datasets.verification import verify
from tests.datasets.miniature_trees import write_ilids, write_ls_vid, write_prid

TREES = {"ilids-vid": write_ilids, "ls-vid": write_ls_vid, "prid-2011": write_prid}


def frames_of(name, root):
    benchmark = read_benchmark(name, root)
    return [[frame.path for frame in tracklet.frames] for tracklet in (*benchmark.train, *benchmark.query)]


@pytest.fixture(params=TREES)
def tree(request, tmp_path):
    TREES[request.param](tmp_path)
    return request.param, tmp_path


def test_an_undamaged_tree_has_no_such_finding(tree):
    assert verify(*tree).findings == ()


def test_a_frame_missing_within_a_tracklet_is_named(tree):
    name, root = tree
    tracklet = max(frames_of(name, root), key=len)
    gone = tracklet[len(tracklet) // 2].removeprefix(f"{root}/")
    (root / gone).unlink()
    found = [(finding.kind, finding.subject, finding.detail) for finding in verify(name, root).findings]
    assert found == [("missing file", gone, "frames are numbered in steps of 1; here 1 are not there")]


def test_a_set_with_gaps_of_its_own_is_left_alone(tmp_path):
    write_prid(tmp_path)
    for tracklet in frames_of("prid-2011", tmp_path):
        (tmp_path / tracklet[1].removeprefix(f"{tmp_path}/")).unlink()
    assert "missing file" not in {finding.kind for finding in verify("prid-2011", tmp_path).findings}


def test_a_frame_named_after_somebody_else_is_named(tmp_path):
    write_ilids(tmp_path)
    path = tmp_path / frames_of("ilids-vid", tmp_path)[0][-1].removeprefix(f"{tmp_path}/")
    other = path.with_name(path.name.replace(path.parent.name, "person999"))
    path.rename(other)
    findings = verify("ilids-vid", tmp_path).findings
    assert ("inconsistent", str(other.relative_to(tmp_path))) in {(f.kind, f.subject) for f in findings}


def test_a_line_with_somebody_else_s_number_is_named(tmp_path):
    write_ls_vid(tmp_path)
    file = tmp_path / "list_sequence/list_seq_test.txt"
    lines = file.read_text().splitlines()
    prefix, _, pid = lines[0].rpartition(" ")
    file.write_text("\n".join([f"{prefix} {int(pid) + 500}", *lines[1:]]))
    details = [finding.detail for finding in verify("ls-vid", tmp_path).findings]
    assert f"the name says pid {int(pid)}, its tracklet is of pid {int(pid) + 500}" in details


def test_a_list_that_is_no_text_is_named(tmp_path):
    write_ls_vid(tmp_path)
    (tmp_path / "list_sequence/list_seq_test.txt").write_bytes(b"\xff\xfe\x00")
    (finding,) = verify("ls-vid", tmp_path).findings
    assert "list_seq_test.txt must be UTF-8 text" in finding.detail
