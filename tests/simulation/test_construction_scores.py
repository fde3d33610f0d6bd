from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.simulation.construction_scores import (
    MIN_IOU,
    PrecisionRecall,
    are_in_any,
    evaluate_construction,
    intersections_over_unions,
    matched_boxes,
    points_in,
    touch,
)
from tests.simulation.tiny_world import TinyWorld, face_in, person, place

LEFT, MIDDLE, RIGHT = place(0), place(1), place(2)
SAMPLED = (0, 2, 4, 6)
"""Of eight frames at four a second."""


@pytest.fixture
def world(tmp_path):
    """Persons 1 and 2 at the gate and below the drone, all the time, showing no face."""
    world = TinyWorld(tmp_path)
    for camera in ("gate", "drone"):
        world.film(camera, [[person(1, LEFT), person(2, RIGHT)]] * 8)
    return world


def scores_of(world, **changes):
    world.write_build(**changes)
    return evaluate_construction(world.build, world.folder)


def all_of(box):
    return dict.fromkeys(SAMPLED, box)


def test_an_exact_build_scores_one_everywhere(world):
    for camera in ("gate", "drone"):
        world.track(camera, 1, all_of(LEFT))
        world.track(camera, 2, all_of(RIGHT))
    scores = scores_of(world)
    assert scores.to_json() == {
        "identities": 2,
        "tracklets": 4,
        "crops": 16,
        "boxes": {"precision": 1.0, "recall": 1.0},
        "purity": 1.0,
        "association": {"precision": 1.0, "recall": 1.0},
        "masking": {"recall": None, "precision": None, "faces": 0, "regions": 0},
        "truth": {"identities": 2, "tracklets": 4, "boxes": 16},
        "per_source": [
            {
                "name": name,
                "tracklets": 2,
                "crops": 8,
                "boxes": {"precision": 1.0, "recall": 1.0},
                "purity": 1.0,
                "masking": {"recall": None, "precision": None, "faces": 0, "regions": 0},
            }
            for name in ("gate-gate-1", "drone-drone-1")
        ],
    }
    assert scores.lines() == [
        "               tracklets  boxes  precision  recall  purity  faces  covered  masks right",
        "gate-gate-1          2/2    8/8     100.0%  100.0%  100.0%      0        -            -",
        "drone-drone-1        2/2    8/8     100.0%  100.0%  100.0%      0        -            -",
        "all                  4/4  16/16     100.0%  100.0%  100.0%      0        -            -",
        "identities: 2 built, 2 true",
        "association of ground and aerial tracklets: precision 100.0%, recall 100.0%",
    ]


def test_a_merged_tracklet_is_as_pure_as_its_majority(world):
    """Person 1, for three crops, then person 2 for one; the second tracklet has person 2 and nothing."""
    world.track("gate", 1, {0: LEFT, 2: LEFT, 4: LEFT, 6: RIGHT})
    world.track("gate", 2, {0: RIGHT, 2: MIDDLE})
    scores = scores_of(world)
    assert scores.overall.purity == 4 / 5
    assert scores.overall.boxes == PrecisionRecall(precision=5 / 6, recall=5 / 16)


def test_a_split_tracklet_is_pure_and_costs_association(world):
    """Person 1 is two tracklets at the gate with two pids; only the first has that of the drone's."""
    world.track("gate", 1, {0: LEFT, 2: LEFT})
    world.track("gate", 7, {4: LEFT, 6: LEFT})
    world.track("drone", 1, all_of(LEFT))
    scores = scores_of(world)
    assert scores.overall.purity == 1.0
    assert scores.association == PrecisionRecall(precision=1.0, recall=0.5)
    assert (scores.identities, scores.true_identities) == (2, 2)


def test_a_wrong_claim_costs_precision_and_the_pair_it_misses_recall(world):
    """Pid 1 is person 1 at the gate, and both people below the drone; pid 2 is person 2 at the gate only."""
    world.track("gate", 1, all_of(LEFT))
    world.track("gate", 2, all_of(RIGHT))
    world.track("drone", 1, all_of(LEFT))
    world.track("drone", 1, all_of(RIGHT))
    assert scores_of(world).association == PrecisionRecall(precision=1 / 2, recall=1 / 2)


def test_pairs_on_one_platform_are_no_association(world):
    world.track("gate", 1, all_of(LEFT))
    world.track("gate", 1, all_of(RIGHT))
    assert scores_of(world).association == PrecisionRecall(precision=None, recall=None)


