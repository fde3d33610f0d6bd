import hashlib
import json
import shutil
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.datasets.manifest import read_manifest, write_manifest
from skyreid.errors import ManifestError
from skyreid.tracklet import Frame, Platform, Tracklet
from tests.datasets.miniature_trees import write_own


def tracklet(*paths, tracklet_id="a", pid=1, camid=0):
    return Tracklet(
        tracklet_id=tracklet_id,
        frames=tuple(Frame(str(path)) for path in paths),
        pid=pid,
        camid=camid,
        platform=Platform.GROUND,
    )


frames = st.builds(
    lambda name, index, time_s, box, sha256: (name, index, time_s, box, sha256),
    st.text(st.characters(exclude_characters="/\\\0:", codec="utf-8"), min_size=1, max_size=5).filter(
        lambda name: name not in (".", "..")
    ),
    st.none() | st.integers(0, 10**9),
    st.none() | st.floats(0, 1e9),
    st.none() | st.tuples(*[st.floats(-1e6, 1e6)] * 4),
    st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
)


@given(
    contents=st.lists(st.lists(frames, min_size=1, max_size=3), max_size=3),
    info=st.dictionaries(st.text(), st.none() | st.text() | st.lists(st.integers(-(2**63), 2**63 - 1))),
)
def test_what_is_written_is_read_back(tmp_path_factory, contents, info):
    root = tmp_path_factory.mktemp("manifest")
    tracklets = [
        Tracklet(
            tracklet_id=f"t{number}",
            frames=tuple(Frame(f"{root}/crops/{name}", *rest) for name, *rest in described),
            pid=number - 1,
            camid=number,
            platform=Platform.AERIAL,
        )
        for number, described in enumerate(contents)
    ]
    sha256 = write_manifest(root / "manifest.jsonl", tracklets, info)
    manifest = read_manifest(root / "manifest.jsonl")
    assert manifest.tracklets == tuple(tracklets)
    assert (manifest.sha256, manifest.info) == (sha256, info)


def test_the_header_describes_the_lines_that_follow(tmp_path):
    sha256 = write_manifest(tmp_path / "m.jsonl", [tracklet(tmp_path / "b/1.jpg")], {"seed": 3})
    header, rest = (tmp_path / "m.jsonl").read_bytes().split(b"\n", 1)
    assert json.loads(header) == {
        "format": "skyreid manifest",
        "version": 2,
        "num_tracklets": 1,
        "sha256": hashlib.sha256(rest).hexdigest(),
    }
    assert json.loads(header)["sha256"] == sha256
    info, body = rest.split(b"\n", 1)
    assert json.loads(info) == {"seed": 3}
    assert json.loads(body) == {
        "tracklet_id": "a",
        "pid": 1,
        "camid": 0,
        "platform": "ground",
        "frames": [{"path": "b/1.jpg"}],
    }


def test_a_folder_can_move_with_its_manifest(tmp_path):
    write_own_root = tmp_path / "here"
    write_own_root.mkdir()
    write_own(write_own_root)
    before = read_manifest(write_own_root / "manifest.jsonl")
    shutil.move(write_own_root, tmp_path / "there")
    after = read_manifest(tmp_path / "there/manifest.jsonl")
    assert (after.sha256, after.data_sha256) == (before.sha256, before.data_sha256)
    assert after.tracklets[0].frames[0].path == f"{tmp_path}/there/crops/ground-1/000000.jpg"


def test_writing_replaces_the_old_manifest_and_leaves_nothing_else(tmp_path):
    for pid in (1, 2):
        write_manifest(tmp_path / "m.jsonl", [tracklet(tmp_path / "1.jpg", pid=pid)])
    assert read_manifest(tmp_path / "m.jsonl").tracklets[0].pid == 2
    assert [path.name for path in tmp_path.iterdir()] == ["m.jsonl"]


