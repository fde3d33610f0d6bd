from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from skyreid.building.crops.cropping import Crop, cut
from skyreid.building.crops.face_mask import FaceMask, MaskingConfig
from skyreid.building.crops.quality import QualityConfig, QualityFilter
from skyreid.building.tracked_boxes import TrackedBoxes
from skyreid.building.video.decode import DEFAULT_LIMITS
from skyreid.errors import SourceError
from skyreid.feeding import Feeding
from skyreid.files.regular_file import file_sha256
from skyreid.processes.progress import silent
from skyreid.tracklet import Platform
from tests.building.films import drawn_face, noise, smooth, write_film


def boxes(frames):
    return TrackedBoxes(frames=frames, dropped={})


def run(
    film,
    tracked,
    folder,
    *,
    mask=None,
    embedder=None,
    is_annotated=True,
    progress=silent,
    interval_s=0.5,
    frame_rate=10.0,
    **quality,
):
    return cut(
        film,
        tracked,
        folder,
        interval_s=interval_s,
        quality=QualityFilter(tracked, QualityConfig(**quality), width=80, height=160, is_annotated=is_annotated),
        mask=mask,
        embedder=embedder,
        platform=Platform.GROUND,
        frame_rate=frame_rate,
        duration_s=None,
        limits=DEFAULT_LIMITS,
        progress=progress,
    )


@pytest.fixture(scope="module")
def film_of_two_seconds(tmp_path_factory):
    return write_film(tmp_path_factory.mktemp("film") / "a.mov", smooth(16))


def test_the_crop_is_what_the_box_shows_at_each_sampled_frame(tmp_path):
    pictures = smooth(16)
    film = write_film(tmp_path / "a.mov", pictures)
    tracked = boxes({index: {7: (10.0 + index, 5.4, 30.6 + index, 50.0)} for index in range(16)})
    result = run(film, tracked, tmp_path / "out")
    (tracklet,) = result.tracklets
    assert tracklet.track == 7
    assert tracklet.crops == [
        Crop(index, index / 10, (10.0 + index, 5.0, 31.0 + index, 50.0), (), file_sha256(file))
        for index, file in zip((0, 5, 10, 15), sorted(tracklet.folder.iterdir()), strict=True)
    ]
    for crop in tracklet.crops:
        left, top, right, bottom = map(int, crop.box)
        with Image.open(tracklet.folder / crop.file_name) as image:
            assert image.format == "JPEG"
            written = np.asarray(image).astype(int)
        np.testing.assert_allclose(written, pictures[crop.index][top:bottom, left:right], atol=4)
    assert result.frames_read == 4


def test_a_pause_begins_a_new_tracklet(tmp_path):
    film = write_film(tmp_path / "a.mov", smooth(60))
    seen = [*range(11), *range(30, 41)]  # 2 s without
    result = run(film, boxes({index: {1: (0.0, 0.0, 9.0, 20.0)} for index in seen}), tmp_path / "a")
    assert [[crop.index for crop in t.crops] for t in result.tracklets] == [[0, 5, 10, 30, 35, 40]]
    seen.remove(30)
    result = run(film, boxes({index: {1: (0.0, 0.0, 9.0, 20.0)} for index in seen}), tmp_path / "b")
    assert [[crop.index for crop in t.crops] for t in result.tracklets] == [[0, 5, 10], [35, 40]]


@pytest.mark.parametrize(("interval_s", "spacing_s", "rate"), [(5.0, 0.5, 2.0), (0.5, 5.0, 0.2), (1.0, 1.0, 1.0)])
def test_a_pause_is_measured_against_the_interval_and_the_frame_rate(tmp_path, interval_s, spacing_s, rate):
    """Kind B6: sampling every five seconds, a timelapse of a frame in five seconds, one frame a second."""
    number = round(8 * max(interval_s, spacing_s) / spacing_s)
    film = write_film(tmp_path / "a.mkv", smooth(number), codec="ffv1", rate=1 / spacing_s)
    every = round(max(interval_s, spacing_s) / spacing_s)
    person = {1: (0.0, 0.0, 9.0, 20.0)}
    seen = boxes({every * sample: person for sample in (0, 1, 2, 5, 6, 7)})  # two samples are missed
    result = run(film, seen, tmp_path / "out", interval_s=interval_s, frame_rate=rate)
    assert [len(tracklet.crops) for tracklet in result.tracklets] == [3, 3]
    seen = boxes({every * sample: person for sample in (0, 1, 2, 4, 5, 6, 7)})  # one is
    result = run(film, seen, tmp_path / "once", interval_s=interval_s, frame_rate=rate)
    assert [len(tracklet.crops) for tracklet in result.tracklets] == [7]


