"""Who walks by: a random person with the clothes that people wear, mostly dark and muted."""

from typing import TypeVar

import numpy as np

from skyreid.simulation.paint import Colour, Paint, Pattern, from_srgb
from skyreid.simulation.people import Bag, Hair, Hat, Lower, Person, Upper
from skyreid.simulation.skeleton import Stride

T = TypeVar("T")
Choice = tuple[tuple[int, float], ...]
"""sRGB codes with their weights."""

_TOPS: Choice = (
    (0x1C1D20, 9), (0x2B2E33, 5), (0x4A4D52, 4), (0x7E8286, 4), (0xB4B6B6, 3), (0xE2E0DA, 8),
    (0x1F2A44, 6), (0x2E4468, 4), (0x5E7FA3, 4), (0x9DB4C9, 3), (0x7A2A2E, 3), (0xA8353A, 3),
    (0xB9603A, 2), (0xC9A24B, 2), (0xD9C9A3, 4), (0x8A6B4A, 3), (0x55583A, 4), (0x3F5A45, 3),
    (0x2E6A66, 2), (0x7FA08A, 2), (0xC98F93, 3), (0x6A4A6E, 2), (0xA99BB8, 2),
)  # fmt: skip
_BOTTOMS: Choice = (
    (0x1B1C1F, 10), (0x2D3036, 5), (0x55585C, 3), (0x8A8C8C, 2), (0x1E2B45, 7), (0x34496B, 7),
    (0x5C7899, 5), (0x93A8BC, 2), (0xB7A583, 5), (0xD6CFC0, 3), (0x5B4635, 3), (0x54573C, 3), (0x6E2B31, 1),
)  # fmt: skip
_SKIRTS: Choice = (
    (0x1D1E21, 5), (0x2A3350, 4), (0x7A2E36, 3), (0xB89A5E, 2), (0xD8D2C6, 4), (0x5C6B4A, 2),
    (0xB9787F, 3), (0x6A88A6, 3), (0x6D4C41, 2),
)  # fmt: skip
_SHOES: Choice = ((0x17171A, 8), (0xD9D7D2, 6), (0x5A3E2B, 4), (0x6C6F73, 2), (0x8E2F33, 1), (0x2A3C66, 1))
_BAGS: Choice = (
    (0x1A1B1E, 8), (0x33373D, 3), (0x233254, 3), (0x6B4A30, 4), (0x8E2B2E, 2), (0x4F5A3C, 2),
    (0xC2A878, 2), (0x7B7F84, 2), (0x2F6B73, 1), (0xC07A3A, 1),
)  # fmt: skip
_HATS: Choice = (
    (0x1B1C1F, 5),
    (0x1F2D4D, 3),
    (0xDAD4C4, 4),
    (0x8C2C30, 2),
    (0x6F7377, 2),
    (0xB79A62, 2),
    (0x4B5B3C, 1),
)
_SKIN: Choice = ((0xF0CDB4, 3), (0xE3B592, 4), (0xC98F68, 3), (0x9C6A48, 2), (0x6E4630, 2), (0x48301F, 1))
_HAIR: Choice = (
    (0x15120F, 8),
    (0x2E2018, 7),
    (0x4A3324, 5),
    (0x7A5A38, 3),
    (0xB08D57, 2),
    (0x8B8A88, 2),
    (0x6B2E1A, 1),
)


