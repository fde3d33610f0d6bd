"""How hard it is to tell simulated people apart: named knobs, each with its own effect."""

import math
from dataclasses import dataclass

from skyreid.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class Difficulty:
    """Settings of a world; docs/results.md says what each does to the scores of plain colour statistics."""

    look_alikes: int = 3
    """People with neighbouring numbers who wear the same clothes; 1 = everybody has their own."""
    dark: float = 0.4
    """Share of garments that are black, grey or navy whatever the usual palette says."""
    company: float = 0.6
    """Share of tracklets in which a stranger walks past, before or beside the person."""
    light_varies: bool = True
    """Every tracklet has its own hour and weather; False = one light for the whole world."""
    tint: float = 0.08
    """How far the white balance is off, from tracklet to tracklet: standard deviation of its logarithm."""
    exposure: float = 0.2
    """The same of the exposure."""
    altitude_m: tuple[float, float] = (20.0, 60.0)
    """Lowest and highest flight. Source: paper section 3.1."""
    pitch_deg: tuple[float, float] = (30.0, 80.0)
    """Flattest and steepest look down from the drone; 90 would be straight down."""

    def __post_init__(self) -> None:
        if self.look_alikes < 1:
            raise SettingError(f"look_alikes counts people from 1; got {self.look_alikes}")
        for name in ("dark", "company"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingError(f"{name} is a share from 0 to 1; got {getattr(self, name)}")
        for name in ("tint", "exposure"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingError(f"{name} is a standard deviation from 0 to 1; got {getattr(self, name)}")
        for name, low, high in (("altitude_m", 5, 500), ("pitch_deg", 5, 89)):
            first, last = getattr(self, name)
            if not low <= first <= last <= high:
                raise SettingError(f"{name} must rise and lie from {low} to {high}; got {first} to {last}")

    def wardrobe(self, number: int) -> int:
        """Number of the clothes that identity `number`, from 1, shares with its look-alikes."""
        return math.ceil(number / self.look_alikes)


USUAL = Difficulty()
