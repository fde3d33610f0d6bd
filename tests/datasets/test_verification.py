import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, savemat

from skyreid.datasets import read_benchmark
from skyreid.datasets.benchmarks import BENCHMARKS
from skyreid.datasets.benchmarks.benchmark_format import Counts
from skyreid.datasets.benchmarks.mars_layout import OWN_FILE, write_mars_layout
from skyreid.datasets.data_hash import hash_benchmark
from skyreid.datasets.verification import verify
from skyreid.errors import ChangedFrameError, DatasetError
from tests.datasets.miniature_trees import write_ilids, write_image, write_ls_vid, write_prid

MARS_COUNTS = Counts(
    identities=4,
    tracklets=9,
    images=18,
    train_identities=2,
    test_identities=2,
    train_tracklets=3,
    query_tracklets=2,
    gallery_tracklets=3,
)


@pytest.fixture
def mars(miniature, monkeypatch):
    """The miniature of MARS, with its own numbers as the published ones."""
    monkeypatch.setitem(BENCHMARKS, "mars", replace(BENCHMARKS["mars"], published=MARS_COUNTS))
    return miniature("mars")


def findings(verification):
    return [(finding.kind.value, finding.subject) for finding in verification.findings]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_nothing_is_wrong_with_an_intact_copy_but_its_size(name, miniature):
    verification = verify(name, miniature(name))
    assert verification.findings == ()
    published = {key for key, value in vars(BENCHMARKS[name].published).items() if value is not None}
    assert {check.name for check in verification.counts} == published
    assert not any(check.is_ok for check in verification.counts)
    assert verification.is_ok == (name == "manifest")


def test_an_intact_copy_of_the_published_size_passes(mars):
    verification = verify("mars", mars)
    assert verification.is_ok
    assert verification.has_decoded_images
    assert len(verification.counts) == 8


def test_other_data_in_a_layout_is_not_bound_by_what_was_published(mars):
    (mars / "bbox_test/0002/0002C1T0003F001.jpg").unlink()
    (mars / OWN_FILE).touch()
    verification = verify("mars", mars)
    assert verification.counts == ()
    assert findings(verification) == [("missing file", "bbox_test/0002/0002C1T0003F001.jpg")]


def test_people_outside_the_split_count_as_published(miniature):
    counts = {check.name: check.found for check in verify("prid-2011", miniature("prid-2011")).counts}
    assert counts == {
        "identities": 3,
        "tracklets": 6,
        "images": 18,
        "train_identities": 1,
        "test_identities": 1,
    }


def test_a_missing_frame_is_found_and_missed_in_the_count(mars):
    (mars / "bbox_test/00-1/00-1C1T0001F002.jpg").unlink()
    verification = verify("mars", mars)
    assert findings(verification) == [("missing file", "bbox_test/00-1/00-1C1T0001F002.jpg")]
    assert [(check.name, check.found) for check in verification.counts if not check.is_ok] == [("images", 17)]


def test_a_wrong_count_is_found(mars):
    rows = loadmat(mars / "info/tracks_train_info.mat")["track_train_info"]
    savemat(mars / "info/tracks_train_info.mat", {"track_train_info": rows[:2]})
    verification = verify("mars", mars)
    assert {(f.kind, f.detail) for f in verification.findings} == {("inconsistent", "listed, but in no tracklet")}
    names = (mars / "info/train_name.txt").read_text().splitlines()
    unused = [finding.subject.rpartition("/")[2] for finding in verification.findings]
    assert unused == names[int(rows[2, 0]) - 1 :]
    assert not verification.is_ok
    wrong = {check.name: (check.expected, check.found) for check in verification.counts if not check.is_ok}
    assert wrong == {
        "identities": (4, 3),
        "tracklets": (9, 8),
        "train_identities": (2, 1),
        "train_tracklets": (3, 2),
    }


@pytest.mark.parametrize(("column", "value"), [(2, 9), (3, 5)])
def test_a_crop_named_after_another_person_or_camera_is_found(mars, column, value):
    rows = loadmat(mars / "info/tracks_train_info.mat")["track_train_info"]
    rows[1, column] = value
    savemat(mars / "info/tracks_train_info.mat", {"track_train_info": rows})
    assert findings(verify("mars", mars)) == [("inconsistent", "train row 1")]