def test_a_frame_elsewhere_cannot_be_written(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(ManifestError) as refusal:
        write_manifest(tmp_path / "out/m.jsonl", [tracklet(tmp_path / "elsewhere/1.jpg")])
    assert str(refusal.value) == (
        f"frames must lie in the manifest's folder {tmp_path}/out; got '{tmp_path}/elsewhere/1.jpg'"
    )
    assert list((tmp_path / "out").iterdir()) == []


def test_an_id_that_stands_twice_cannot_be_written(tmp_path):
    with pytest.raises(ManifestError, match="tracklet ids must be unique; 'a' stands twice"):
        write_manifest(tmp_path / "m.jsonl", [tracklet(tmp_path / "1.jpg"), tracklet(tmp_path / "2.jpg")])


@pytest.mark.parametrize("info", [{"loss": float("nan")}, {"path": object()}])
def test_what_is_not_json_cannot_be_written(tmp_path, info):
    with pytest.raises(ManifestError, match="a manifest holds JSON only"):
        write_manifest(tmp_path / "m.jsonl", [], info)


@pytest.mark.parametrize("name", ["a\\b.jpg", "c:d.jpg"])
def test_a_name_that_is_a_path_on_another_system_cannot_be_written(tmp_path, name):
    with pytest.raises(ManifestError, match="a frame's name must be plain on every system"):
        write_manifest(tmp_path / "m.jsonl", [tracklet(f"{tmp_path}/{name}")])


@pytest.fixture
def own(tmp_path):
    write_own(tmp_path)
    return tmp_path / "manifest.jsonl"


def test_a_cut_manifest_is_refused_wherever_it_was_cut(own):
    content = own.read_bytes()
    for length in (*range(0, len(content), 13), *range(len(content) - 5, len(content))):
        own.write_bytes(content[:length])
        with pytest.raises(ManifestError):
            read_manifest(own)


def test_an_edited_tracklet_is_refused(own):
    own.write_bytes(own.read_bytes().replace(b'"pid":2', b'"pid":1'))
    with pytest.raises(ManifestError, match=r"jsonl was cut or edited: what follows its header has the sha256"):
        read_manifest(own)


def test_edited_information_is_refused(tmp_path):
    """Kind B1 of the hostile hands: what the manifest says of its sources is covered by its hash."""
    path = tmp_path / "m.jsonl"
    write_manifest(path, [tracklet(tmp_path / "1.jpg")], {"sources": [{"name": "gate"}]})
    path.write_bytes(path.read_bytes().replace(b'"gate"', b'"../outside"'))
    with pytest.raises(ManifestError, match="was cut or edited: what follows its header has the sha256"):
        read_manifest(path)


def test_a_wrong_count_is_refused(own):
    own.write_bytes(own.read_bytes().replace(b'"num_tracklets":3', b'"num_tracklets":4'))
    with pytest.raises(ManifestError, match="was counted wrong: it holds 3 tracklets, its header says 4"):
        read_manifest(own)


def test_another_version_is_refused(own):
    own.write_bytes(own.read_bytes().replace(b'"version":2', b'"version":3'))
    message = "must be of the format 'skyreid manifest', version 1 or 2; got 'skyreid manifest', version 3"
    with pytest.raises(ManifestError, match=message):
        read_manifest(own)


def test_a_manifest_of_the_first_version_is_read_and_knows_no_data_hash(tmp_path):
    body = json.dumps(GOOD).encode() + b"\n"
    header = {
        "format": "skyreid manifest",
        "version": 1,
        "num_tracklets": 1,
        "sha256": hashlib.sha256(body).hexdigest(),
        "info": {"identities": "annotated"},
    }
    (tmp_path / "m.jsonl").write_bytes(json.dumps(header).encode() + b"\n" + body)
    manifest = read_manifest(tmp_path / "m.jsonl")
    assert [t.tracklet_id for t in manifest.tracklets] == ["a"]
    assert (manifest.info, manifest.data_sha256) == ({"identities": "annotated"}, None)


def test_a_missing_manifest_is_refused(tmp_path):
    with pytest.raises(ManifestError, match=r"must be a manifest .*; nothing lies there"):
        read_manifest(tmp_path / "m.jsonl")


def foreign(path, records):
    """Write a manifest as another program might, with a right hash."""
    body = b"{}\n" + b"".join(json.dumps(record).encode() + b"\n" for record in records)
    header = {
        "format": "skyreid manifest",
        "version": 2,
        "num_tracklets": len(records),
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    path.write_bytes(json.dumps(header).encode() + b"\n" + body)


GOOD = {"tracklet_id": "a", "pid": 1, "camid": 0, "platform": "ground", "frames": [{"path": "b/1.jpg"}]}


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../1.jpg",
        "s3://bucket/1.jpg",
        "b/../../1.jpg",
        "b//1.jpg",
        "./1.jpg",
        "b\\1.jpg",
        "C:/1.jpg",
        "c:1.jpg",
        "",
        "b/",
        "b/\0.jpg",
    ],
)
def test_a_path_that_could_leave_the_folder_is_refused(tmp_path, path):
    foreign(tmp_path / "m.jsonl", [{**GOOD, "frames": [{"path": path}]}])
    with pytest.raises(ManifestError, match=r"line 3: a frame's path is relative to the manifest's folder"):
        read_manifest(tmp_path / "m.jsonl")


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    outside.mkdir()
    (outside / "1.jpg").write_bytes(b"secret")
    for kind in ("folder", "file"):
        root.mkdir()
        if kind == "folder":
            (root / "b").symlink_to(outside)
        else:
            (root / "b").mkdir()
            (root / "b/1.jpg").symlink_to(outside / "1.jpg")
        foreign(root / "m.jsonl", [GOOD])
        with pytest.raises(
            ManifestError, match=r"line 3: 'b/1\.jpg' leads out of the manifest's folder through a link"
        ):
            read_manifest(root / "m.jsonl")
        with pytest.raises(ManifestError, match="frames must lie in the manifest's folder"):
            write_manifest(root / "m.jsonl", [tracklet(root / "b/1.jpg")])
        shutil.rmtree(root)