def test_what_is_too_small_or_too_short_is_left_out_and_counted(tmp_path):
    film = write_film(tmp_path / "a.mov", smooth(11))
    people = {1: (0.0, 0.0, 5.0, 9.0), 2: (0.0, 0.0, 4.0, 9.0)}
    tracked = boxes({0: people, 5: people | {3: (9.0, 9.0, 20.0, 40.0)}, 7: people})
    result = run(film, tracked, tmp_path / "out")
    assert [t.track for t in result.tracklets] == [1]
    assert (result.dropped_crops, result.dropped_tracklets) == ({"too-small": 2, "too-short": 1}, {"too-short": 1})
    assert result.dropped_tracks == {"too-small": 1, "too-short": 1}


def test_who_is_in_no_sampled_frame_is_counted(tmp_path):
    film = write_film(tmp_path / "a.mov", smooth(11))
    result = run(film, boxes({3: {1: (0.0, 0.0, 9.0, 20.0)}, 4: {1: (0.0, 0.0, 9.0, 20.0)}}), tmp_path / "out")
    assert (result.tracklets, result.dropped_crops, result.dropped_tracks) == ((), {}, {"not-sampled": 1})


@settings(max_examples=20, deadline=None)
@given(
    frames=st.dictionaries(
        st.sampled_from((0, 3, 5, 10, 15)),
        st.dictionaries(
            st.integers(0, 3),
            st.tuples(st.integers(0, 60), st.integers(0, 30), st.integers(1, 20), st.integers(1, 30)),
            min_size=1,
        ),
    ),
    is_annotated=st.booleans(),
)
def test_nobody_vanishes_uncounted(film_of_two_seconds, frames, is_annotated):
    tracked = boxes(
        {
            index: {track: (float(x), float(y), float(x + width), float(y + height))}
            for index, people in frames.items()
            for track, (x, y, width, height) in people.items()
        }
    )
    with TemporaryDirectory() as folder:
        result = run(film_of_two_seconds, tracked, Path(folder), is_annotated=is_annotated)
    sampled = sum(len(people) for index, people in tracked.frames.items() if index % 5 == 0)
    assert sum(len(t.crops) for t in result.tracklets) + sum(result.dropped_crops.values()) == sampled
    everybody = {track for people in tracked.frames.values() for track in people}
    assert len({t.track for t in result.tracklets}) + sum(result.dropped_tracks.values()) == len(everybody)


def test_a_blurred_crop_is_left_out_unless_somebody_annotated_it(tmp_path):
    pictures = noise(11, height=60, width=80)
    pictures[5] = np.linspace(0, 255, 80, dtype=np.uint8)[None, :, None]  # light grows dark, evenly
    film = write_film(tmp_path / "a.mov", pictures)
    tracked = boxes({index: {1: (5.0, 5.0, 30.0, 55.0)} for index in (0, 5, 10)})
    found = run(film, tracked, tmp_path / "found", is_annotated=False)
    assert [crop.index for crop in found.tracklets[0].crops] == [0, 10]
    assert found.dropped_crops == {"blurred": 1}
    assert [crop.index for crop in run(film, tracked, tmp_path / "drawn").tracklets[0].crops] == [0, 5, 10]


def test_faces_are_masked_in_every_crop_that_shows_them(tmp_path):
    face, eyes = drawn_face(40)
    film = write_film(tmp_path / "a.mov", [face] * 6)
    whole, half = (0.0, 0.0, 80.0, 160.0), (0.0, 20.0, 45.0, 160.0)
    mask = FaceMask(MaskingConfig(observe_px_per_m=50.0))
    result = run(film, boxes({0: {1: whole, 2: half}, 5: {1: whole, 2: half}}), tmp_path / "out", mask=mask)
    assert (result.faces_detected, result.faces_by_fallback) == (2, 0)
    for tracklet in result.tracklets:
        for crop in tracklet.crops:
            left, top, right, bottom = map(int, crop.box)
            seen = np.zeros(face.shape[:2], bool)
            seen[eyes] = True
            with Image.open(tracklet.folder / crop.file_name) as image:
                hidden = np.asarray(image)[seen[top:bottom, left:right]].astype(int)
            assert np.abs(hidden - 96).max() <= 6
            assert any(region[0] < 30 < 50 < region[2] for region in crop.masked)


