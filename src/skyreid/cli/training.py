"""`skyreid demo`, `train`, `recipe`: from a recipe to a checkpoint."""

import os
from collections.abc import Sequence
from json import dumps
from pathlib import Path

import tyro

from skyreid.cli.arguments import EXAMPLES, SHARED_OPTIONS, find_recipe, said_in_short
from skyreid.cli.terminal import Bars, Name, Note, print_lines, show_result


def demo(out: Path = Path("demo"), *, identities: int = 300, seed: int = 0, json: bool = False) -> None:
    """Draw a small benchmark, train on it, search it, write a report.

    Args:
        out: folder for the benchmark, the run and report.html.
        identities: synthetic people; a third of them train.
        seed: of the world and of the training.
        json: print JSON.
    """
    import torch

    from skyreid.experiments.demo import run_demo

    # The model is too small to share among cores: on a busy machine two threads wait for each other.
    torch.set_num_threads(1)

    with Bars() as bars:
        report = run_demo(out, identities=identities, seed=seed, num_workers=os.cpu_count() or 1, progress=bars)
    show_result(report, json=json)


def recipe_list(*, json: bool = False) -> None:
    """List the recipes: published and small settings, by name.

    Args:
        json: print JSON.
    """
    from skyreid.recipes import RECIPES

    names = list(RECIPES)
    show_result(Note(names, names), json=json)


def recipe_show(recipe: Name, *, json: bool = False) -> None:
    """Print the complete configuration of a recipe, as JSON.

    Args:
        recipe: one of the recipes.
        json: print JSON, as it does without it: there is no other form.
    """
    from skyreid.files.config_json import to_json

    settings = to_json(find_recipe(recipe)())
    show_result(Note(dumps(settings, indent=2).splitlines(), settings), json=json)


def train(arguments: Sequence[str]) -> int:
    """Train a recipe: RECIPE --data-root D --run-dir R [--resume]."""
    from skyreid.recipes import RECIPES
    from skyreid.training import train as train_config

    if not arguments or arguments[0].startswith("-"):
        print_lines(
            [
                "usage: skyreid train RECIPE --data-root DIR --run-dir DIR [--resume] [--json] [setting …]",
                "",
                f"Example: {EXAMPLES['train']}",
                "",
                "recipes:",
                *(f"  {recipe}" for recipe in RECIPES),
                "",
                "skyreid train RECIPE --help lists the settings; skyreid recipe show RECIPE prints them.",
            ]
        )
        return 0 if "--help" in arguments or "-h" in arguments else 2

    recipe = find_recipe(arguments[0])()
    config = said_in_short(
        lambda settings: tyro.cli(
            type(recipe),
            prog=f"skyreid train {arguments[0]}",
            description=f"Settings of the recipe. --resume goes on with the run in --run-dir. {SHARED_OPTIONS}\n\n"
            f"Example: {EXAMPLES['train']}",
            args=settings,
            default=recipe,
            config=(tyro.conf.AvoidSubcommands,),
        ),
        [argument for argument in arguments[1:] if argument not in ("--resume", "--json")],
    )
    with Bars() as bars:
        result = train_config(config, resume="--resume" in arguments, progress=bars)
    said = [*result.scores.lines(), f"checkpoint: {result.checkpoint}"]
    if result.was_finished:
        said.append("this run had come to its end before; nothing was trained, and nothing in its folder has changed")
    content = {
        "scores": result.scores.to_json(),
        "checkpoint": str(result.checkpoint),
        "was_finished": result.was_finished,
    }
    show_result(Note(said, content), json="--json" in arguments)
    return 0


def simulate(
    out: Path,
    *,
    identities: int = 30,
    seed: int = 0,
    frame_rate: int = 6,
    workers: int | None = None,
    json: bool = False,
) -> None:
    """Film a simulated world from ground and drones, with its truth.

    Args:
        out: folder to write; running again goes on where it stopped.
        identities: people; about five of them in a scene, then more, and nine scenes.
        seed: another seed is another world.
        frame_rate: frames a second, even.
        workers: processes that film; None = one for each processor.
        json: print JSON.
    """
    from skyreid.simulation.world import SOURCES_FILE, WorldArguments, write_world

    arguments = WorldArguments(identities=identities, seed=seed, frame_rate=frame_rate)
    num_workers = (os.cpu_count() or 1) if workers is None else workers
    with Bars() as bars:
        facts = write_world(out, arguments, num_workers=num_workers, progress=bars)
    said = (
        f"videos: {facts.num_videos}, people: {facts.num_people}, seconds: {facts.duration_s:g}; "
        f"next: skyreid build --sources {out / SOURCES_FILE}"
    )
    content = {"videos": facts.num_videos, "people": facts.num_people, "duration_s": facts.duration_s}
    show_result(Note([said], {**content, "sources": str(out / SOURCES_FILE)}), json=json)