def test_a_claim_with_a_tracklet_of_nobody_is_wrong(world):
    world.track("gate", 1, all_of(LEFT))
    world.track("drone", 1, all_of(MIDDLE))
    scores = scores_of(world)
    assert scores.association == PrecisionRecall(precision=0.0, recall=None)
    assert scores.overall.boxes.precision == 0.5


def test_of_two_people_in_equal_parts_the_lower_pid_is_the_tracklets_person(world):
    world.track("gate", 5, {0: RIGHT, 2: RIGHT, 4: LEFT, 6: LEFT})
    world.track("drone", 5, all_of(LEFT))
    assert scores_of(world).association == PrecisionRecall(precision=1.0, recall=1.0)


def test_who_is_hidden_need_not_be_found_but_explains_a_crop(tmp_path):
    world = TinyWorld(tmp_path)
    world.film("gate", [[person(1, LEFT), person(2, RIGHT, visible=0.29)]] * 8)
    world.track("gate", 1, all_of(LEFT))
    assert scores_of(world).overall.boxes == PrecisionRecall(precision=1.0, recall=1.0)
    world.track("gate", 2, {0: RIGHT, 2: RIGHT})
    scores = scores_of(world)
    assert scores.overall.boxes == PrecisionRecall(precision=1.0, recall=1.0)
    assert (scores.overall.purity, scores.true_identities) == (1.0, 1)


def test_a_frame_in_which_nothing_was_built_counts(world):
    world.track("gate", 1, {0: LEFT, 2: LEFT})
    assert scores_of(world).per_source[0].boxes == PrecisionRecall(precision=1.0, recall=2 / 8)


def test_who_shows_in_a_single_sampled_frame_is_no_true_tracklet(tmp_path):
    world = TinyWorld(tmp_path)
    often, once = person(1, LEFT), person(2, RIGHT)
    world.film("gate", [[often, once], [often, once], [often], [often]])
    world.track("gate", 1, {0: LEFT, 2: LEFT})
    scores = scores_of(world)
    assert (scores.true_identities, scores.overall.counts.true_tracklets) == (1, 1)
    assert scores.overall.counts.true_boxes == 3


def test_a_box_is_compared_with_what_the_picture_shows_of_a_person(tmp_path):
    """Half of the person lies left of the picture; the crop begins at its edge."""
    world = TinyWorld(tmp_path)
    world.film("gate", [[person(1, (-12.0, 10.0, 12.0, 50.0), visible=0.5)]] * 4)
    world.track("gate", 1, dict.fromkeys((0, 2), (0.0, 10.0, 12.0, 50.0)))
    assert scores_of(world).overall.boxes == PrecisionRecall(precision=1.0, recall=1.0)


def masking_of(tmp_path, people, masked, *, crops=(LEFT,)):
    """Two equal frames; the regions are masked in the first, as every tracklet's."""
    world = TinyWorld(tmp_path)
    world.film("gate", [people] * 4)
    for pid, box in enumerate(crops, start=1):
        world.track("gate", pid, {0: box, 2: box}, masked={0: masked})
    return scores_of(world).overall


def test_a_face_is_covered_when_three_quarters_of_it_are(tmp_path):
    """Width 12 from x = 4: until 13 are three quarters. It shows in two sampled frames and is masked in one."""
    people = [person(1, LEFT, face=face_in(LEFT))]
    enough = masking_of(tmp_path / "a", people, [(4.0, 10.0, 13.0, 18.0)])
    assert (enough.counts.faces, enough.masking) == (2, PrecisionRecall(precision=1.0, recall=0.5))
    short = masking_of(tmp_path / "b", people, [(4.0, 10.0, 12.0, 18.0)])
    assert (short.counts.faces, short.masking) == (2, PrecisionRecall(precision=1.0, recall=0.0))
    pieces = masking_of(tmp_path / "c", people, [(4.0, 10.0, 10.0, 18.0), (9.0, 10.0, 13.0, 18.0)])
    assert pieces.masking == PrecisionRecall(precision=1.0, recall=0.5)


@pytest.mark.parametrize("unseen", [{"width": 9.9}, {"facing": 0.49}, {"visible": 0.49}])
def test_small_turned_and_hidden_faces_need_not_be_covered(tmp_path, unseen):
    scores = masking_of(tmp_path, [person(1, LEFT, face=face_in(LEFT, **unseen))], [(0.0, 10.0, 20.0, 18.0)])
    assert scores.counts.faces == 0
    # Of small faces a mask is still right; of a profile it was not asked for.
    assert scores.masking == PrecisionRecall(precision=1.0 if "width" in unseen else 0.0, recall=None)


