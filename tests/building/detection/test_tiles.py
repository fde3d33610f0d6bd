import numpy as np
import pytest

from skyreid.building.detection import tiles
from skyreid.building.detection.detector import load_detector
from skyreid.building.detection.tiles import find_in_tiles, one_box_each, side_for, tile_views, tiling_of
from skyreid.building.video.decode import DEFAULT_LIMITS, probe
from tests.building.detection import onnx_files
from tests.building.detection.onnx_files import draw_targets
from tests.building.films import write_film

pytestmark = pytest.mark.slow  # seconds that every change would pay; what is tested changes rarely

HEIGHT, WIDTH = 240, 400
SIDE, SHAPE = 160, (96, 160)
"""Tiles of 160x96 begin on multiples of 8 in such a frame, as the cells of the drawn detector do."""
NOBODY = np.empty((0, 4)), np.empty(0)


def seen(person, *, least=4):
    """What each tile shows of a person: boxes, scores, and what cuts them."""
    boxes, cuts = [], []
    for view in tile_views(HEIGHT, WIDTH, SIDE, SHAPE):
        edges = np.array([view.left, view.top, view.right, view.bottom])
        box = np.concatenate([np.maximum(person[:2], edges[:2]), np.minimum(person[2:], edges[2:])]).astype(float)
        if (box[2:] - box[:2] >= least).all():
            boxes.append(box)
            cuts.append(tiles._cut_by(view, box[None], width=WIDTH, height=HEIGHT)[0])
    return np.array(boxes), np.linspace(0.9, 0.6, len(boxes)), np.array(cuts)


def edges_of_tiles():
    views = tile_views(HEIGHT, WIDTH, SIDE, SHAPE)
    return sorted({v.left for v in views} | {v.right for v in views}), sorted(
        {v.top for v in views} | {v.bottom for v in views}
    )


def test_tiles_cover_the_frame_and_neighbours_share_a_quarter():
    views = tile_views(HEIGHT, WIDTH, SIDE, SHAPE)
    assert {(v.left, v.top) for v in views} == {(x, y) for x in (0, 120, 240) for y in (0, 72, 144)}
    assert all((v.right - v.left, v.bottom - v.top) == (160, 96) for v in views)
    assert tile_views(96, 160, SIDE, SHAPE) == []  # one tile would be the frame


@pytest.mark.parametrize("size", [(8, 20), (30, 20), (36, 22)])
def test_a_person_on_every_edge_and_corner_of_the_tiles_is_found_once(size):
    columns, rows = edges_of_tiles()
    for x in columns:
        for y in rows:
            for shift in (-1.0, -0.5, 0.0):
                left = np.clip(x + shift * size[0], 0, WIDTH - size[0])
                top = np.clip(y + shift * size[1], 0, HEIGHT - size[1])
                person = np.array([left, top, left + size[0], top + size[1]])
                boxes, scores = one_box_each(NOBODY, *seen(person))
                assert boxes.tolist() == [person.tolist()] and len(scores) == 1


@pytest.mark.parametrize("person", [(100, 10, 200, 60), (40, 50, 80, 160), (100, 50, 200, 160)])
def test_somebody_larger_than_the_overlap_is_put_together(person):
    boxes, _ = one_box_each(NOBODY, *seen(np.array(person)))
    assert boxes.tolist() == [list(person)]


@pytest.mark.parametrize("person", [(100, 10, 200, 60), (40, 50, 80, 160), (100, 50, 200, 160), (90, 5, 320, 235)])
def test_parts_of_somebody_whom_the_whole_frame_shows_are_nobody(person):
    of_frame = np.array([person], float), np.array([0.5])
    boxes, scores = one_box_each(of_frame, *seen(np.array(person)))
    assert boxes.tolist() == [list(person)] and scores.tolist() == [0.5]


def test_half_a_person_whose_other_half_nobody_shows_is_left_out():
    half = np.array([[120, 10, 128, 40]], float)  # begins where a tile begins; the tile before shows nobody there
    cut = np.array([[True, False, False, False]])
    assert len(one_box_each(NOBODY, half, np.array([0.9]), cut)[0]) == 0


def test_one_vague_box_of_the_whole_frame_gives_way_to_the_two_people_in_it():
    of_frame = np.array([[10, 10, 50, 60]], float), np.array([0.95])
    two = np.array([[8, 8, 28, 58], [30, 14, 52, 64]], float)
    boxes, _ = one_box_each(of_frame, two, np.array([0.8, 0.7]), np.zeros((2, 4), bool))
    assert boxes.tolist() == two.tolist()


def test_somebody_far_behind_a_near_person_stays_and_so_does_the_near_one():
    near, far = [10, 10, 90, 230], [60, 20, 70, 45]
    boxes, _ = one_box_each(
        (np.array([near], float), np.array([0.6])), np.array([far], float), np.array([0.8]), np.zeros((1, 4), bool)
    )
    assert sorted(boxes.tolist()) == sorted([near, far])


