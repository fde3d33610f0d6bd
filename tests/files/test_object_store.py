import gc
import os
import subprocess
import sys
from datetime import timedelta

import pytest

from skyreid.datasets.data_hash import crop_sha256, read_unchanged, unchanged_picture, with_hashes
from skyreid.errors import AwayError, ChangedFrameError, MissingFrameError, StoreAwayError, StoreError
from skyreid.files import object_store
from skyreid.files.object_store import (
    checked_url,
    download_file,
    end_unfinished_uploads,
    is_object,
    list_folders,
    list_objects,
    read_object,
    remove_objects,
    several_at_once,
    upload_file,
    write_object,
)
from skyreid.files.regular_file import bytes_sha256
from skyreid.tracklet import Frame, Platform, Tracklet
from tests.files.own_object_store import BUCKET, Way, new_place, on_store


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/", "s3://my.bucket/a/b-c/d_e.f", "s3://bucket/a/"])
def test_a_place_in_a_store_is_a_bucket_and_names(url):
    assert checked_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        *("", "bucket", "/bucket", "s3://", "s3://b", "s3:/bucket", "S3://bucket", "http://bucket", "s3://bucket//a"),
        *(
            "s3://bucket/../other",
            "s3://bucket/a/..",
            "s3://bucket/./a",
            "s3://bucket/a?x",
            "s3://bucket/a b",
            "s3://Bü",
        ),
    ],
)
def test_what_is_no_place_in_a_store_is_refused(url):
    with pytest.raises(StoreError, match="s3://BUCKET/PREFIX"):
        checked_url(url)


def test_a_key_in_a_url_is_refused_and_not_repeated():
    with pytest.raises(StoreError) as refusal:
        checked_url("s3://key:secret@bucket/a")
    assert "secret" not in str(refusal.value) and "AWS_SECRET_ACCESS_KEY" in str(refusal.value)


def test_a_path_is_no_object(tmp_path):
    assert is_object("s3://bucket/key")
    assert not any(map(is_object, ("/s3://bucket/key", "s3:/bucket/key", tmp_path, str(tmp_path))))


def test_several_are_done_at_once_in_order_and_few_are_held():
    begun = []
    results = several_at_once(lambda one: (begun.append(one), one * 2)[1], iter(range(1000)), at_once=4)
    assert next(results) == 0
    assert len(begun) <= 9
    assert list(results) == list(range(2, 2000, 2))


def test_of_several_the_first_that_fails_ends_the_others():
    begun = []

    def fail(one):
        begun.append(one)
        raise KeyError(one)

    with pytest.raises(KeyError, match="0"):
        list(several_at_once(fail, range(1000), at_once=2))
    assert len(begun) < 10