def test_the_neighbours_face_in_ones_crop_counts_as_far_as_it_shows(tmp_path):
    """A face from x = 14 to 26; the crop ends at 20, and so does the mask."""
    people = [person(2, (10.0, 10.0, 30.0, 50.0), face=face_in((10.0, 10.0, 30.0, 50.0)))]
    scores = masking_of(tmp_path, people, [(15.0, 10.0, 20.0, 18.0)])
    assert (scores.counts.faces, scores.masking) == (2, PrecisionRecall(precision=1.0, recall=0.5))


def test_a_face_outside_all_crops_is_nobodys_concern(tmp_path):
    people = [person(1, LEFT), person(2, RIGHT, face=face_in(RIGHT))]
    assert masking_of(tmp_path, people, []).counts.faces == 0


def test_a_region_in_two_crops_counts_once_and_one_on_no_face_is_wrong(tmp_path):
    near = (10.0, 10.0, 30.0, 50.0)
    people = [person(1, LEFT, face=face_in(LEFT)), person(2, near)]
    masked = [(6.0, 10.0, 14.0, 18.0), (15.0, 30.0, 19.0, 40.0)]
    scores = masking_of(tmp_path, people, masked, crops=(LEFT, near))
    assert scores.counts.regions == 2
    assert scores.masking.precision == 0.5


def test_a_build_that_masked_nothing_covers_nothing(tmp_path):
    world = TinyWorld(tmp_path)
    world.film("gate", [[person(1, LEFT, face=face_in(LEFT))]] * 4)
    world.track("gate", 1, {0: LEFT, 2: LEFT})
    scores = scores_of(world, info={"faces_masked": False}, masking=False)
    assert scores.overall.masking == PrecisionRecall(precision=None, recall=0.0)


def test_videos_of_the_world_that_were_not_built_do_not_count(world):
    del world.built["drone"]
    world.track("gate", 1, all_of(LEFT))
    world.track("gate", 2, all_of(RIGHT))
    scores = scores_of(world)
    assert (scores.true_identities, scores.overall.counts.true_boxes) == (2, 8)


def test_the_caller_hears_of_every_video(world):
    heard = []
    world.write_build()
    evaluate_construction(world.build, world.folder, progress=lambda *report: heard.append(report))
    assert heard == [
        ("compare with the truth", 0, 2, "gate-gate-1"),
        ("compare with the truth", 1, 2, "drone-drone-1"),
        ("compare with the truth", 2, 2),
    ]


edges = st.tuples(st.integers(0, 8), st.integers(0, 8)).filter(lambda ends: ends[0] != ends[1]).map(sorted)
boxes = st.tuples(edges, edges).map(lambda ends: (*map(float, (ends[0][0], ends[1][0], ends[0][1], ends[1][1])),))


def overlap(first, second):
    """By counting unit squares."""
    squares = [
        {(x, y) for x in range(int(box[0]), int(box[2])) for y in range(int(box[1]), int(box[3]))}
        for box in (first, second)
    ]
    return len(squares[0] & squares[1]) / len(squares[0] | squares[1])


@given(found=st.lists(boxes, min_size=1, max_size=4), true=st.lists(boxes, min_size=1, max_size=4))
def test_overlaps_are_those_of_counted_squares(found, true):
    expected = [[overlap(one, other) for other in true] for one in found]
    np.testing.assert_allclose(intersections_over_unions(np.array(found), np.array(true)), expected)


@given(found=st.lists(boxes, max_size=4), true=st.lists(boxes, max_size=4))
def test_no_other_pairing_overlaps_more(found, true):
    pairs = matched_boxes(found, true)
    assert len(set(pairs.values())) == len(pairs)
    worth = [overlap(found[row], true[column]) for row, column in pairs.items()]
    assert all(value >= MIN_IOU for value in worth)
    few, many = sorted((found, true), key=len)
    best = max(
        sum(value for one, other in zip(few, chosen, strict=True) if (value := overlap(one, other)) >= MIN_IOU)
        for chosen in permutations(many, len(few))
    )
    assert sum(worth) == pytest.approx(best)


@given(st.lists(boxes, max_size=3))
def test_the_share_of_points_in_regions_is_the_share_of_the_area(regions):
    """Exactly, where regions end between points: 32 points on 8 pixels."""
    squares = [(x, y) for x in range(8) for y in range(8)]
    covered = sum(any(r[0] <= x < r[2] and r[1] <= y < r[3] for r in regions) for x, y in squares)
    assert are_in_any(points_in((0.0, 0.0, 8.0, 8.0)), regions).mean() == covered / len(squares)


@given(boxes, boxes)
def test_boxes_touch_when_they_overlap(first, second):
    assert touch(first, second) == (overlap(first, second) > 0)
