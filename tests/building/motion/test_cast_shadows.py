import numpy as np
import pytest

from skyreid.building.motion.cast_shadows import CastShadows
from tests.building.motion.flights import ground

PERSON, SHADOW = np.s_[40:60, 30:40], np.s_[55:65, 40:75]
GROUND = ground()[:120, :160]


def picture(shadow_ratio):
    """Somebody in red, and the shadow that is cast, a little bluish."""
    seen = GROUND.copy()
    seen[PERSON] = (200, 30, 30)
    seen[SHADOW] = GROUND[SHADOW] * (shadow_ratio * np.array([0.98, 1.0, 1.02]))
    differs = (np.abs(seen.astype(int) - GROUND) > 0).any(axis=2)
    return seen, differs


@pytest.mark.parametrize("ratio", [0.5, 0.65, 0.8])
def test_shadows_are_found_and_people_stay(ratio):
    seen, differs = picture(ratio)
    shadow = CastShadows().find(seen, GROUND, differs)
    assert shadow[SHADOW].mean() > 0.95
    assert not shadow[PERSON].any() and not shadow[~differs].any()


def test_dark_clothes_are_no_shadow_while_the_shadows_are_lighter():
    seen, differs = picture(0.75)
    seen[PERSON] = GROUND[PERSON] * 0.5
    shadow = CastShadows().find(seen, GROUND, differs)
    assert shadow[SHADOW].mean() > 0.95 and shadow[PERSON].mean() < 0.05


def test_without_sun_nothing_is_a_shadow():
    seen, differs = picture(1.0)
    seen[PERSON][:5] = GROUND[PERSON][:5] * 0.7  # grey trousers
    assert not CastShadows().find(seen, GROUND, differs).any()


def test_how_dark_shadows_are_is_learned_over_the_frames():
    shadows = CastShadows()
    for _ in range(5):
        shadows.find(*_with(picture(0.8)))
    darker, differs = picture(0.55)
    assert not shadows.find(darker, GROUND, differs)[SHADOW].any()


def test_where_nothing_differs_there_is_no_shadow():
    assert not CastShadows().find(GROUND, GROUND, np.zeros(GROUND.shape[:2], bool)).any()


def _with(seen_and_differs):
    seen, differs = seen_and_differs
    return seen, GROUND, differs
