"""The command line: one table, command name → typed function. The only file that prints.

Every function here is a few lines around one call of the library. What a command needs is imported
inside it, so that a wrong option or `--help` answers at once and not after loading PyTorch.
"""

import json as json_format
import logging
import os
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from skyreid.errors import SkyreidError
from skyreid.tracklet import Platform

if TYPE_CHECKING:
    from skyreid.training.two_stage_config import TwoStageConfig

Name = Annotated[str, tyro.conf.Positional]
File = Annotated[Path, tyro.conf.Positional]
errors = Console(stderr=True, highlight=False, soft_wrap=True)


class Bars:
    """Draws a bar with the time left for each task that reports (`skyreid.progress.Progress`)."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=errors,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "Bars":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, task: str, done: int, total: int, note: str = "") -> None:
        if task not in self._tasks:
            self._tasks[task] = self._progress.add_task(task, note="")
        self._progress.update(self._tasks[task], completed=done, total=total, note=note)


def _show(lines: Sequence[str], content: object, *, json: bool) -> None:
    """Print for a human or for a program."""
    print(json_format.dumps(content, indent=2) if json else "\n".join(lines))


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


def data_list() -> None:
    """List the benchmarks that can be read."""
    from skyreid.datasets import BENCHMARKS

    for name, entry in BENCHMARKS.items():
        print(f"{name:14} {entry.terms}")


def data_verify(name: Name, root: Path, *, split: int = 0, decode_images: bool = True, json: bool = False) -> int:
    """Check a benchmark on disk against its published counts, and name everything that is wrong.

    Args:
        name: of `skyreid data list`.
        root: its folder.
        split: of benchmarks with several splits.
        decode_images: decode every image; --no-decode-images is quicker and finds less.
        json: print JSON.
    """
    from skyreid.datasets.verification import verify

    with Bars() as bars:
        verification = verify(name, root, split=split, decode_images=decode_images, progress=bars)
    _show(verification.lines(), verification.to_json(), json=json)
    return 0 if verification.is_ok else 1


def data_stats(name: Name, root: Path, *, split: int = 0, picture: Path | None = None, json: bool = False) -> None:
    """Give the row of the paper's Table 1 and the distributions of Fig. 2 and section 3.3.

    Args:
        name: of `skyreid data list`; "manifest" for a folder that `skyreid build` made.
        root: its folder.
        split: of benchmarks with several splits.
        picture: PNG of the distributions to write.
        json: print JSON.
    """
    from skyreid.datasets import read_benchmark
    from skyreid.datasets.statistics import benchmark_statistics
    from skyreid.datasets.statistics_picture import draw_statistics

    with Bars() as bars:
        statistics = benchmark_statistics(read_benchmark(name, root, split=split), progress=bars)
    if picture is not None:
        draw_statistics(statistics, picture)
    _show(statistics.lines(), statistics.to_json(), json=json)


def model_info(recipe: Name, *, json: bool = False) -> None:
    """Count a recipe's parameters by component, beside the paper's Tables 3 and 4.

    Args:
        recipe: one of the recipes.
        json: print JSON.
    """
    from skyreid.datasets import BENCHMARKS
    from skyreid.training.parameter_report import count_parameters

    config = _recipe(recipe)()
    published = BENCHMARKS[config.benchmark].published.train_identities
    report = count_parameters(config, num_identities=published or 930)
    _show(report.lines(), report.to_json(), json=json)


def model_import(
    format: Annotated[Literal["openai", "huggingface", "open_clip", "vifi", "release"], tyro.conf.Positional],
    file: File,
    out: Path,
    *,
    image_size: tuple[int, int] | None = None,
    token_embedding: Path | None = None,
    activation: Literal["quick-gelu", "gelu"] | None = None,
    adapters: Literal["used", "unused"] = "used",
    json: bool = False,
) -> None:
    """Turn someone's weights into a checkpoint folder; nothing in the file is executed.

    Args:
        format: who wrote the file; "release" is the authors' VSLA-CLIP program.
        file: the weights.
        out: folder to write.
        image_size: height and width that the position table of a CLIP model is resized to; None = 256 x 128.
        token_embedding: file of OpenAI's CLIP, for "vifi", which does not carry its token embedding.
        activation: of an open_clip file; None = "quick-gelu", as OpenAI's.
        adapters: "unused" for FT-CLIP files of the release, whose adapters never ran.
        json: print JSON.
    """
    from skyreid.pretrained.importing import import_weights

    report = import_weights(
        format,
        file,
        out,
        image_size=image_size,
        token_embedding=token_embedding,
        activation=activation,
        adapters=adapters,
    )
    _show(report.lines(), report.to_json(), json=json)


def build(
    out: Path, source: tuple[str, ...], *, interval_s: float = 0.5, mask_faces: bool = True, json: bool = False
) -> None:
    """Cut raw video into tracklets on disk, with a manifest.

    Args:
        out: folder to write; running again goes on where it stopped.
        source: FILE,platform=ground|aerial,camera=NAME[,annotations=gt.txt]; one for each video.
        interval_s: seconds between two crops of a person.
        mask_faces: burn grey over the faces before anything is written.
        json: print JSON.
    """
    from skyreid.building.build import build as build_tracklets
    from skyreid.building.sources import parse_source

    sources = [parse_source(text) for text in source]
    with Bars() as bars:
        report = build_tracklets(sources, out, interval_s=interval_s, mask_faces=mask_faces, progress=bars)
    _show(report.lines(), report.to_json(), json=json)


def embed(
    folder: File,
    model: Path,
    out: Path,
    *,
    camera: str | None = None,
    sampling: Literal["one-clip", "all-frames"] = "one-clip",
) -> None:
    """Embed the tracklets of a folder that `skyreid build` made.

    Args:
        folder: with manifest.jsonl.
        model: checkpoint folder.
        out: the table to write, .npz.
        camera: only its tracklets; None = all cameras.
        sampling: one clip a tracklet, or every frame.
    """
    from skyreid.extraction.embed_folder import embed_folder
    from skyreid.extraction.embed_tracklets import ExtractionConfig

    with Bars() as bars:
        table = embed_folder(folder, model, out, ExtractionConfig(sampling=sampling), camera=camera, progress=bars)
    print(f"{len(table)} tracklets embedded into {out}")


def search(
    table: File,
    query: str,
    out: Path,
    *,
    to: Literal["aerial", "ground", "any"] = "any",
    k: Annotated[int, tyro.conf.arg(aliases=["-k"])] = 20,
) -> None:
    """Rank the tracklets most like one of them, as a page of pictures.

    Args:
        table: what `skyreid embed` wrote.
        query: tracklet id.
        out: HTML file to write.
        to: platform to search.
        k: how many to show.
    """
    from skyreid.retrieval.search_page import write_search_page

    ranking = write_search_page(table, query, out, platform=None if to == "any" else Platform(to), top_k=k)
    for tracklet_id, similarity in zip(ranking.tracklet_ids, ranking.similarities, strict=True):
        print(f"{similarity:7.4f}  {tracklet_id}")
    print(f"A ranking is not an identification. Pictures: {out}")


def evaluate_tables(
    query: File,
    gallery: File,
    *,
    protocol: Literal["cross-camera", "mars", "cross-platform", "ground-to-aerial", "aerial-to-ground"],
    json: bool = False,
) -> None:
    """Score two embedding tables, of any model: CMC and mAP.

    Args:
        query: .npz with embeddings [n, d], pids, camids, platforms (0 ground, 1 aerial), tracklet_ids.
        gallery: the same, without the queries.
        protocol: who asks whom, and what is ignored.
        json: print JSON.
    """
    from skyreid.datasets.protocol import PROTOCOLS
    from skyreid.evaluation.ranking_scores import evaluate
    from skyreid.retrieval.embedding_table import load_table

    scores = evaluate(load_table(query), load_table(gallery), PROTOCOLS[protocol])
    _show(scores.lines(), scores.to_json(), json=json)


def show(recipe: Name) -> None:
    """Print the complete configuration of a recipe.

    Args:
        recipe: one of the recipes.
    """
    from skyreid.config_json import to_json

    print(json_format.dumps(to_json(_recipe(recipe)()), indent=2))


def train(arguments: Sequence[str]) -> None:
    """Train a recipe: skyreid train RECIPE --data-root D --run-dir R [--resume] [--stage2.epochs 60 …]."""
    from skyreid.recipes import RECIPES
    from skyreid.training.two_stage import train as train_two_stages
    from skyreid.training.two_stage_config import TwoStageConfig

    if not arguments or arguments[0].startswith("-"):
        print("usage: skyreid train RECIPE --data-root DIR --run-dir DIR [--resume] [setting …]\n")
        print("recipes:\n  " + "\n  ".join(RECIPES))
        print("\nskyreid train RECIPE --help lists the settings; skyreid show RECIPE prints them.")
        raise SystemExit(0 if "--help" in arguments or "-h" in arguments else 2)

    config = tyro.cli(
        TwoStageConfig,
        prog=f"skyreid train {arguments[0]}",
        description="Settings of the recipe. --resume goes on with the run in --run-dir.",
        args=[argument for argument in arguments[1:] if argument != "--resume"],
        default=_recipe(arguments[0])(),
        config=(tyro.conf.AvoidSubcommands,),
    )
    with Bars() as bars:
        result = train_two_stages(config, resume="--resume" in arguments, progress=bars)
    print("\n".join(result.scores.lines()))
    print(f"checkpoint: {result.checkpoint}")


def _recipe(name: str) -> "Callable[[], TwoStageConfig]":
    from difflib import get_close_matches

    from skyreid.recipes import RECIPES

    if name not in RECIPES:
        close = get_close_matches(name, RECIPES, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise SkyreidError(f"no recipe is called {name!r}{hint} (skyreid train lists them)")
    return RECIPES[name]


COMMANDS: dict[str, Callable[..., int | None]] = {
    "demo": demo,
    "data list": data_list,
    "data verify": data_verify,
    "data stats": data_stats,
    "model info": model_info,
    "model import": model_import,
    "train": train,
    "show": show,
    "build": build,
    "embed": embed,
    "search": search,
    "evaluate tables": evaluate_tables,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors that a user can mend end in one line and exit status 1."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    given = list(sys.argv[1:] if arguments is None else arguments)
    name = next((name for name in COMMANDS if given[: name.count(" ") + 1] == name.split()), None)
    if name is None:
        return _usage(given)
    rest = given[name.count(" ") + 1 :]
    try:
        if name == "train":
            train(rest)
            return 0
        return tyro.cli(COMMANDS[name], prog=f"skyreid {name}", args=_gather_repeated(rest, "--source")) or 0
    except SkyreidError as error:
        _print_error(str(error))
        return 1
    except KeyboardInterrupt:
        errors.print("interrupted; the same command goes on where it stopped (train: add --resume)")
        return 130


def _print_error(text: str) -> None:
    # Assembled, not marked up: what a user typed may hold brackets.
    errors.print(Text.assemble(("error:", "bold red"), f" {text}"))


def _usage(given: Sequence[str]) -> int:
    is_asked = not given or given[0] in ("-h", "--help")
    if not is_asked:
        _print_error(f"no command is called {' '.join(given[:2])!r}")
    print("skyreid: find a person seen by a ground camera in drone footage, and the other way round.\n")
    for name, command in COMMANDS.items():
        print(f"  skyreid {name:16} {(command.__doc__ or '').splitlines()[0]}")
    print("\n  skyreid COMMAND --help says more.")
    return 0 if is_asked else 2


def _gather_repeated(arguments: Sequence[str], option: str) -> list[str]:
    """Let `--source A --source B` and `--source=A --source=B` mean `--source A B`."""
    arguments = [
        part
        for argument in arguments
        for part in (argument.split("=", 1) if argument.startswith(f"{option}=") else [argument])
    ]
    values = [argument for before, argument in pairwise(arguments) if before == option]
    if len(values) < 2:
        return list(arguments)
    kept = [
        argument
        for position, argument in enumerate(arguments)
        if argument != option and (position == 0 or arguments[position - 1] != option)
    ]
    return [*kept, option, *values]