def test_nobody_needs_s3fs_who_has_no_store():
    program = (
        "import sys; sys.modules['s3fs'] = None; import skyreid.datasets.data_hash as d; d.crop_sha256('s3://b1c/x')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "pip install 'skyreid[s3]'" in done.stderr.splitlines()[-1]


@on_store
class TestOfAStore:
    def test_what_is_written_is_read_listed_and_removed(self, tmp_path):
        place = new_place()
        write_object(f"{place}/a/one", b"1")
        write_object(f"{place}/a/b/two", b"")
        write_object(f"{place}/c/three", b"333")
        write_object(f"{place}/a/one", b"111")
        assert read_object(f"{place}/a/one", most_bytes=3) == b"111"
        assert read_object(f"{place}/a/b/two", most_bytes=3) == b""
        with pytest.raises(OSError, match="more than 2 bytes"):
            read_object(f"{place}/a/one", most_bytes=2)
        assert [(one.url, one.size) for one in list_objects(f"{place}/a")] == [
            (f"{place}/a/b/two", 0),
            (f"{place}/a/one", 3),
        ]
        assert list_folders(place) == ["a", "c"] and list_folders(f"{place}/none") == list_objects(f"{place}/n") == []
        remove_objects(one.url for one in list_objects(place))
        remove_objects([f"{place}/a/one"])
        assert list_objects(place) == []

    def test_a_large_file_goes_in_parts_and_comes_back(self, tmp_path):
        place, content = new_place(), os.urandom(2**20) * 40
        (tmp_path / "film").write_bytes(content)
        upload_file(tmp_path / "film", f"{place}/a film, Straße.mp4")
        (listed,) = list_objects(place)
        assert (listed.url, listed.size) == (f"{place}/a film, Straße.mp4", len(content))
        download_file(listed.url, tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == content

    def test_what_was_begun_and_never_finished_is_given_up(self):
        place = new_place()
        store = object_store._store(os.getpid())
        bucket, _, key = f"{place}/film".removeprefix("s3://").partition("/")
        begun = store.call_s3("create_multipart_upload", Bucket=bucket, Key=key)
        store.call_s3("upload_part", Bucket=bucket, Key=key, UploadId=begun["UploadId"], PartNumber=1, Body=b"x" * 99)
        assert list_objects(place) == []
        assert end_unfinished_uploads(place, older_than=timedelta(days=1)) == 0
        assert end_unfinished_uploads(place, older_than=timedelta(days=-1)) == 1
        assert end_unfinished_uploads(place, older_than=timedelta(days=-1)) == 0

    def test_more_than_a_page_is_listed(self, monkeypatch):
        place = new_place()
        for _ in several_at_once(lambda n: write_object(f"{place}/{n:02d}/x", b""), range(11)):
            pass
        store = object_store._store(os.getpid())
        asked = store.call_s3
        monkeypatch.setattr(store, "call_s3", lambda method, **told: asked(method, MaxKeys=4, **told))
        assert len(list_objects(place)) == 11
        assert list_folders(place) == [f"{n:02d}" for n in range(11)]

    def test_crops_are_read_from_it_and_held_against_their_hashes(self, tmp_path):
        place = new_place()
        frame = Frame(f"{place}/x.jpg", sha256=bytes_sha256(b"a crop"))
        tracklet = Tracklet(tracklet_id="t", frames=(frame,), pid=1, camid=0, platform=Platform.GROUND)
        write_object(frame.path, b"a crop")
        assert read_unchanged(frame) == b"a crop"
        assert crop_sha256(frame.path) == frame.sha256
        assert with_hashes([tracklet]) == (tracklet,)
        with pytest.raises(MissingFrameError, match=f"{frame.path}: cannot be read as JPEG"):
            unchanged_picture(frame)
        write_object(frame.path, b"another")
        for read in (read_unchanged, unchanged_picture, lambda _: with_hashes([tracklet])):
            with pytest.raises(ChangedFrameError, match=f"{frame.path} was changed"):
                read(frame)
        remove_objects([frame.path])
        with pytest.raises(FileNotFoundError, match="is not in the object store"):
            read_unchanged(frame)
        with pytest.raises(MissingFrameError, match=f"{frame.path}: is not in the object store"):
            unchanged_picture(frame)

    def test_a_store_that_is_away_is_named_without_a_secret_and_comes_back(self):
        place = new_place()
        with Way() as way:
            write_object(f"{place}/x", b"x")
            way.cut()
            for call in (lambda: read_object(f"{place}/x", most_bytes=9), lambda: list_objects(place)):
                with pytest.raises(StoreAwayError, match=f"{BUCKET} at 127.0.0.1: the object store cannot") as away:
                    call()
                assert isinstance(away.value, AwayError)
                assert os.environ["AWS_SECRET_ACCESS_KEY"] not in str(away.value)
            way.mend()
            assert read_object(f"{place}/x", most_bytes=9) == b"x"

    def test_a_bucket_that_is_not_there_and_a_key_that_may_not_are_refused(self, monkeypatch):
        with pytest.raises(StoreError, match=r"s3://skyreid-none at 127\.0\.0\.1: there is no such bucket; make it"):
            write_object("s3://skyreid-none/x", b"x")
        program = """
import sys
from skyreid.files.object_store import list_objects, read_object, write_object
for call in (lambda: write_object(sys.argv[1], b"x"), lambda: read_object(sys.argv[1], most_bytes=1),
             lambda: list_objects(sys.argv[1])):
    try:
        call()
    except Exception as error:
        print(type(error).__name__, error)
"""
        for changed, said in (
            (
                {"AWS_SECRET_ACCESS_KEY": "another"},
                "does not take this key (SignatureDoesNotMatch); see that AWS_",
            ),
            ({"AWS_ENDPOINT_URL_S3": "store.example"}, "must name the object store as https://HOST"),
            ({"AWS_ENDPOINT_URL_S3": "ftp://anna:password@127.0.0.1"}, "must name the object store as https://HOST"),
            ({"AWS_SECRET_ACCESS_KEY": None, "AWS_ACCESS_KEY_ID": None}, "was told no key of the object store"),
        ):
            environment = {name: value for name, value in {**os.environ, **changed}.items() if value is not None}
            command = [sys.executable, "-c", program, f"{new_place()}/x"]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            assert done.stdout.count(said) == 3 and done.stdout.count("StoreError") == 3, done.stdout + done.stderr
            assert "password" not in done.stdout + done.stderr

    def test_a_process_that_was_forked_reaches_it_anew_and_leaves_it_to_its_parent(self):
        place = new_place()
        write_object(f"{place}/x", b"x")
        for _ in range(2):
            if (pid := os.fork()) == 0:
                is_there = read_object(f"{place}/x", most_bytes=9) == b"x"
                gc.collect()
                os._exit(0 if is_there else 1)
            assert os.waitpid(pid, 0)[1] == 0
            assert read_object(f"{place}/x", most_bytes=9) == b"x"
