import numpy as np
import pytest
from PIL import Image

from skyreid.building.build import build
from skyreid.building.sources import parse_source
from skyreid.building.video.decode import frames, probe
from skyreid.datasets.manifest import read_manifest
from skyreid.errors import VideoError
from tests.building.films import smooth

RATE = "[Sequence]\nname=gate\nimDir=img1\nframeRate={rate}\nseqLength={number}\nimWidth=80\nimHeight=60\nimExt=.jpg\n"


def write_pictures(folder, pictures, *, name="{}.png", seconds=None):
    folder.mkdir(parents=True)
    for number, picture in enumerate(pictures, start=1):
        exif = Image.Exif()
        if seconds is not None:
            time = seconds[number - 1]
            exif[0x8769] = {
                0x9003: f"2026:05:04 09:00:{int(time):02d}",
                0x9291: f"{round(time % 1 * 100):02d}",
            }
        Image.fromarray(picture).save(folder / name.format(number), exif=exif)
    return folder


def refusal(folder):
    with pytest.raises(VideoError) as caught:
        list(frames(folder))
    return str(caught.value).removeprefix(f"{folder}: ")


@pytest.mark.parametrize("given", [".", "img1"])
def test_a_folder_of_pictures_is_a_film_in_natural_order(tmp_path, given):
    """Kind B8: 9.png before 10.png, and what a Mac left there is no frame."""
    pictures = smooth(12)
    folder = write_pictures(tmp_path / "gate/img1", pictures)
    (tmp_path / "gate/seqinfo.ini").write_text(RATE.format(rate=10, number=12))
    (folder / "._1.png").write_bytes(b"\0\5\x16\7")
    (folder / ".DS_Store").touch()
    facts = probe(tmp_path / "gate" / given)
    assert (facts.width, facts.height, facts.frame_rate, facts.num_frames, facts.duration_s) == (80, 60, 10, 12, 1.2)
    decoded, ends = [], []
    decoded = list(frames(tmp_path / "gate" / given, at_end=ends.append))
    assert [(frame.index, frame.time_s) for frame in decoded] == [(index, index / 10) for index in range(12)]
    for frame, picture in zip(decoded, pictures, strict=True):
        np.testing.assert_array_equal(frame.pixels, picture)
    assert (ends[0].num_frames, ends[0].end_s) == (12, 1.2)
    assert [frame.index for frame in frames(tmp_path / "gate" / given, interval_s=0.5, max_side=40)] == [0, 5, 10]


def test_the_pictures_own_times_tell_where_nobody_gave_a_rate(tmp_path):
    """Kind B8."""
    seconds = [0, 0.5, 1.25, 5]
    folder = write_pictures(tmp_path / "a", smooth(4), name="IMG_{}.jpg", seconds=seconds)
    assert [frame.time_s for frame in frames(folder)] == seconds
    assert probe(folder).frame_rate == 3 / 5


def test_what_is_no_film_is_refused_with_the_remedy(tmp_path):
    """Kind B8."""
    (tmp_path / "empty").mkdir()
    assert refusal(tmp_path / "empty").startswith("is a folder without pictures (.bmp, .gif, .jpeg, ")
    untimed = write_pictures(tmp_path / "untimed", smooth(3))
    assert refusal(untimed) == (
        "is a folder of 3 pictures, and nothing says when each was taken; put a file seqinfo.ini with the lines "
        "[Sequence] and frameRate=25 into it (frames a second; 0.2 is one in five seconds)"
    )
    (untimed / "seqinfo.ini").write_text("[Sequence]\nframeRate=25\nseqLength=4\n")
    assert refusal(untimed) == "holds 3 pictures; its seqinfo.ini says seqLength=4"
    for rate in ("0", "1e999999999", "fast", "30/0"):
        (untimed / "seqinfo.ini").write_text(f"[Sequence]\nframeRate={rate}\n")
        assert refusal(untimed) == f"its seqinfo.ini must tell frameRate as a positive number such as 25; got {rate!r}"
    (untimed / "seqinfo.ini").write_text("")
    assert refusal(untimed).startswith("its seqinfo.ini is empty; write [Sequence] and lines such as frameRate=25")
    (untimed / "seqinfo.ini").write_text("[Sequence]\nframeRate=25\nimDir=../other\n")
    assert refusal(untimed).startswith("its seqinfo.ini names the folder '../other'")
    (untimed / "seqinfo.ini").write_text("[Sequence]\nframeRate=25\n")
    Image.new("RGB", (20, 30)).save(untimed / "3.png")
    assert refusal(untimed) == (
        "its 3.png has 20x30 pixels, 1.png 80x60; a film has one size. Scale it, or put "
        "pictures of another size into a folder of their own"
    )
    (untimed / "2.png").write_bytes(b"")
    assert refusal(untimed).startswith(f"{untimed / '2.png'}: cannot be read as ")


