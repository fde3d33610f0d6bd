"""Truth from exact geometry against the drawn picture."""

import dataclasses
import math

import numpy as np
import pytest

from skyreid.simulation.filming import identity
from skyreid.simulation.people.body import body, size
from skyreid.simulation.people.person import Hair, Hat
from skyreid.simulation.rendering.camera import Window, look_at
from skyreid.simulation.rendering.capsules import place
from skyreid.simulation.rendering.light import Light
from skyreid.simulation.rendering.materials import Surface
from skyreid.simulation.rendering.ray_caster import draw
from skyreid.simulation.rendering.surroundings import Surroundings
from skyreid.simulation.sessions.session import Actor
from skyreid.simulation.sessions.shooting import see

PLAIN = Surface(colour=(0.3, 0.3, 0.3), patch=(0.3, 0.3, 0.3), patch_m=1.0, grain=0.0, seed=1)
EMPTY = Surroundings(ground=PLAIN)
SUNNY = Light(sun_azimuth_rad=2.0, sun_elevation_rad=0.9, sun=(0.9, 0.8, 0.7), sky=(0.3, 0.35, 0.4))
FRAME = Window(left=-100, top=-60, width=200, height=120)
GROUND = look_at(np.array([-14.0, 0.0, 2.0]), np.array([0.0, 0.0, 0.9]), focal_px=700.0)
ABOVE = look_at(np.array([-10.0, 0.0, 17.0]), np.array([0.0, 0.0, 0.9]), focal_px=700.0)
SAMPLES = 3
BARE = dataclasses.replace(identity(0, 5), hair=Hair.SHORT, hat=Hat.NONE)


def actor(pid, x, y, heading_rad=math.pi, person=BARE):
    """Somebody who looks at the ground camera."""
    capsules = place(body(person, 0.1), scale=size(person), x=x, y=y, heading_rad=heading_rad)
    return Actor(pid=pid, person=person, capsules=capsules, heading_rad=heading_rad)


def seen(camera, *actors):
    bodies = [one.capsules for one in actors]
    picture = draw(camera, FRAME, bodies, EMPTY, SUNNY, samples=SAMPLES)
    wide = FRAME.padded(100)
    rays = draw(camera, wide, bodies, EMPTY, SUNNY, samples=SAMPLES).alone
    people = see(camera, actors, rays.tolist(), picture, FRAME, SAMPLES)
    return {person.pid: person for person in people}, picture


def extent(hit):
    """xyxy in pixels of the rays that hit."""
    rows, columns = np.flatnonzero(hit.any(axis=1)), np.flatnonzero(hit.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / SAMPLES


@pytest.mark.parametrize("camera", [GROUND, ABOVE])
@pytest.mark.parametrize("number", range(6))
def test_boxes_hold_what_was_drawn_and_little_more(camera, number):
    person = identity(1, number)
    people, picture = seen(camera, actor(3, 0.0, 0.0, heading_rad=float(number), person=person))
    box = np.array(people[3].box)
    assert np.abs(box - extent(picture.body == 0)).max() < 1.2
    assert people[3].visible == 1.0


@pytest.mark.parametrize("camera", [GROUND, ABOVE])
def test_the_head_box_holds_the_skull_and_lies_in_the_upper_part(camera):
    one = actor(3, 0.0, 0.0)
    people, picture = seen(camera, one)
    head, box = people[3].head, people[3].box
    drawn = extent((picture.part >= one.on_head()[0]) & (picture.part <= one.on_head()[-1]))
    assert np.abs(np.array(head) - drawn).max() < 1.0
    assert head[3] - head[1] < 0.4 * (box[3] - box[1])


def test_hair_below_the_chin_is_not_the_head():
    styled = (dataclasses.replace(BARE, hair=hair) for hair in (Hair.BOB, Hair.LONG))
    bob, long = (seen(GROUND, actor(1, 0.0, 0.0, 0.0, person=person))[0][1].head for person in styled)
    assert long == pytest.approx(bob, abs=1.0)


def test_who_stands_behind_another_shows_less():
    people, picture = seen(GROUND, actor(1, 0.0, 0.0), actor(2, -2.0, 0.1), actor(3, 0.0, 1.5))
    assert min(people[2].visible, people[3].visible) > 0.99
    alone = (seen(GROUND, actor(1, 0.0, 0.0))[1].body == 0).sum()
    assert people[1].visible == pytest.approx((picture.body == 0).sum() / alone, abs=1e-3)
    assert people[1].visible < 0.6


def test_what_lies_outside_the_picture_counts_as_not_visible():
    people, _ = seen(GROUND, actor(1, 0.0, -2.0), actor(2, 0.0, 30.0))
    assert set(people) == {1}
    assert people[1].box[2] > FRAME.width
    assert 0.2 < people[1].visible < 0.8


def test_a_face_turned_to_the_camera_is_there_whole():
    face = seen(GROUND, actor(1, 0.0, 0.0))[0][1].face
    assert face.facing == pytest.approx(1.0, abs=0.01)
    assert face.visible > 0.9
    # About 15 cm x 15 cm at 14 m.
    assert 6 < face.box[2] - face.box[0] < 9
    assert 6 < face.box[3] - face.box[1] < 9


@pytest.mark.parametrize("turned", [0.0, 0.7, -1.2, 1.5])
def test_a_face_turned_away_is_none_and_a_turned_one_faces_less(turned):
    people, _ = seen(GROUND, actor(1, 0.0, 0.0, heading_rad=turned), actor(2, 0.0, 1.0, heading_rad=math.pi + turned))
    assert people[1].face is None
    assert people[2].face.facing == pytest.approx(math.cos(turned), abs=0.09)


def test_the_drone_sees_a_face_at_an_angle():
    face = seen(ABOVE, actor(1, 0.0, 0.0))[0][1].face
    assert face.facing == pytest.approx(math.cos(math.atan2(15.4, 10.0)), abs=0.03)


def test_a_peak_and_a_passer_by_hide_a_face():
    capped = dataclasses.replace(BARE, hat=Hat.CAP)
    bare, under_cap = (seen(ABOVE, actor(1, 0.0, 0.0, person=person))[0][1].face for person in (BARE, capped))
    assert under_cap.visible < bare.visible - 0.2
    people, _ = seen(GROUND, actor(1, 0.0, 0.0), actor(2, -2.0, 0.0))
    assert people[1].face.visible < 0.1


def test_a_face_outside_the_picture_is_not_visible():
    people, _ = seen(look_at(GROUND.position, np.array([0.0, 0.0, -0.6]), focal_px=700.0), actor(1, 0.0, 0.0))
    assert people[1].box[1] < 0
    assert people[1].face.visible == 0
