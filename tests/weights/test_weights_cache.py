"""Weights by name: where they lie, what is said before they are fetched, and what nobody takes for them."""

import dataclasses
import hashlib
from pathlib import Path

import pytest

from skyreid.cli import main
from skyreid.errors import SettingError, WeightsError
from skyreid.weights import weights_cache
from skyreid.weights.published_files import PUBLISHED, PublishedFile, PublishedWeights
from skyreid.weights.weights_cache import adopt, cache_folder, fetch, in_cache, with_file
from tests.weights.weights_server import serving

GRAPH, WEIGHTS, REEXPORT = b"<net/>", b"\1\2\3", b"<net>again</net>"


def file(place, content, *, equivalents=()):
    return PublishedFile(
        place=place,
        address=f"https://publisher.invalid/{place}",
        num_bytes=len(content),
        digest=f"sha256:{hashlib.sha256(content).hexdigest()}",
        equivalents=equivalents,
    )


def weights(use, *files, settings=""):
    licences = {"code_licence": "Apache-2.0", "weights_licence": "CC BY 4.0"}
    return PublishedWeights(what="it", use=use, files=files, good_for="tests", settings=settings, **licences)


TABLE = {
    "small-detector": weights(
        "detector",
        file("det.onnx", GRAPH, equivalents=(f"sha256:{hashlib.sha256(REEXPORT).hexdigest()}",)),
        settings="kind=yolox",
    ),
    "small-encoder": weights("encoder", file("intel/e/e.xml", GRAPH), file("intel/e/e.bin", WEIGHTS)),
}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    for name, entry in TABLE.items():
        monkeypatch.setitem(PUBLISHED, name, entry)
    monkeypatch.setenv("SKYREID_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SKYREID_OFFLINE", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def mirror(cache, monkeypatch):
    with serving() as server:
        server.files = {"det.onnx": GRAPH, "intel/e/e.xml": GRAPH, "intel/e/e.bin": WEIGHTS}
        monkeypatch.setenv("SKYREID_MIRROR", server.address)
        yield server


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_file_has_an_https_address_a_size_and_a_whole_hash(name):
    lengths = {"sha256": 64, "sha384": 96}
    for published in PUBLISHED[name].files:
        assert published.address.startswith("https://")
        assert published.num_bytes > 1000
        for digest in (published.digest, *published.equivalents):
            algorithm, _, digits = digest.partition(":")
            assert len(bytes.fromhex(digits)) * 2 == lengths[algorithm]
        assert ".." not in Path(published.place).parts
    assert PUBLISHED[name].code_licence
    assert PUBLISHED[name].weights_licence


def test_no_two_published_files_have_one_place():
    places = [file.place for entry in PUBLISHED.values() for file in entry.files]
    assert len(set(places)) == len(places)


def test_the_first_use_fetches_and_says_so_with_size_place_and_licence(mirror, cache, caplog):
    told = []
    assert fetch("small-encoder", progress=lambda *report: told.append(report)) == cache / "intel/e/e.xml"
    assert {report[0] for report in told} == {"fetching small-encoder (kB)"}
    assert (cache / "intel/e/e.bin").read_bytes() == WEIGHTS
    assert f"small-encoder: fetching 0.0 MB from {mirror.address[7:]} into {cache}" in caplog.text
    assert "licence of the weights: CC BY 4.0" in caplog.text
    caplog.clear()
    assert fetch("small-encoder") == cache / "intel/e/e.xml"
    assert len(mirror.asked) == 2
    assert not caplog.text


def test_nothing_is_fetched_offline_and_the_way_by_hand_is_said(mirror, cache, monkeypatch):
    monkeypatch.setenv("SKYREID_OFFLINE", "1")
    with pytest.raises(WeightsError) as refused:
        fetch("small-detector")
    digest = hashlib.sha256(GRAPH).hexdigest()
    assert str(refused.value) == (
        "small-detector is not in the cache, and SKYREID_OFFLINE forbids to fetch it; get "
        f"https://publisher.invalid/det.onnx (6 bytes, sha256:{digest}) by hand, then 'skyreid weights add "
        f"small-detector det.onnx', or put it at {cache / 'det.onnx'}"
    )
    assert mirror.asked == []
    cache.mkdir()
    (cache / "det.onnx").write_bytes(GRAPH)
    assert fetch("small-detector") == cache / "det.onnx"


def test_a_server_with_a_wrong_file_is_one_line_with_address_hash_and_place(mirror, cache, capsys):
    mirror.files["det.onnx"] = b"<NET/>"
    assert main(["weights", "get", "small-detector"]) == 1
    (line,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("error:"))
    for told in ("another file than the published one", TABLE["small-detector"].files[0].digest, str(cache)):
        assert told in line
    assert list(cache.iterdir()) == []


def test_a_file_that_was_damaged_in_the_cache_is_noticed_and_not_overwritten(mirror, cache):
    fetch("small-detector")
    (cache / "det.onnx").write_bytes(b"<neT/>")
    for used in (fetch, in_cache):
        with pytest.raises(WeightsError, match=r"det\.onnx: is not the published file: 6 bytes with sha256:"):
            used("small-detector")
    assert (cache / "det.onnx").read_bytes() == b"<neT/>"


def test_another_export_of_the_same_weights_is_taken_where_somebody_put_it(cache, tmp_path):
    brought = tmp_path / "downloaded.onnx"
    brought.write_bytes(REEXPORT)
    assert adopt("small-detector", [brought]).read_bytes() == REEXPORT
    assert in_cache("small-detector") == cache / "det.onnx"


def test_files_that_are_brought_get_their_names_by_what_is_in_them(cache, tmp_path):
    (tmp_path / "a").write_bytes(WEIGHTS)
    (tmp_path / "b").write_bytes(GRAPH)
    assert adopt("small-encoder", [tmp_path / "a", tmp_path / "b"]) == cache / "intel/e/e.xml"
    assert (cache / "intel/e/e.bin").read_bytes() == WEIGHTS


def test_half_of_two_files_and_a_wrong_one_are_refused(cache, tmp_path):
    (tmp_path / "a").write_bytes(GRAPH)
    (tmp_path / "wrong").write_bytes(b"<NET/>")
    with pytest.raises(WeightsError, match=r"^small-encoder is 2 files, and e\.bin is missing; get https://"):
        adopt("small-encoder", [tmp_path / "a"])
    with pytest.raises(WeightsError, match=r"wrong: is not of small-encoder: its sha256 is "):
        adopt("small-encoder", [tmp_path / "a", tmp_path / "wrong"])
    assert in_cache("small-encoder") is None
    assert not cache.exists()


def test_a_name_in_an_option_becomes_its_file_and_settings(mirror, cache):
    assert with_file("small-detector", "detector") == f"{cache}/det.onnx,kind=yolox"
    assert with_file("small-detector,score=0.3", "detector") == f"{cache}/det.onnx,kind=yolox,score=0.3"
    assert with_file("mine.onnx,kind=yolox", "detector") == "mine.onnx,kind=yolox"


def test_a_name_of_something_else_and_nearly_a_name_are_refused(cache):
    with pytest.raises(SettingError, match=r"^small-encoder is of the kind 'encoder'; as detector there are yolox-n"):
        with_file("small-encoder", "detector")
    with pytest.raises(SettingError, match=r"^yolox_m: there is no such file; did you mean the weights yolox-s\?$"):
        with_file("yolox_m", "detector")
    with pytest.raises(SettingError, match=r"^yolo-x: there is no such file; did you mean the weights yolox-s\?$"):
        with_file("yolo-x,score=0.3", "detector")
    assert with_file("runs/yolox", "detector") == "runs/yolox"
    with pytest.raises(SettingError, match=r"^no published model is called 'yolox-m' \(did you mean 'yolox-s'\?\)"):
        fetch("yolox-m")


def test_the_cache_lies_where_the_system_says(monkeypatch):
    monkeypatch.delenv("SKYREID_CACHE", raising=False)
    monkeypatch.setenv("HOME", "/home/anna")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, says the standard
    assert cache_folder() == Path("/home/anna/.cache/skyreid")
    monkeypatch.setenv("XDG_CACHE_HOME", "/fast")
    assert cache_folder() == Path("/fast/skyreid")
    monkeypatch.setattr(weights_cache.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/appdata")
    assert cache_folder() == Path("/appdata/skyreid")
    monkeypatch.setenv("SKYREID_CACHE", "/models")
    assert cache_folder() == Path("/models")


def test_the_commands_list_fetch_find_and_take_weights(mirror, cache, tmp_path, capsys):
    assert main(["weights", "path", "small-detector"]) == 1
    assert "'skyreid weights get small-detector' fetches it" in capsys.readouterr().err
    assert main(["weights", "get", "small-detector"]) == 0
    assert capsys.readouterr().out == f"{cache / 'det.onnx'}\n"
    assert main(["weights", "path", "small-detector"]) == 0
    assert capsys.readouterr().out == f"{cache / 'det.onnx'}\n"
    (tmp_path / "a").write_bytes(GRAPH)
    (tmp_path / "b").write_bytes(WEIGHTS)
    assert main(["weights", "add", "small-encoder", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    capsys.readouterr()
    assert main(["weights", "list"]) == 0
    told = capsys.readouterr().out
    assert "small-encoder   encoder, 0.0 MB, in the cache" in told
    assert "licence: code Apache-2.0; weights CC BY 4.0" in told


def test_a_file_that_changes_while_it_is_copied_is_refused(cache, tmp_path):
    (tmp_path / "a").write_bytes(GRAPH)
    published = TABLE["small-detector"].files[0]
    changed = dataclasses.replace(published, digest="sha256:" + "0" * 64, equivalents=())
    with pytest.raises(WeightsError, match=r"changed while it was copied$"):
        list(weights_cache._checked(changed, tmp_path / "a"))


@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_the_list_fits_the_terminal_and_loses_no_word(cache, capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    assert main(["weights", "list"]) == 0
    out = capsys.readouterr().out
    listed = out[: out.index("The cache is")]
    assert max(map(len, listed.splitlines())) <= int(columns)
    words = " ".join(listed.split())
    for name, weights in TABLE.items():
        assert f"{name} {weights.use}" in words
        assert f"{weights.what} for {weights.good_for} licence: code" in words


def test_what_is_not_in_the_cache_is_short_and_says_beneath_where_its_files_are(cache, capsys):
    assert main(["weights", "path", "small-encoder"]) == 1
    first, *others = capsys.readouterr().err.splitlines()
    assert len(first) < 200
    assert "'skyreid weights get small-encoder' fetches it" in first
    files = TABLE["small-encoder"].files
    assert [other.strip() for other in others] == [
        f"{file.address} ({file.num_bytes:,} bytes, {file.digest})" for file in files
    ]
