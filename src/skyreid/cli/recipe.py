"""A recipe by the name that a user types."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from skyreid.errors import SettingError

if TYPE_CHECKING:
    from skyreid.training.baseline_training import BaselineConfig
    from skyreid.training.two_stage import TwoStageConfig


def find_recipe(name: str) -> "Callable[[], TwoStageConfig] | Callable[[], BaselineConfig]":
    """Look a recipe up; a typo gets a suggestion."""
    from difflib import get_close_matches

    from skyreid.recipes import RECIPES

    if name not in RECIPES:
        close = get_close_matches(name, RECIPES, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        if Path(name).exists():
            hint = f"; that is a {'folder' if Path(name).is_dir() else 'file'}, and a recipe is a name"
        raise SettingError(f"no recipe is called {name!r}{hint} (skyreid recipe list)")
    return RECIPES[name]