def test_an_unreadable_image_is_found_only_when_images_are_decoded(mars):
    cut = mars / "bbox_train/0001/0001C1T0001F002.jpg"
    cut.write_bytes(cut.read_bytes()[:-60])
    empty = mars / "bbox_test/0000/0000C3T0002F001.jpg"
    empty.write_bytes(b"")
    assert findings(verify("mars", mars)) == [
        ("unreadable image", "bbox_test/0000/0000C3T0002F001.jpg"),
        ("unreadable image", "bbox_train/0001/0001C1T0001F002.jpg"),
    ]
    quick = verify("mars", mars, decode_images=False)
    assert quick.is_ok
    assert not quick.has_decoded_images


def test_an_index_out_of_range_is_found(mars):
    rows = loadmat(mars / "info/tracks_test_info.mat")["track_test_info"]
    rows[5, 1] += 1
    savemat(mars / "info/tracks_test_info.mat", {"track_test_info": rows})
    savemat(mars / "info/query_IDX.mat", {"query_IDX": np.array([[3, 5, 8]])})
    assert findings(verify("mars", mars)) == [
        ("index out of range", "test row 5"),
        ("index out of range", "query row 7"),
    ]


def test_what_the_system_leaves_in_a_benchmark_is_no_extra_file(mars):
    """Kind B8."""
    for name in (".DS_Store", "Thumbs.db", "._0001C1T0001F001.jpg", "@eaDir/SYNO@.fileindexdb"):
        (mars / "bbox_train/0001" / name).parent.mkdir(exist_ok=True)
        (mars / "bbox_train/0001" / name).touch()
    assert verify("mars", mars).is_ok


def test_a_picture_that_nobody_can_read_rightly_is_named(mars):
    """Kind B5."""
    Image.fromarray(np.ones((8, 4), np.float32)).save(mars / "bbox_train/0001/0001C1T0001F001.jpg", format="TIFF")
    (finding,) = verify("mars", mars).findings
    assert finding.detail.startswith("holds numbers of 32 bits, whose white nobody knows")


def test_an_extra_file_is_found_at_any_depth(mars):
    write_image(mars / "bbox_train/0001/0001C1T0001F999.jpg")
    write_image(mars / "bbox_test/0777/deep/x.jpg")
    (mars / "bbox_test/.hidden").write_bytes(b"")
    (mars / "info/notes.txt").write_text("not among the images")
    assert findings(verify("mars", mars)) == [
        ("extra file", "bbox_test/.hidden"),
        ("extra file", "bbox_test/0777/deep/x.jpg"),
        ("extra file", "bbox_train/0001/0001C1T0001F999.jpg"),
    ]


def test_a_crop_that_was_repainted_under_its_name_is_found(miniature, tmp_path):
    """Kind A4, in a folder that we built and in one that we exported: their manifests know every crop."""
    root = miniature("manifest")
    exported = tmp_path / "g2a"
    tracklets = read_benchmark("manifest", root)
    write_mars_layout(exported, train=[], query=tracklets.query, gallery=tracklets.gallery)
    assert (verify("manifest", root).findings, verify("g2a-vreid", exported).findings) == ((), ())
    write_image(root / "crops/aerial-1/000001.jpg", width=7)
    write_image(exported / "bbox_test/0002/0002C2T0001F003.jpg", width=7)
    assert findings(verify("manifest", root)) == [("changed image", "crops/aerial-1/000001.jpg")]
    assert findings(verify("g2a-vreid", exported)) == [("changed image", "bbox_test/0002/0002C2T0001F003.jpg")]
    with pytest.raises(ChangedFrameError, match=r"0002C2T0001F003\.jpg was changed"):
        hash_benchmark(read_benchmark("g2a-vreid", exported))


def test_overlapping_rows_are_found(mars):
    rows = loadmat(mars / "info/tracks_test_info.mat")["track_test_info"]
    rows[5, 0] -= 1
    savemat(mars / "info/tracks_test_info.mat", {"track_test_info": rows})
    assert ("overlap", "test row 5") in findings(verify("mars", mars))


