"""A real server on the loopback gives a file well, cut, changed, too long or not: never a wrong file under its name."""

import hashlib
import multiprocessing
import os
import signal
import threading
import time

import numpy as np
import pytest

from skyreid.errors import SettingError
from skyreid.weights.fetching import FetchError, address_of, fetch_file
from skyreid.weights.published_files import PublishedFile
from tests.weights.weights_server import serving

CONTENT = np.random.default_rng(0).bytes(300_000)
FILE = PublishedFile(
    place="some/model.onnx",
    address="https://publisher.invalid/model.onnx",
    num_bytes=len(CONTENT),
    digest=f"sha384:{hashlib.sha384(CONTENT).hexdigest()}",
)


@pytest.fixture
def server():
    with serving() as server:
        server.files = {"some/model.onnx": CONTENT}
        yield server


@pytest.fixture
def target(tmp_path):
    return tmp_path / "cache" / FILE.place


def unheard(num_bytes):
    pass


def fetch(server, target, hear=unheard):
    fetch_file(FILE, target, address_of(FILE, server.address), hear=hear)


def names(target):
    return sorted(path.name for path in target.parent.iterdir())


def test_a_file_comes_whole_and_nothing_else_stays(server, target):
    told = []
    fetch(server, target, told.append)
    assert target.read_bytes() == CONTENT
    assert names(target) == ["model.onnx"]
    assert told == sorted(told)
    assert told[-1] == len(CONTENT)


def test_another_file_of_the_same_size_is_refused_and_not_kept(server, target):
    server.files["some/model.onnx"] = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    with pytest.raises(FetchError, match=r"gives another file than the published one, of the same size$"):
        fetch(server, target)
    assert names(target) == []


def test_a_file_of_another_size_is_refused_before_it_is_read(server, target):
    server.files["some/model.onnx"] = b"<html>sign in here</html>"
    with pytest.raises(FetchError, match=r"gives 25 bytes; the published file has 300,000$"):
        fetch(server, target)
    assert names(target) == []


def test_a_server_that_does_not_end_is_cut_off(server, target):
    server.longer_by = 50_000_000
    with pytest.raises(FetchError, match=r"gives more than the 300,000 bytes of the published file$"):
        fetch(server, target)
    assert not target.exists()
    server.longer_by = 0
    fetch(server, target)
    assert target.read_bytes() == CONTENT


def test_a_connection_that_is_cut_is_gone_on_with_by_range(server, target):
    server.cut_after = 100_000
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert [request.get("Range") for request in server.asked] == [None, "bytes=100000-", "bytes=200000-"]
    assert [request.get("If-Range") for request in server.asked] == [None, '"first"', '"first"']


def test_what_was_fetched_before_is_kept_for_the_next_time(server, target):
    server.cut_after = 20_000
    with pytest.raises(FetchError, match=r"160,000 of 300,000 bytes are kept, and the same command goes on from"):
        fetch(server, target)
    assert names(target) == ["model.onnx.part", "model.onnx.part.json"]
    server.cut_after = None
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert server.asked[-1]["Range"] == "bytes=160000-"
    assert names(target) == ["model.onnx"]


def test_a_server_without_ranges_begins_anew(server, target):
    server.cut_after = 100_000
    server.knows_ranges = False
    with pytest.raises(FetchError, match=r"100,000 of 300,000 bytes are kept"):
        fetch(server, target)
    server.cut_after = None
    fetch(server, target)
    assert target.read_bytes() == CONTENT


def test_a_file_that_was_exchanged_meanwhile_is_never_mixed(server, target):
    server.files["some/model.onnx"], server.cut_after = bytes(len(CONTENT)), 20_000
    with pytest.raises(FetchError):
        fetch(server, target)
    server.files["some/model.onnx"], server.cut_after, server.etag = CONTENT, None, '"second"'
    fetch(server, target)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("length", [1, 299_999, 300_000, 300_001])
def test_a_beginning_that_is_of_another_file_is_thrown_away(server, target, length):
    """It may come from a mirror of before, or from a server that knows no marks."""
    target.parent.mkdir(parents=True)
    target.with_name("model.onnx.part").write_bytes(bytes(length))
    if length > len(CONTENT):
        with pytest.raises(FetchError, match=r"was longer than the published file, and is removed"):
            fetch(server, target)
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert names(target) == ["model.onnx"]


@pytest.mark.parametrize(
    "elsewhere", ["http://example.invalid/model.onnx", "ftp://127.0.0.1/x", "file:///etc/passwd", "http://[x"]
)
def test_a_redirect_to_anything_but_https_is_refused(server, target, elsewhere):
    server.redirect = elsewhere
    with pytest.raises(FetchError, match=r"leads to .*, and nothing is fetched but by https$|302|Invalid IPv6 URL"):
        fetch(server, target)
    assert names(target) == []


def test_a_redirect_on_this_machine_is_followed_for_a_mirror_of_this_machine(server, target):
    with serving() as other:
        other.files = {"there": CONTENT}
        server.redirect = f"{other.address}/there"
        fetch(server, target)
    assert target.read_bytes() == CONTENT


def test_a_server_that_is_not_there_or_refuses_is_named(server, target):
    server.status = 403
    with pytest.raises(FetchError, match=r"the server answers 403 Forbidden$"):
        fetch(server, target)
    with pytest.raises(FetchError, match=r"127\.0\.0\.1:1 cannot be reached \(.*refused\)$"):
        fetch_file(FILE, target, "http://127.0.0.1:1/model.onnx", hear=unheard)
    assert names(target) == []


@pytest.mark.parametrize(
    "mirror", ["http://mirror.invalid", "ftp://127.0.0.1", "file:///srv/models", "/srv", "https://[x"]
)
def test_a_mirror_is_https_or_of_this_machine(mirror):
    with pytest.raises(SettingError, match=r"^a mirror of weights is an https address, or an http one of this machine"):
        address_of(FILE, mirror)


def test_a_mirror_has_the_places_of_the_cache():
    assert address_of(FILE, "https://mirror.invalid/ours/") == "https://mirror.invalid/ours/some/model.onnx"
    assert address_of(FILE, None) == FILE.address


def test_one_who_is_killed_leaves_what_the_next_goes_on_with(server, target):
    server.gate = threading.Event()
    process = multiprocessing.get_context("spawn").Process(target=_fetch_apart, args=(server.address, target))
    process.start()
    part = target.with_name("model.onnx.part")
    _until(lambda: part.exists() and part.stat().st_size >= 100_000)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    server.gate.set()
    kept = part.stat().st_size
    assert not target.exists()
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert server.asked[-1]["Range"] == f"bytes={kept}-"
    assert names(target) == ["model.onnx"]


def test_of_two_at_once_one_fetches_and_the_other_waits_for_it(server, target, caplog):
    server.gate = threading.Event()
    threads = [threading.Thread(target=fetch, args=(server, target)) for _ in range(2)]
    for thread in threads:
        thread.start()
    _until(lambda: "another process fetches it; waiting for that" in caplog.text)
    server.gate.set()
    for thread in threads:
        thread.join()
    assert target.read_bytes() == CONTENT
    assert len(server.asked) == 1
    assert names(target) == ["model.onnx"]


def _fetch_apart(address, target):
    fetch_file(FILE, target, address_of(FILE, address), hear=unheard)


def _until(happened):
    deadline = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)
