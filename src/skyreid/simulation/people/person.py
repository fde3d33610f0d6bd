"""Who walks by: one identity's lasting look, drawn from what people wear, mostly dark and muted."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeVar

import numpy as np

from skyreid.simulation.people.skeleton import Stride
from skyreid.simulation.rendering.paint import Colour, Paint, Pattern, from_srgb


class Hair(Enum):
    BALD = auto()
    SHORT = auto()
    BOB = auto()
    LONG = auto()
    PONYTAIL = auto()
    BUN = auto()


class Hat(Enum):
    NONE = auto()
    CAP = auto()
    BEANIE = auto()
    SUNHAT = auto()


class Upper(Enum):
    TSHIRT = auto()
    JUMPER = auto()
    JACKET = auto()
    COAT = auto()


class Lower(Enum):
    TROUSERS = auto()
    SHORTS = auto()
    SKIRT = auto()
    LONG_SKIRT = auto()


class Bag(Enum):
    NONE = auto()
    BACKPACK = auto()
    SHOULDER = auto()
    TOTE = auto()


@dataclass(frozen=True, kw_only=True)
class Clothes:
    """What look-alikes share."""

    upper: Upper
    upper_paint: Paint
    sleeve_paint: Paint
    lower: Lower
    lower_paint: Paint


@dataclass(frozen=True, kw_only=True)
class Person:
    """One identity: everything about a look that lasts through the day."""

    height_m: float
    girth: float
    """Thickness of trunk and limbs; 1 is average, as for the two widths."""
    shoulders: float
    hips: float
    stride: Stride
    skin: Colour
    hair: Hair
    hair_colour: Colour
    clothes: Clothes
    shoes: Colour
    hat: Hat
    hat_colour: Colour
    bag: Bag
    bag_colour: Colour
    bag_side: int
    """`LEFT` or `RIGHT`, for a bag that hangs on one side."""


T = TypeVar("T")
Choices = tuple[tuple[T, float | int], ...]
"""Values with their weights."""

_TOPS: Choices[int] = (
    (0x1C1D20, 4), (0x2B2E33, 3), (0x4A4D52, 3), (0x7E8286, 3), (0xB4B6B6, 2.5), (0xE2E0DA, 4),
    (0x1F2A44, 4), (0x2E4468, 3), (0x5E7FA3, 3), (0x9DB4C9, 2.5), (0x7A2A2E, 2.5), (0xA8353A, 2.5),
    (0xB9603A, 2), (0xC9A24B, 2), (0xD9C9A3, 3), (0x8A6B4A, 2.5), (0x55583A, 3), (0x3F5A45, 2.5),
    (0x2E6A66, 2), (0x7FA08A, 2), (0xC98F93, 2.5), (0x6A4A6E, 2), (0xA99BB8, 2),
)  # fmt: skip
_TROUSERS: Choices[int] = (
    (0x1B1C1F, 4), (0x2D3036, 3), (0x55585C, 2.5), (0x8A8C8C, 2), (0x1E2B45, 4), (0x34496B, 4),
    (0x5C7899, 3), (0x93A8BC, 2), (0xB7A583, 3), (0xD6CFC0, 2.5), (0x5B4635, 2.5), (0x54573C, 2.5),
    (0x6E2B31, 1.5),
)  # fmt: skip
_SKIRTS: Choices[int] = (
    (0x1D1E21, 3), (0x2A3350, 3), (0x7A2E36, 2), (0xB89A5E, 2), (0xD8D2C6, 3), (0x5C6B4A, 2),
    (0xB9787F, 2), (0x6A88A6, 2), (0x6D4C41, 2),
)  # fmt: skip
_DARK: Choices[int] = ((0x1B1C1F, 4), (0x2B2E33, 3), (0x4A4D52, 2), (0x1F2A44, 3))
_SHOES: Choices[int] = (
    (0x17171A, 8), (0xD9D7D2, 6), (0x5A3E2B, 4), (0x6C6F73, 2), (0x8E2F33, 1), (0x2A3C66, 1),
)  # fmt: skip
_BAGS: Choices[int] = (
    (0x1A1B1E, 5), (0x33373D, 3), (0x233254, 3), (0x6B4A30, 3), (0x8E2B2E, 2), (0x4F5A3C, 2),
    (0xC2A878, 2), (0x7B7F84, 2), (0x2F6B73, 1), (0xC07A3A, 1),
)  # fmt: skip
_HATS: Choices[int] = (
    (0x1B1C1F, 4), (0x1F2D4D, 3), (0xDAD4C4, 4), (0x8C2C30, 2), (0x6F7377, 2), (0xB79A62, 2), (0x4B5B3C, 1),
)  # fmt: skip
_SKINS: Choices[int] = (
    (0xF0CDB4, 3), (0xE3B592, 4), (0xC98F68, 3), (0x9C6A48, 2), (0x6E4630, 2), (0x48301F, 1),
)  # fmt: skip
_HAIRS: Choices[int] = (
    (0x15120F, 8), (0x2E2018, 7), (0x4A3324, 5), (0x7A5A38, 3), (0xB08D57, 2), (0x8B8A88, 2), (0x6B2E1A, 1),
)  # fmt: skip
_UPPERS: Choices[Upper] = ((Upper.TSHIRT, 5), (Upper.JUMPER, 5), (Upper.JACKET, 4), (Upper.COAT, 1.6))
_PATTERNS: dict[Upper, Choices[Pattern]] = {
    Upper.TSHIRT: (
        (Pattern.PLAIN, 5), (Pattern.STRIPES, 2), (Pattern.PRINT, 2), (Pattern.YOKE, 1), (Pattern.CHECKS, 1),
    ),
    Upper.JUMPER: ((Pattern.PLAIN, 6), (Pattern.STRIPES, 2), (Pattern.YOKE, 2), (Pattern.CHECKS, 1)),
    Upper.JACKET: ((Pattern.PLAIN, 4), (Pattern.OPEN_FRONT, 5), (Pattern.YOKE, 2)),
    Upper.COAT: ((Pattern.PLAIN, 5), (Pattern.OPEN_FRONT, 2)),
}  # fmt: skip
_HATS_WORN: Choices[Hat] = ((Hat.NONE, 13), (Hat.CAP, 3), (Hat.BEANIE, 1.5), (Hat.SUNHAT, 2))
_BAGS_CARRIED: Choices[Bag] = ((Bag.NONE, 6), (Bag.BACKPACK, 5), (Bag.SHOULDER, 3), (Bag.TOTE, 2))
_FOLD = 0.13
_SKIRT_WEARERS = 0.30
"""Their share; the same people have other chances of hair styles and proportions."""


def draw_clothes(rng: np.random.Generator, *, dark: float = 0.0) -> Clothes:
    """Random clothes.

    Args:
        rng: the same state gives the same clothes.
        dark: share of garments that are black, grey or navy whatever the usual palette says.
    """
    wears_skirt = bool(rng.random() < _SKIRT_WEARERS)
    upper = _pick(rng, _UPPERS)
    main, pattern = _garment(rng, _TOPS, dark), _pick(rng, _PATTERNS[upper])
    accent = _contrasting(rng, main)
    upper_paint = Paint(main, accent, pattern, fold=_FOLD)
    has_other_sleeves = rng.random() < 0.18 and upper in (Upper.TSHIRT, Upper.JUMPER)
    goes_round = pattern in (Pattern.STRIPES, Pattern.CHECKS)
    sleeve_paint = upper_paint if goes_round else Paint(accent if has_other_sleeves else main, fold=_FOLD)
    kinds = ((Lower.SKIRT, 5), (Lower.LONG_SKIRT, 3)) if wears_skirt else ((Lower.TROUSERS, 8), (Lower.SHORTS, 2))
    lower, lower_colour = _pick(rng, kinds), _garment(rng, _SKIRTS if wears_skirt else _TROUSERS, dark)
    is_dress = rng.random() < 0.3 and wears_skirt and upper in (Upper.TSHIRT, Upper.JUMPER)
    return Clothes(
        upper=upper,
        upper_paint=upper_paint,
        sleeve_paint=sleeve_paint,
        lower=lower,
        lower_paint=Paint(main if is_dress else lower_colour, fold=_FOLD),
    )


def draw_person(rng: np.random.Generator, clothes: Clothes) -> Person:
    """A random person in these clothes; the same generator state gives the same one."""
    if clothes.lower in (Lower.SKIRT, Lower.LONG_SKIRT):
        hair = _pick(rng, ((Hair.BOB, 3), (Hair.LONG, 4), (Hair.PONYTAIL, 3), (Hair.BUN, 2), (Hair.SHORT, 1)))
        height_m, shoulders, hips = 1.66, 0.93, 1.05
    else:
        hair = _pick(rng, ((Hair.SHORT, 9), (Hair.BALD, 1.5), (Hair.BOB, 2), (Hair.LONG, 2), (Hair.PONYTAIL, 2)))
        height_m, shoulders, hips = 1.74, 1.02, 0.99
    return Person(
        height_m=_near(rng, height_m, 0.08, 1.48, 1.95),
        girth=_near(rng, 1.0, 0.10, 0.82, 1.28),
        shoulders=_near(rng, shoulders, 0.05, 0.82, 1.15),
        hips=_near(rng, hips, 0.05, 0.88, 1.20),
        stride=Stride(
            swing_rad=_near(rng, 0.36, 0.05, 0.22, 0.46),
            arm_swing_rad=_near(rng, 0.30, 0.09, 0.08, 0.50),
            cadence_hz=_near(rng, 0.92, 0.08, 0.70, 1.15),
            lean_rad=_near(rng, 0.05, 0.025, 0.0, 0.12),
        ),
        skin=from_srgb(_pick(rng, _SKINS)),
        hair=hair,
        hair_colour=from_srgb(_pick(rng, _HAIRS)),
        clothes=clothes,
        shoes=from_srgb(_pick(rng, _SHOES)),
        hat=_pick(rng, _HATS_WORN),
        hat_colour=_cloth(rng, _HATS),
        bag=_pick(rng, _BAGS_CARRIED),
        bag_colour=_cloth(rng, _BAGS),
        bag_side=int(rng.integers(2)),
    )


def _pick(rng: np.random.Generator, choices: Choices[T]) -> T:
    weights = np.cumsum([weight for _, weight in choices])
    return choices[int(np.searchsorted(weights, rng.random() * weights[-1], side="right"))][0]


def _near(rng: np.random.Generator, mean: float, deviation: float, low: float, high: float) -> float:
    return float(np.clip(rng.normal(mean, deviation), low, high))


def _cloth(rng: np.random.Generator, choices: Choices[int]) -> Colour:
    """A colour of a palette as one dye and many washes make it."""
    colour = np.array(from_srgb(_pick(rng, choices)))
    faded = colour + 0.15 * (colour.mean() - colour)
    red, green, blue = np.clip(faded * np.exp(rng.normal(0.0, 0.07, 3) + rng.normal(0.0, 0.16)), 0.008, 0.80)
    return float(red), float(green), float(blue)


def _garment(rng: np.random.Generator, palette: Choices[int], dark: float) -> Colour:
    return _cloth(rng, _DARK if rng.random() < dark else palette)


def _contrasting(rng: np.random.Generator, main: Colour) -> Colour:
    """A second colour at least about twice as bright as the main one, or half."""
    while True:
        colour = _cloth(rng, _TOPS)
        if not 0.45 < sum(colour) / sum(main) < 2.2:
            return colour