def detector_of(folder, *, settings="", **form):
    return load_detector(f"{onnx_files.yolox(folder / 'd.onnx', height=96, width=160, **form)},kind=yolox{settings}")


def test_tiles_find_whom_the_whole_frame_is_too_small_for_each_once(tmp_path):
    columns, rows = ([8 * (edge // 8) for edge in edges] for edges in edges_of_tiles())
    people = [(x, y, x + 8, y + 8) for x in columns[1:-1] for y in rows[1:-1]] + [(0, 0, 8, 8), (392, 232, 400, 240)]
    detector = detector_of(tmp_path)
    frame = draw_targets(people, height=HEIGHT, width=WIDTH)
    assert len(detector.find(frame, min_score=0.4)[0]) == 0
    boxes, scores = find_in_tiles(detector, frame, side=SIDE, min_score=0.4)
    assert sorted(tuple(map(round, box)) for box in boxes.tolist()) == sorted(people) and (scores > 0.9).all()


@pytest.mark.parametrize("form", [{"batch": "N"}, {"batch": "N", "baked": True}], ids=["takes batches", "only says so"])
def test_tiles_go_in_batches_where_the_graph_takes_them(tmp_path, form):
    frame = draw_targets([(16, 16, 24, 24), (200, 120, 208, 128)], height=HEIGHT, width=WIDTH)
    one_by_one = find_in_tiles(detector_of(tmp_path), frame, side=SIDE, min_score=0.4)
    together = find_in_tiles(detector_of(tmp_path, **form), frame, side=SIDE, min_score=0.4)
    assert together[0].tolist() == one_by_one[0].tolist() and len(together[0]) == 2


def test_memory_does_not_grow_with_the_number_of_tiles(tmp_path):
    taken = []

    def pictures():
        for number in range(1000):
            taken.append(number)
            yield np.zeros((96, 160, 3), np.uint8)

    next(detector_of(tmp_path, batch="N").find_each(pictures(), min_score=0.4))
    assert len(taken) * 3 * 96 * 160 * 4 <= 17 * 2**20


@pytest.mark.parametrize(
    ("person_px", "side"),
    [(10, 208), (20, 208), (40, 416), (70, 728), (99, None), (200, None)],
    ids=["enlarged twice at most", "enlarged twice", "as filmed", "made smaller", "large enough", "large"],
)
def test_the_side_of_tiles_follows_from_the_height_of_people(person_px, side):
    assert side_for(float(person_px), 720, 1280, (416, 416)) == side


def test_a_frame_has_at_most_so_many_tiles():
    side = side_for(20.0, 2160, 3840, (416, 416))
    assert side > 208 and len(tile_views(2160, 3840, side, (416, 416))) <= tiles.MAX_TILES


def film(folder, people, *, height=HEIGHT, width=WIDTH):
    picture = draw_targets(people, height=height, width=width)
    return write_film(folder / "film.mov", [picture] * 8, rate=1)


def tiling(path, detector):
    return tiling_of(path, probe(path), detector, limits=DEFAULT_LIMITS)


PEOPLE = [(24, 24, 32, 32), (160, 120, 168, 128), (320, 200, 328, 208)]


def test_how_high_people_are_is_measured_on_a_few_frames(tmp_path):
    detector = detector_of(tmp_path, box_cells=(1, 5))
    chosen = tiling(film(tmp_path, PEOPLE), detector)
    assert chosen.side == 160
    assert "9 tiles of 160 pixels beside each frame, since people are 40 pixels high" in chosen.because


def test_a_small_frame_is_searched_whole_and_costs_no_measuring(tmp_path):
    chosen = tiling(film(tmp_path, PEOPLE[:1], height=144, width=256), detector_of(tmp_path))
    assert chosen.side is None and "nearly as filmed" in chosen.because


def test_where_hardly_anybody_is_seen_frames_are_searched_whole_and_the_report_says_so(tmp_path):
    chosen = tiling(film(tmp_path, []), detector_of(tmp_path))
    assert chosen.side is None and "hardly anybody was seen in 8 frames" in chosen.because


def test_a_told_side_is_taken_and_none_is_none(tmp_path):
    path = film(tmp_path, PEOPLE)
    assert tiling(path, detector_of(tmp_path, settings=",tiles=200")).side == 200
    assert tiling(path, detector_of(tmp_path, settings=",tiles=none")).side is None
    assert tiling(path, detector_of(tmp_path, settings=",tiles=4000")).side is None  # one tile holds the frame


def test_people_who_are_hardly_seen_as_filmed_are_measured_in_enlarged_tiles(tmp_path):
    small = [(24, 24, 28, 28), (160, 120, 164, 124), (320, 200, 324, 204)]  # a cell only when twice as large
    chosen = tiling(film(tmp_path, small), detector_of(tmp_path, box_cells=(1, 5)))
    assert chosen.side == 80 and "since people are 20 pixels high" in chosen.because