class Watcher:
    """Remembers what it is shown; a person's embedding is how many crops they have."""

    model = "0" * 64
    feeding = Feeding(clip_length=1, image_size=(8, 4), needs_platform=False)
    precision = "float32"

    def __init__(self):
        self.most_held = 0
        self.held = 0
        self.shown = []

    def kept(self, crop):
        self.held += 1
        self.most_held = max(self.most_held, self.held)
        return crop

    def embed(self, crops, platform):
        self.held -= len(crops)
        self.shown.append((len(crops), platform, min(int(crop.min()) for crop in crops)))
        return [float(len(crops)), 1.0]


def test_an_embedder_sees_people_before_their_faces_are_covered_and_lets_go_of_who_left(tmp_path):
    """Kind A: what is unmasked stays in memory, and no longer than somebody is in view."""
    pictures = [np.full((160, 80, 3), (200, 150, 120), np.uint8)] * 200
    film = write_film(tmp_path / "a.mov", pictures)
    whole = (0.0, 0.0, 80.0, 160.0)
    seen = [*range(41), *range(100, 141), 190]
    everybody = FaceMask(MaskingConfig(observe_px_per_m=0.0, recognise_px_per_m=0.0))
    watcher = Watcher()
    result = run(film, boxes({index: {1: whole} for index in seen}), tmp_path / "out", mask=everybody, embedder=watcher)
    assert [tracklet.embedding for tracklet in result.tracklets] == [[9.0, 1.0], [9.0, 1.0]]
    assert watcher.shown == [(9, Platform.GROUND, 120)] * 2  # no pixel is 96
    assert all(crop.masked for tracklet in result.tracklets for crop in tracklet.crops)
    assert all(tracklet.seen == [] for tracklet in result.tracklets)
    assert watcher.most_held <= 10


def test_a_region_masked_elsewhere_does_not_count_for_a_crop(tmp_path):
    film = write_film(tmp_path / "a.mov", smooth(6, height=160))
    people = {1: (1.0, 10.0, 30.0, 90.0), 2: (40.0, 40.0, 60.0, 140.0)}
    everybody = FaceMask(MaskingConfig(observe_px_per_m=0.0, recognise_px_per_m=0.0))
    result = run(film, boxes({0: people, 5: people}), tmp_path / "out", mask=everybody)
    assert result.faces_followed + result.faces_by_fallback == 4
    for tracklet in result.tracklets:
        middle = sum(people[tracklet.track][::2]) / 2
        for crop in tracklet.crops:
            ((left, _, right, _),) = crop.masked
            assert left < middle < right


def test_a_face_seen_later_is_covered_before_and_the_crops_stand_in_order(tmp_path):
    """Kind A: nothing is written before the moments after it were looked at."""
    face, eyes = drawn_face(40)
    turned_away = np.full_like(face, 120)
    film = write_film(tmp_path / "a.mov", [turned_away] * 20 + [face] * 11)
    whole = (0.0, 0.0, 80.0, 160.0)
    result = run(
        film,
        boxes({index: {1: whole} for index in range(31)}),
        tmp_path / "out",
        mask=FaceMask(MaskingConfig(observe_px_per_m=50.0, recognise_px_per_m=1000.0)),
    )
    (tracklet,) = result.tracklets
    assert [crop.index for crop in tracklet.crops] == [0, 5, 10, 15, 20, 25, 30]
    assert (result.faces_detected, result.faces_followed) == (3, 4)
    for crop in tracklet.crops:
        with Image.open(tracklet.folder / crop.file_name) as image:
            assert np.abs(np.asarray(image)[eyes].astype(int) - 96).max() <= 6


def test_boxes_beyond_the_end_of_the_video_are_refused(tmp_path):
    film = write_film(tmp_path / "a.mov", smooth(11))
    person = {1: (0.0, 0.0, 9.0, 9.0)}
    run(film, boxes({0: person, 10: person}), tmp_path / "a")
    with pytest.raises(
        SourceError, match=r"a\.mov: has 11 frames, 0 to 10, and there are boxes in frame 11; are these the annotations"
    ):
        run(film, boxes({0: person, 11: person}), tmp_path / "b")


def test_progress_is_told_in_seconds(tmp_path):
    told = []
    film = write_film(tmp_path / "a.mov", smooth(11))
    run(film, boxes({}), tmp_path, progress=lambda *step: told.append(step))
    assert told == [("cut crops", done, 1, "a.mov") for done in (0, 0, 1, 1)]
