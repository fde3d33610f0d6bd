"""What somebody would write below a picture of a simulated person, and crops with captions to learn it from.

The words are few on purpose: a caption says what one sees at a glance, not everything that is true.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from skyreid.processes.pool import finish_all
from skyreid.processes.progress import Progress, silent
from skyreid.simulation.difficulty import Difficulty
from skyreid.simulation.filming import MAX_SEED, film, identity
from skyreid.simulation.people.person import Bag, Hair, Hat, Lower, Person, Upper
from skyreid.simulation.rendering.paint import Colour, Pattern, from_srgb
from skyreid.tracklet import PLATFORMS, Platform

_COLOURS = {
    "black": (0x18191C, 0x2B2D31),
    "grey": (0x55585C, 0x7E8286, 0xA4A7A8),
    "white": (0xD6D4CE, 0xEDEBE6),
    "navy": (0x1F2A44, 0x2B3A5C),
    "blue": (0x3A5F96, 0x5E7FA3, 0x8FA9C4),
    "red": (0x9A2A30, 0xC04A48),
    "maroon": (0x5E2228,),
    "orange": (0xB9603A, 0xD08A50),
    "yellow": (0xC9A24B,),
    "beige": (0xB9A582, 0xD9C9A3),
    "brown": (0x4A3324, 0x6B4A30, 0x8A6B4A),
    "olive": (0x55583A, 0x6D7048),
    "green": (0x3F5A45, 0x7FA08A),
    "teal": (0x2E6A66,),
    "pink": (0xC98F93, 0xB9787F),
    "purple": (0x6A4A6E, 0xA99BB8),
}
"""Names with examples; a colour has the name of the nearest example."""

_UPPERS = {Upper.TSHIRT: "shirt", Upper.JUMPER: "jumper", Upper.JACKET: "jacket", Upper.COAT: "coat"}

_LOWERS = {
    Lower.TROUSERS: "trousers",
    Lower.SHORTS: "shorts",
    Lower.SKIRT: "short skirt",
    Lower.LONG_SKIRT: "long skirt",
}

_PATTERNS = {
    Pattern.PLAIN: "",
    Pattern.STRIPES: "striped",
    Pattern.CHECKS: "checked",
    Pattern.YOKE: "two-coloured",
    Pattern.OPEN_FRONT: "open",
    Pattern.PRINT: "printed",
}

_HATS = {Hat.CAP: "cap", Hat.BEANIE: "beanie", Hat.SUNHAT: "sunhat"}
_BAGS = {Bag.BACKPACK: "backpack", Bag.SHOULDER: "handbag", Bag.TOTE: "tote"}

_HAIR = {
    Hair.BALD: "no hair",
    Hair.SHORT: "short {} hair",
    Hair.BOB: "half-long {} hair",
    Hair.LONG: "long {} hair",
    Hair.PONYTAIL: "a {} ponytail",
    Hair.BUN: "a {} bun",
}

_SEEN_FROM = {Platform.GROUND: "the ground", Platform.AERIAL: "above"}


def caption(person: Person, *, seen_from: Platform | None = None) -> str:
    """A sentence about a person: "a photo of a person in a red jacket in blue trousers with a black backpack."."""
    return sentence(phrases(person), seen_from=seen_from)


def phrases(person: Person) -> tuple[str, ...]:
    """Clothes first, then what else there is to tell; each can be left out."""
    pattern = _PATTERNS[person.clothes.upper_paint.pattern]
    upper = f"{pattern} {colour_name(person.clothes.upper_paint.colour)} {_UPPERS[person.clothes.upper]}".strip()
    lower = f"{colour_name(person.clothes.lower_paint.colour)} {_LOWERS[person.clothes.lower]}"
    is_plural = person.clothes.lower in (Lower.TROUSERS, Lower.SHORTS)
    told = [f"in {_a(upper)}", f"in {lower if is_plural else _a(lower)}"]
    if person.bag is not Bag.NONE:
        told.append(f"with {_a(f'{colour_name(person.bag_colour)} {_BAGS[person.bag]}')}")
    if person.hat is not Hat.NONE:
        told.append(f"with {_a(f'{colour_name(person.hat_colour)} {_HATS[person.hat]}')}")
    else:
        told.append(f"with {_HAIR[person.hair].format(colour_name(person.hair_colour))}")
    return (*told, f"with {colour_name(person.shoes)} shoes")


def sentence(told: tuple[str, ...], *, seen_from: Platform | None = None) -> str:
    """Put phrases together."""
    where = f" seen from {_SEEN_FROM[seen_from]}" if seen_from else ""
    return f"a photo of a person {' '.join(told)}{where}."


def words(text: str) -> list[str]:
    """A caption's words; the full stop is one."""
    return text.replace(".", " .").split()


def vocabulary() -> tuple[str, ...]:
    """Every word that a caption may hold, sorted."""
    frames = (sentence(("an in with shoes",), seen_from=platform) for platform in _SEEN_FROM)
    names = (_COLOURS, *(kind.values() for kind in (_UPPERS, _LOWERS, _PATTERNS, _HATS, _BAGS)))
    hair = (text.format("") for text in _HAIR.values())
    return tuple(
        sorted({word for text in (*frames, *(" ".join(kind) for kind in names), *hair) for word in words(text)})
    )


def colour_name(colour: Colour) -> str:
    """The everyday name of a reflectance."""
    distances = np.sqrt(((_EXAMPLES - _perceived(np.array([colour]))) ** 2).sum(axis=1))
    return _NAMES[int(distances.argmin())]


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _perceived(colours: np.ndarray) -> np.ndarray:
    """CIE Lab of linear sRGB: equal distances look about equally large."""
    xyz = colours @ np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    f = np.cbrt(xyz / np.array([0.9505, 1.0, 1.089]))
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


_NAMES = tuple(name for name, examples in _COLOURS.items() for _ in examples)
_EXAMPLES = _perceived(np.array([from_srgb(code) for examples in _COLOURS.values() for code in examples]))
CAPTION_SEED = MAX_SEED + 1
"""The seed of the people with captions; no benchmark may have it, so that nobody is tested on them."""
EVERYBODY_DIFFERS = Difficulty(look_alikes=1, dark=0.15, company=0.25)
"""For learning words: every colour often enough, and few strangers in the picture."""


@dataclass(frozen=True)
class CaptionedCrop:
    """One crop with its caption's phrases."""

    jpeg: bytes
    person: int
    platform: Platform
    phrases: tuple[str, ...]


def draw_captioned_crops(
    *, people: int, aerial_every: int, num_workers: int = 1, progress: Progress = silent
) -> list[CaptionedCrop]:
    """Photograph everybody from the ground and every `aerial_every`-th person from a drone, always the same."""
    shots = [
        (number, platform)
        for number, platform in product(range(1, people + 1), PLATFORMS)
        if platform is Platform.GROUND or number % aerial_every == 0
    ]
    photos = {}
    for shot, photo in finish_all(_photo, shots, num_workers):
        photos[shot] = photo
        progress("take photos", len(photos), len(shots))
    return [photos[shot] for shot in shots]


def _photo(shot: tuple[int, Platform]) -> CaptionedCrop:
    number, platform = shot
    (crop,) = film(CAPTION_SEED, number, platform, 1, difficulty=EVERYBODY_DIFFERS).crops
    return CaptionedCrop(crop.jpeg, number, platform, phrases(identity(CAPTION_SEED, number, EVERYBODY_DIFFERS)))