def test_an_identity_in_train_and_in_test_is_found(mars):
    rows = loadmat(mars / "info/tracks_test_info.mat")["track_test_info"]
    rows[rows[:, 2] == 4, 2] = 3
    savemat(mars / "info/tracks_test_info.mat", {"track_test_info": rows})
    names = (mars / "info/test_name.txt").read_text().replace("0004C", "0003C")
    (mars / "info/test_name.txt").write_text(names)
    shutil.move(mars / "bbox_test/0004", mars / "bbox_test/0003")
    for path in (mars / "bbox_test/0003").iterdir():
        path.rename(path.with_name(path.name.replace("0004C", "0003C")))
    assert findings(verify("mars", mars)) == [("shared identity", "pid 3")]


def test_a_query_from_the_drone_is_found(miniature):
    root = miniature("g2a-vreid")
    savemat(root / "info/query_IDX.mat", {"query_IDX": np.array([[1, 4]])})
    assert findings(verify("g2a-vreid", root)) == [("wrong query", "query test-00003")]


def test_all_findings_are_reported_together(mars):
    (mars / "bbox_test/00-1/00-1C1T0001F002.jpg").unlink()
    (mars / "bbox_train/0003/0003C6T0003F002.jpg").write_bytes(b"no image")
    write_image(mars / "bbox_train/0001/extra.jpg")
    rows = loadmat(mars / "info/tracks_test_info.mat")["track_test_info"]
    rows[2, 2] = 8
    savemat(mars / "info/tracks_test_info.mat", {"track_test_info": rows})
    assert findings(verify("mars", mars)) == [
        ("missing file", "bbox_test/00-1/00-1C1T0001F002.jpg"),
        ("inconsistent", "test row 2"),
        ("extra file", "bbox_train/0001/extra.jpg"),
        ("unreadable image", "bbox_train/0003/0003C6T0003F002.jpg"),
    ]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_folder_that_cannot_be_parsed_is_one_finding_and_no_count(name, tmp_path):
    verification = verify(name, tmp_path)
    assert findings(verification) == [("unusable file", str(tmp_path))]
    assert all(check.found is None for check in verification.counts)
    assert not verification.is_ok


def test_a_damaged_manifest_is_a_finding(miniature):
    root = miniature("manifest")
    (root / "manifest.jsonl").write_bytes((root / "manifest.jsonl").read_bytes()[:-5])
    verification = verify("manifest", root)
    assert findings(verification) == [("unusable file", str(root))]
    assert "was cut or edited" in verification.findings[0].detail


def test_a_wrong_split_is_the_callers_mistake_not_the_datas(mars):
    with pytest.raises(DatasetError, match="mars: split must be from 0 to 0; got 3"):
        verify("mars", mars, 3)


def test_the_lines_say_pass_or_fail_and_name_the_first_ten(mars):
    for number in range(12):
        write_image(mars / f"bbox_train/0001/extra{number:02d}.jpg")
    lines = verify("mars", mars).lines()
    assert lines[0] == f"mars under {mars}, split 0: FAIL"
    assert "  pass  images                     18 published          18 found" in lines
    assert lines[-12:] == [
        "  extra file (12)",
        *(f"    bbox_train/0001/extra{number:02d}.jpg: nothing lists it" for number in range(10)),
        "    and 2 more",
    ]


def test_the_json_is_plain_and_complete(mars):
    write_image(mars / "bbox_train/0001/extra.jpg")
    content = json.loads(json.dumps(verify("mars", mars).to_json()))
    assert content["is_ok"] is False
    assert content["findings"] == [
        {"kind": "extra file", "subject": "bbox_train/0001/extra.jpg", "detail": "nothing lists it"}
    ]
    assert {"name": "images", "expected": 18, "found": 18} in content["counts"]


def test_progress_reaches_the_number_of_images(mars):
    seen = []
    verify("mars", mars, progress=lambda task, done, total, note="": seen.append((task, done, total)))
    assert seen == [("decode images", 18, 18)]


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
