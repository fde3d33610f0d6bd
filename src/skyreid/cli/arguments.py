"""From words on a command line to a call: what every command takes, and the parser behind one function."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from functools import partial, wraps
from inspect import getdoc, signature
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import tyro

from skyreid.cli.complaints import in_short
from skyreid.cli.terminal import print_error
from skyreid.errors import SettingError

if TYPE_CHECKING:
    from skyreid.training.baseline_training import BaselineConfig
    from skyreid.training.two_stage import TwoStageConfig


Outcome = TypeVar("Outcome")
_REPEATED = ("--source", "--ground", "--aerial")
"""Options that may be given once for each value, too; the parser would keep the last alone."""
SHARED_OPTIONS = "Every command takes --quiet (no bars, no warnings) and --device auto|cpu|cuda|cuda:N."
EXAMPLES = {
    "find": "skyreid find --ground gate.mp4 --aerial drone.mp4 --out case",
    "build": (
        "skyreid build --source gate.mp4,platform=ground,camera=gate --source roof.mp4,platform=aerial,camera=roof "
        "--out built"
    ),
    "embed": "skyreid embed built --model runs/small/checkpoint --out table.npz",
    "search": "skyreid search table.npz --query gate-gate-0001 --to aerial --out found.html",
    "browse": "skyreid browse built --videos footage",
    "calibrate": "skyreid calibrate query.npz gallery.npz --protocol ground-to-aerial --out calibration.json",
    "weights list": "skyreid weights list",
    "weights get": "skyreid weights get yolox-s",
    "weights path": "skyreid weights path yolox-s",
    "weights add": "skyreid weights add yolox-s yolox_s.onnx",
    "telemetry": "skyreid telemetry DJI_0042.SRT --time-zone Europe/Madrid",
    "case new": "skyreid case new cases/square",
    "case list": "skyreid case list cases",
    "case add": "skyreid case add cases/square built --purpose 'missing person 2026-114'",
    "case work": "skyreid case work cases/square",
    "case jobs": "skyreid case jobs cases/square --retry 3",
    "case search": "skyreid case search cases/square --tracklet gate-gate-0001 -k 10",
    "case decide": "skyreid case decide cases/square gate-gate-0001 roof-roof-0003 confirmed --annotator anna",
    "case adapt": "skyreid case adapt cases/square",
    "case re-embed": "skyreid case re-embed cases/square --model runs/new/checkpoint",
    "case export": "skyreid case export cases/square --out found --format build",
    "case papers": "skyreid case papers cases/square --out papers.html",
    "case verify": "skyreid case verify cases/square",
    "case upgrade": "skyreid case upgrade /shared/cases",
    "case agreement": "skyreid case agreement cases/square --require 2",
    "case hold": "skyreid case hold cases/square --reason 'court order 12/26'",
    "case purge": "skyreid case purge cases/square --source gate-gate",
    "case restore": "skyreid case restore cases/square --source gate-gate",
    "serve": "skyreid serve cases",
    "user add": "skyreid user add cases anna",
    "user list": "skyreid user list cases",
    "user role": "skyreid user role cases anna square annotator",
    "user password": "skyreid user password cases anna",
    "user disable": "skyreid user disable cases anna",
    "user sessions": "skyreid user sessions cases --end anna",
    "link": "skyreid link built --table table.npz --annotator anna",
    "data export": "skyreid data export built --out g2a --format g2a",
    "data list": "skyreid data list",
    "data verify": "skyreid data verify g2a-vreid --root data/g2a",
    "data stats": "skyreid data stats built --picture statistics.png",
    "data split": "skyreid data split --root data/g2a-v2 --out split.json",
    "recipe list": "skyreid recipe list",
    "recipe show": "skyreid recipe show vsla-clip-g2a-release",
    "train": "skyreid train vsla-clip-small --data-root data/g2a --run-dir runs/small",
    "model info": "skyreid model info vsla-clip-g2a-release",
    "model import": "skyreid model import openai ViT-B-16.pt --out weights/clip",
    "model export": "skyreid model export runs/small/checkpoint --out encoder.pt2",
    "evaluate tables": "skyreid evaluate tables query.npz gallery.npz --protocol ground-to-aerial",
    "evaluate average": "skyreid evaluate average 0.json 1.json 2.json --over seeds",
    "evaluate construction": "skyreid evaluate construction built --truth world",
    "evaluate": "skyreid evaluate runs/small --data g2a-vreid --root data/g2a",
    "compare": "skyreid compare first.json second.json",
    "reproduce table2": "skyreid reproduce table2 --data g2a-vreid --root data/g2a --epochs 2 --batch 4 2",
    "reproduce": "skyreid reproduce table3 --seeds 3",
    "demo": "skyreid demo --out demo",
    "simulate": "skyreid simulate --identities 9 --out world",
    "model pretrain": "skyreid model pretrain --out weights/small-clip",
    "completion": 'eval "$(skyreid completion bash)"',
}


@dataclass(frozen=True, kw_only=True)
class SharedOptions:
    """What every command takes, wherever it stands."""

    quiet: bool = False
    device: str = "auto"

    def apply(self) -> None:
        """Settle on the device; before anything is loaded onto one.

        Raises:
            SettingError: no such device.
        """
        if self.device == "auto":
            return
        if not re.fullmatch(r"cpu|cuda(:\d+)?", self.device):
            raise SettingError(f"--device must be auto, cpu, cuda or cuda:NUMBER; got {self.device!r}")
        from skyreid.processes.distributed import choose_device

        choose_device(self.device)


def take_shared_options(arguments: Sequence[str]) -> tuple[list[str], SharedOptions]:
    """Part the options of every command from those of one."""
    kept: list[str] = []
    quiet, device = False, "auto"
    rest = iter(_split(arguments, "--device"))
    for argument in rest:
        if argument == "--quiet":
            quiet = True
        elif argument == "--device":
            device = next(rest, "")
        else:
            kept.append(argument)
    return kept, SharedOptions(quiet=quiet, device=device)


def parse(command: Callable[..., Outcome], program: str, arguments: Sequence[str]) -> Callable[[], Outcome]:
    """Find out what a command line asks for; nothing is done until the result is called.

    Args:
        command: of the table.
        program: `skyreid` and its name.
        arguments: what follows them.

    Raises:
        SystemExit: help was asked for and shown, or the arguments are none and it was said.
    """

    @wraps(command)
    def call(*positional: object, **named: object) -> Callable[[], Outcome]:
        return partial(command, *positional, **named)

    def parsed(words: Sequence[str]) -> Callable[[], Outcome]:
        said = (getdoc(command) or "").split("Args:")[0].strip()
        example = f"Example: {EXAMPLES[program.removeprefix('skyreid ')]}"
        description = f"{said}\n\n{example}\n\n{SHARED_OPTIONS}"
        for option in _REPEATED:
            words = _gathered(words, option)
        return tyro.cli(call, prog=program, description=description, args=list(words))

    options = [f"--{name.replace('_', '-')}" for name in signature(command).parameters]
    return said_in_short(parsed, arguments, options)


def said_in_short(
    parsed: Callable[[Sequence[str]], Outcome], arguments: Sequence[str], options: Sequence[str] = ()
) -> Outcome:
    """Parse, and let the parser complain in one line instead of a box.

    Args:
        parsed: what parses.
        arguments: of the command line.
        options: of the command, among which a mistyped one is looked for.

    Raises:
        SystemExit: as the parser.
    """
    if not {"--help", "-h"}.isdisjoint(arguments):
        return parsed(arguments)
    box = StringIO()
    try:
        with _wide_terminal(), redirect_stderr(box):
            return parsed(arguments)
    except SystemExit:
        print_error(in_short(box.getvalue(), options))
        raise


@contextmanager
def _wide_terminal() -> Iterator[None]:
    """Let the parser break no line."""
    kept = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "100000"
    try:
        yield
    finally:
        if kept is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = kept


def _split(arguments: Sequence[str], option: str) -> list[str]:
    """Let `--option=A` be `--option A`."""
    return [
        part
        for argument in arguments
        for part in (argument.split("=", 1) if argument.startswith(f"{option}=") else [argument])
    ]


def _gathered(arguments: Sequence[str], option: str) -> list[str]:
    """Let `--source A --source B C` and `--source=A --source=B` mean `--source A B C`."""
    arguments = _split(arguments, option)
    if arguments.count(option) < 2:
        return arguments
    kept: list[str] = []
    values: list[str] = []
    is_value = False
    for argument in arguments:
        if argument == option:
            is_value = True
            continue
        is_value = is_value and not argument.startswith("-")
        (values if is_value else kept).append(argument)
    return [*kept, option, *values]


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
