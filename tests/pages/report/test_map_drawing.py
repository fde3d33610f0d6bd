import re
from dataclasses import replace

import numpy as np

from skyreid.evaluation.embedding_map import EmbeddingMap
from skyreid.pages.report.map_drawing import map_section, map_svg
from tests.pages.report.reading import drawing, words
from tests.pages.report.small_world import HOSTILE

MAP = EmbeddingMap(
    points=np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 2.0], [1.0, 1.0], [3.0, 2.0]]),
    pids=np.array([7, 7, 8, 9, 9]),
    platforms=np.array([0, 1, 0, 0, 1]),
    tracklet_ids=np.array(["a", "b", "c", "d", HOSTILE]),
    is_query=np.array([True, False, True, False, False]),
    is_failure=np.array([True, False, False, False, False]),
    shown_pids=(9,),
    num_tracklets=5,
    method="by hand",
)


def people(svg):
    return {group.get("class"): group for group in svg.iter("g")}


def test_platforms_are_shapes_and_failures_are_marked():
    svg = drawing(map_svg(MAP))
    marks = {title.text: mark for mark in svg.iter() for title in mark.findall("title")}
    assert {text: (mark.tag, mark.get("class")) for text, mark in marks.items()} == {
        "person 7, ground, a": ("circle", "ground failure"),
        "person 7, aerial, b": ("path", "aerial"),
        "person 8, ground, c": ("circle", "ground"),
        "person 9, ground, d": ("circle", "ground"),
        f"person 9, aerial, {HOSTILE}": ("path", "aerial"),
    }


def test_a_person_seen_from_both_platforms_is_joined_and_nobody_else():
    svg = drawing(map_svg(MAP))
    groups = [group for group in svg.iter("g") if group.get("class") == "person"]
    joins = [[path.get("d") for path in group.iter("path") if path.get("class") == "join"] for group in groups]
    assert [len(join) for join in joins] == [1, 0]  # 7 and 8
    circle = next(groups[0].iter("circle"))
    assert f"L{circle.get('cx')} {circle.get('cy')}" in joins[0][0]


def test_the_map_keeps_its_shape_and_stays_inside_the_drawing():
    circles = {
        title.text[-1]: (float(circle.get("cx", "nan")), float(circle.get("cy", "nan")))
        for circle in drawing(map_svg(MAP)).iter("circle")
        for title in circle.iter("title")
        if title.text
    }
    (a_x, a_y), (c_x, c_y), (d_x, d_y) = (circles[name] for name in "acd")
    assert (c_x - a_x) / (c_y - a_y) == 2
    assert (d_x - a_x) / (d_y - a_y) == 1
    assert all(0 < x < 640 and 0 < y < 480 for x, y in circles.values())


def test_people_can_be_chosen_without_a_script():
    section = map_section(MAP)
    assert section is not None
    html = section.html()
    assert re.findall(r'name="person" value="(\w+)"', html) == ["all", "p0"]
    assert 'class="person shown p0"' in html
    assert "All 5 tracklets laid out" in words(html)
    assert "(by hand;" in words(html)


def test_a_sample_is_called_a_sample():
    section = map_section(replace(MAP, num_tracklets=18_204))
    assert section is not None
    assert "5 of 18,204 tracklets, whole people, laid out" in words(section.html())


def test_the_map_says_what_its_axes_and_its_rings_mean():
    section = map_section(MAP)
    assert section is not None
    assert "no units" in words(section.html())
    assert (
        "A ring marks a query that found somebody else first: 1 of the 2 drawn here (50%). The other tracklets did "
        "not ask and have no ring."
    ) in words(section.html())


def test_points_that_all_coincide_are_drawn():
    assert "nan" not in map_svg(replace(MAP, points=np.zeros((5, 2))))


def test_without_a_map_there_is_no_section():
    assert map_section(None) is None