def test_a_link_within_the_folder_is_allowed(tmp_path):
    (tmp_path / "c").mkdir()
    (tmp_path / "c/1.jpg").write_bytes(b"")
    (tmp_path / "b").symlink_to(tmp_path / "c")
    foreign(tmp_path / "m.jsonl", [GOOD])
    assert read_manifest(tmp_path / "m.jsonl").tracklets[0].frames[0].path == f"{tmp_path}/b/1.jpg"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pid": "1"}, "tracklet_id is a text, pid and camid are whole numbers"),
        ({"camid": True}, "tracklet_id is a text, pid and camid are whole numbers"),
        ({"platform": "sea"}, r"platform is one of \['ground', 'aerial'\]; got 'sea'"),
        ({"frames": []}, "a tracklet has at least one frame"),
        ({"colour": "red"}, "a tracklet has the keys"),
        ({"attributes": ["campus"]}, "attributes are an object of texts and numbers"),
        ({"attributes": {"scene": None}}, "the attribute 'scene' is a text or a number; got None"),
        ({"frames": [{"path": "b/1.jpg", "index": 1.5}]}, "a frame's index is a whole number; got 1.5"),
        ({"frames": [{"path": "b/1.jpg", "time_s": "1"}]}, "a frame's time_s is a number; got '1'"),
        ({"frames": [{"path": "b/1.jpg", "box": [1, 2, 3]}]}, "a frame's box is four numbers"),
        ({"frames": [{"path": "b/1.jpg", "sha256": "00FF"}]}, "a frame's sha256 is 64 hexadecimal digits; got '00FF'"),
        ({"frames": [{"index": 3}]}, "a frame has a path and may have index, time_s, box and sha256"),
        ({"frames": ["b/1.jpg"]}, "a frame has a path and may have index, time_s, box and sha256"),
    ],
)
def test_a_tracklet_of_the_wrong_form_is_refused(tmp_path, change, message):
    foreign(tmp_path / "m.jsonl", [{**GOOD, **change}])
    with pytest.raises(ManifestError, match=f"m.jsonl: line 3: {message}"):
        read_manifest(tmp_path / "m.jsonl")


def test_an_id_that_stands_twice_is_refused(tmp_path):
    foreign(tmp_path / "m.jsonl", [GOOD, GOOD])
    with pytest.raises(ManifestError, match="tracklet ids must be unique; 'a' stands twice"):
        read_manifest(tmp_path / "m.jsonl")


def test_attributes_are_kept_and_change_the_hash(tmp_path):
    (tmp_path / "a.jpg").touch()
    plain = tracklet(str(tmp_path / "a.jpg"))
    known = replace(plain, attributes={"scene": "campus", "altitude_m": 31.5})
    assert write_manifest(tmp_path / "plain.jsonl", [plain]) != write_manifest(tmp_path / "known.jsonl", [known])
    assert read_manifest(tmp_path / "known.jsonl").tracklets[0].attributes == known.attributes
    assert "attributes" not in (tmp_path / "plain.jsonl").read_text()
