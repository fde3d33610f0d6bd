"""`skyreid demo`, `train`, `show`: from a recipe to a checkpoint."""

import json as json_format
import os
from collections.abc import Sequence
from pathlib import Path

import tyro

from skyreid.cli.recipe import find_recipe
from skyreid.cli.terminal import Bars, Name


def demo(out: Path = Path("demo"), *, identities: int = 300, seed: int = 0) -> None:
    """Make a small synthetic ground/drone benchmark, train on it, search it, write a report to look at.

    Args:
        out: folder for the benchmark, the run and report.html.
        identities: synthetic people; a third of them train.
        seed: of the world and of the training.
    """
    import torch

    from skyreid.demo import run_demo

    # The model is too small to share among cores: on a busy machine two threads wait for each other.
    torch.set_num_threads(1)

    with Bars() as bars:
        report = run_demo(out, identities=identities, seed=seed, num_workers=os.cpu_count() or 1, progress=bars)
    print("\n".join(report.lines()))


def show(recipe: Name) -> None:
    """Print the complete configuration of a recipe.

    Args:
        recipe: one of the recipes.
    """
    from skyreid.config_json import to_json

    print(json_format.dumps(to_json(find_recipe(recipe)()), indent=2))


def train(arguments: Sequence[str]) -> None:
    """Train a recipe: skyreid train RECIPE --data-root D --run-dir R [--resume] [--stage2.epochs 60 …]."""
    from skyreid.recipes import RECIPES
    from skyreid.training.baseline_training import train_baseline
    from skyreid.training.two_stage import train as train_two_stages
    from skyreid.training.two_stage_config import TwoStageConfig

    if not arguments or arguments[0].startswith("-"):
        print("usage: skyreid train RECIPE --data-root DIR --run-dir DIR [--resume] [setting …]\n")
        print("recipes:\n  " + "\n  ".join(RECIPES))
        print("\nskyreid train RECIPE --help lists the settings; skyreid show RECIPE prints them.")
        raise SystemExit(0 if "--help" in arguments or "-h" in arguments else 2)

    recipe = find_recipe(arguments[0])()
    config = tyro.cli(
        type(recipe),
        prog=f"skyreid train {arguments[0]}",
        description="Settings of the recipe. --resume goes on with the run in --run-dir.",
        args=[argument for argument in arguments[1:] if argument != "--resume"],
        default=recipe,
        config=(tyro.conf.AvoidSubcommands,),
    )
    with Bars() as bars:
        if isinstance(config, TwoStageConfig):
            result = train_two_stages(config, resume="--resume" in arguments, progress=bars)
        else:
            result = train_baseline(config, resume="--resume" in arguments, progress=bars)
    print("\n".join(result.scores.lines()))
    print(f"checkpoint: {result.checkpoint}")
