"""Bodies: size, and clothes that cover what they should."""

import dataclasses
import math

import numpy as np
import pytest

from skyreid.simulation.people.body import body, size
from skyreid.simulation.people.person import Bag, Hair, Hat, Lower, Person, Upper, draw_clothes, draw_person
from skyreid.simulation.rendering.capsules import Capsule, parallel_boxes, place
from tests.simulation.rendering.slow_shapes import depth_inside

SKIN, SHOES = (0.777, 0.1, 0.1), (0.1, 0.777, 0.1)


WORN = ("upper", "upper_paint", "sleeve_paint", "lower", "lower_paint")


def someone(seed: int, **look: object) -> Person:
    rng = np.random.default_rng(seed)
    clothes = dataclasses.replace(draw_clothes(rng), **{name: look.pop(name) for name in WORN if name in look})
    return dataclasses.replace(draw_person(rng, clothes), **look)


def highest(parts: list[Capsule], scale: float = 1.0) -> float:
    across = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    return float(parallel_boxes(place(parts, scale=scale), across)[:, 3].max())


@pytest.mark.parametrize("height_m", [1.5, 1.75, 1.95])
def test_a_bald_person_is_about_as_tall_as_the_height_says(height_m):
    person = someone(1, height_m=height_m, hair=Hair.BALD, hat=Hat.NONE)
    heights = [highest(body(person, phase), size(person)) for phase in np.arange(0, 1, 0.2)]
    # A walking person is a little lower than one who stands straight.
    assert max(heights) == pytest.approx(height_m, rel=0.015)
    assert min(heights) > 0.93 * height_m


@pytest.mark.parametrize(("hair", "hat"), [*((hair, Hat.NONE) for hair in Hair), *((Hair.SHORT, hat) for hat in Hat)])
def test_every_hair_and_hat_stays_on_the_head(hair, hat):
    bald = someone(2, hair=Hair.BALD, hat=Hat.NONE, bag=Bag.NONE)
    bare = body(bald, 0.2)
    parts = body(dataclasses.replace(bald, hair=hair, hat=hat), 0.2)
    added = parts[len(bare) :]
    assert (len(added) == 0) == (hair is Hair.BALD and hat is Hat.NONE)
    assert all(abs(part.start[1]) < 0.1 and part.start[2] > 1.2 for part in added)
    assert highest(parts) < highest(bare) + 0.12


@pytest.mark.parametrize("bag", [Bag.BACKPACK, Bag.SHOULDER, Bag.TOTE])
def test_a_bag_hangs_where_it_is_carried(bag):
    for side, sign in ((0, 1), (1, -1)):
        person = someone(3, bag=Bag.NONE, bag_side=side)
        bare = body(person, 0.1)
        pouch = body(dataclasses.replace(person, bag=bag), 0.1)[len(bare)]
        if bag is Bag.BACKPACK:
            assert pouch.start[0] < -0.1
            assert pouch.start[1] == 0
        else:
            assert sign * pouch.start[1] > 0.1


def points_on(part: Capsule) -> np.ndarray:
    """Points round a part that is not flattened, from its first centre to its last."""
    start, end = np.array(part.start), np.array(part.end)
    axis = (end - start) / np.linalg.norm(end - start)
    side = np.cross(axis, [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side)
    share, around = np.meshgrid(np.linspace(0, 1, 8), np.linspace(0, 2 * math.pi, 16, endpoint=False))
    radius = part.start_radius + share * (part.end_radius - part.start_radius)
    middle = start + share[..., None] * (end - start)
    out = np.cos(around)[..., None] * side + np.sin(around)[..., None] * np.cross(axis, side)
    return (middle + radius[..., None] * out).reshape(-1, 3)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("lower", [Lower.SKIRT, Lower.LONG_SKIRT])
def test_no_leg_pokes_through_a_skirt(lower, seed):
    person = someone(seed, lower=lower, upper=Upper.JUMPER, skin=SKIN, bag=Bag.NONE, girth=0.82 + 0.2 * seed)
    for phase in np.arange(0, 1, 0.17):
        parts = body(person, phase)
        cloth = [part for part in parts if part.paint is person.clothes.lower_paint]
        skirt = [part for part in cloth if part.cut_height > 0.1]
        legs = [part for part in parts if part.paint.colour == SKIN and part.end[2] < 0.67]
        assert len(skirt) == 6
        points = np.concatenate([points_on(part) for part in legs])
        points = points[points[:, 2] > skirt[0].cut_height + 0.005]
        assert len(points) > 50
        assert np.max([depth_inside(part, points) for part in cloth], axis=0).min() > 0


@pytest.mark.parametrize("phase", [0.0, 0.3, 0.55, 0.8])
def test_a_coat_covers_trousers_down_to_its_hem(phase):
    person = someone(5, lower=Lower.TROUSERS, upper=Upper.COAT, shoes=SHOES, bag=Bag.NONE)
    parts = body(person, phase)
    coat = [part for part in parts if part.paint is person.clothes.upper_paint]
    hem = max(part.cut_height for part in coat if part.cut_height < 0.7)
    legs = [part for part in parts if part.paint is person.clothes.lower_paint and part.flatness == 1.0]
    points = np.concatenate([points_on(part) for part in legs])
    points = points[points[:, 2] > hem + 0.005]
    assert np.max([depth_inside(part, points) for part in coat], axis=0).min() > 0


def test_a_short_sleeve_leaves_the_forearm_bare_and_a_long_one_does_not():
    def bare_parts(upper: Upper) -> int:
        person = someone(6, upper=upper, lower=Lower.TROUSERS, skin=SKIN)
        return sum(part.paint.colour == SKIN for part in body(person, 0.0))

    # Neck, head, nose and two hands; short sleeves show two upper and two lower arms as well.
    assert bare_parts(Upper.JUMPER) == 5
    assert bare_parts(Upper.TSHIRT) == 9