def test_a_number_that_is_missing_among_the_pictures_is_named(tmp_path):
    """Kind B8: frames behind a gap would have other times, and other people's boxes."""
    folder = write_pictures(tmp_path / "a", smooth(12), name="frame_{:04d}_left.png")
    (folder / "seqinfo.ini").write_text("[Sequence]\nframeRate=25\n")
    (folder / "frame_0005_left.png").unlink()
    assert refusal(folder) == (
        "holds 11 pictures, numbered 1 to 12 without 5: nobody knows whether the rate and annotations count those. Put "
        "them there; or, if they never were, number the pictures without a gap"
    )
    for number in (6, 10):
        (folder / f"frame_{number:04d}_left.png").unlink()
    assert "numbered 1 to 12 without 5 to 6, and so on in 2 places: nobody" in refusal(folder)


@pytest.mark.parametrize("name", ["{0}00.png", "{1}.png", "{0}_{1}.png"])
def test_numbers_that_are_none_of_frames_tell_no_gap(tmp_path, name):
    """Kind B8: every hundredth, times, and numbers of something else."""
    names = (name.format(place, 1700000000 + 7 * place * place) for place in range(1, 9))
    folder = tmp_path / "a"
    folder.mkdir()
    for one, picture in zip(names, smooth(8), strict=True):
        Image.fromarray(picture).save(folder / one)
    (folder / "seqinfo.ini").write_text("[Sequence]\nframeRate=25\n")
    assert len(list(frames(folder))) == 8


def test_two_pictures_of_one_name_are_named(tmp_path):
    """Kind B8: what a converter left beside its source."""
    folder = write_pictures(tmp_path / "a", smooth(3))
    Image.fromarray(smooth(1)[0]).save(folder / "2.jpg")
    (folder / "seqinfo.ini").write_text("[Sequence]\nframeRate=25\n")
    assert refusal(folder) == "holds 2.jpg and 2.png: a frame is one picture; remove one of the two"


def test_a_folder_is_built_and_built_again_when_a_picture_changed(tmp_path):
    """Kind B8."""
    folder = write_pictures(tmp_path / "gate", smooth(12))
    (folder / "seqinfo.ini").write_text("[Sequence]\nframeRate=10\n")
    (tmp_path / "gt.txt").write_text("".join(f"{frame},4,1,1,12,30,1,1,1\n" for frame in range(1, 13)))
    source = parse_source(f"{folder},platform=ground,camera=C1,annotations={tmp_path / 'gt.txt'}")
    first = build([source], tmp_path / "out", masking=None)
    (tracklet,) = read_manifest(first.manifest_path).tracklets
    assert (tracklet.tracklet_id, [frame.index for frame in tracklet.frames]) == ("C1-gate-0001", [0, 5, 10])
    assert build([source], tmp_path / "out", masking=None).data_sha256 == first.data_sha256
    Image.new("RGB", (80, 60), "red").save(folder / "6.png")
    assert build([source], tmp_path / "out", masking=None, replace=True).data_sha256 != first.data_sha256