def draw_person(rng: np.random.Generator) -> Person:
    """A random person; the same generator state gives the same one."""
    is_dressy = bool(rng.random() < 0.30)
    upper = _pick(rng, ((Upper.TSHIRT, 5), (Upper.JUMPER, 5), (Upper.JACKET, 4), (Upper.COAT, 1.6)))
    lower = (
        _pick(rng, ((Lower.SKIRT, 5), (Lower.LONG_SKIRT, 3)))
        if is_dressy
        else _pick(rng, ((Lower.TROUSERS, 8), (Lower.SHORTS, 2)))
    )
    main = _cloth(rng, _TOPS)
    patterns = {
        Upper.TSHIRT: (
            (Pattern.PLAIN, 5),
            (Pattern.STRIPES, 2),
            (Pattern.PRINT, 2),
            (Pattern.YOKE, 1),
            (Pattern.CHECKS, 1),
        ),
        Upper.JUMPER: ((Pattern.PLAIN, 6), (Pattern.STRIPES, 2), (Pattern.YOKE, 2), (Pattern.CHECKS, 1)),
        Upper.JACKET: ((Pattern.PLAIN, 4), (Pattern.OPEN_FRONT, 5), (Pattern.YOKE, 2)),
        Upper.COAT: ((Pattern.PLAIN, 5), (Pattern.OPEN_FRONT, 2)),
    }[upper]
    pattern = _pick(rng, patterns)
    upper_paint = Paint(main, _contrasting(rng, main), pattern, fold=0.13)
    sleeve_is_accent = pattern in (Pattern.YOKE, Pattern.PLAIN) and upper in (Upper.TSHIRT, Upper.JUMPER)
    sleeve = Paint(main, fold=0.13)
    if pattern in (Pattern.STRIPES, Pattern.CHECKS):
        sleeve = upper_paint
    elif sleeve_is_accent and rng.random() < 0.18:
        sleeve = Paint(upper_paint.accent, fold=0.13)
    is_dress = is_dressy and upper in (Upper.TSHIRT, Upper.JUMPER) and rng.random() < 0.35
    lower_colour = main if is_dress else _cloth(rng, _SKIRTS if is_dressy else _BOTTOMS)
    hair_styles = (
        ((Hair.BOB, 3), (Hair.LONG, 4), (Hair.PONYTAIL, 3), (Hair.BUN, 2), (Hair.SHORT, 1))
        if is_dressy
        else ((Hair.SHORT, 9), (Hair.BALD, 1.5), (Hair.BOB, 2), (Hair.LONG, 2), (Hair.PONYTAIL, 2), (Hair.BUN, 1))
    )
    return Person(
        height_m=float(np.clip(rng.normal(1.66 if is_dressy else 1.74, 0.08), 1.48, 1.95)),
        girth=float(np.clip(rng.normal(1.0, 0.10), 0.82, 1.28)),
        shoulders=float(np.clip(rng.normal(0.93 if is_dressy else 1.02, 0.05), 0.82, 1.15)),
        hips=float(np.clip(rng.normal(1.05 if is_dressy else 0.99, 0.05), 0.88, 1.2)),
        skin=_colour(rng, _SKIN),
        hair=_pick(rng, hair_styles),
        hair_colour=_colour(rng, _HAIR),
        upper=upper,
        upper_paint=upper_paint,
        sleeve_paint=sleeve,
        lower=lower,
        lower_paint=Paint(lower_colour, fold=0.13),
        shoes=_colour(rng, _SHOES),
        hat=_pick(rng, ((Hat.NONE, 13), (Hat.CAP, 3), (Hat.BEANIE, 1.5), (Hat.SUNHAT, 2))),
        hat_colour=_cloth(rng, _HATS),
        bag=_pick(rng, ((Bag.NONE, 6), (Bag.BACKPACK, 5), (Bag.SHOULDER, 3), (Bag.TOTE, 2))),
        bag_colour=_cloth(rng, _BAGS),
        bag_side=int(rng.integers(2)),
        stride=Stride(
            swing_rad=float(np.clip(rng.normal(0.36, 0.05), 0.22, 0.46)),
            arm_swing_rad=float(np.clip(rng.normal(0.30, 0.09), 0.08, 0.5)),
            cadence_hz=float(np.clip(rng.normal(0.92, 0.08), 0.7, 1.15)),
            lean_rad=float(np.clip(rng.normal(0.05, 0.025), 0.0, 0.12)),
        ),
    )


def _pick(rng: np.random.Generator, choices: tuple[tuple[T, float], ...]) -> T:
    weights = np.cumsum([weight for _, weight in choices])
    return choices[int(np.searchsorted(weights, rng.random() * weights[-1], side="right"))][0]


def _colour(rng: np.random.Generator, choices: Choice) -> Colour:
    return from_srgb(_pick(rng, choices))


def _cloth(rng: np.random.Generator, choices: Choice) -> Colour:
    """A colour of the palette as one dye and many washes make it."""
    colour = np.array(_colour(rng, choices))
    faded = colour + 0.15 * (colour.mean() - colour)
    red, green, blue = np.clip(faded * np.exp(rng.normal(0.0, 0.07, 3) + rng.normal(0.0, 0.16)), 0.008, 0.80)
    return float(red), float(green), float(blue)


def _contrasting(rng: np.random.Generator, main: Colour) -> Colour:
    """A second colour that can be told from the main one."""
    while True:
        colour = _cloth(rng, _TOPS)
        if abs(np.log(sum(colour) / sum(main))) > 0.8:
            return colour
