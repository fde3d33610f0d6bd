"""Single crops of many simulated people with what there is to say about them: what a small CLIP learns from."""

from dataclasses import dataclass
from itertools import product

from skyreid.process_pool import finish_all
from skyreid.progress import Progress, silent
from skyreid.simulation.captions import phrases
from skyreid.simulation.difficulty import Difficulty
from skyreid.simulation.filming import film, identity
from skyreid.tracklet import PLATFORMS, Platform

WORLD = 2**32 - 1
"""The seed of these people; no benchmark may have it, so that nobody is tested on them."""
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
    (crop,) = film(WORLD, number, platform, 1, difficulty=EVERYBODY_DIFFERS).crops
    return CaptionedCrop(crop.jpeg, number, platform, phrases(identity(WORLD, number, EVERYBODY_DIFFERS)))
