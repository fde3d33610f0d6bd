"""The command line: one table, command name → typed function. The only folder that prints.

Every command is a few lines around one call of the library. What it needs is imported inside it, so that
a wrong option or `--help` answers at once and not after loading PyTorch.
"""

import logging
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib.metadata import version
from itertools import pairwise

import tyro

from skyreid.cli.ablation import ablate
from skyreid.cli.calibrating import calibrate
from skyreid.cli.comparing import average, compare
from skyreid.cli.comparison import benchmark
from skyreid.cli.data import data_list, data_split, data_stats, data_verify
from skyreid.cli.exporting import export
from skyreid.cli.footage import build, embed, search
from skyreid.cli.linking import link
from skyreid.cli.models import model_export, model_import, model_info, model_pretrain
from skyreid.cli.scoring import evaluate_construction, evaluate_run, evaluate_tables
from skyreid.cli.terminal import errors, print_error
from skyreid.cli.training import demo, show, train
from skyreid.cli.world import simulate
from skyreid.errors import SkyreidError

COMMANDS: dict[str, Callable[..., int | None]] = {
    "demo": demo,
    "data list": data_list,
    "data verify": data_verify,
    "data stats": data_stats,
    "data split": data_split,
    "model info": model_info,
    "model import": model_import,
    "model pretrain": model_pretrain,
    "model export": model_export,
    "train": train,
    "show": show,
    "build": build,
    "embed": embed,
    "search": search,
    "link": link,
    "export": export,
    "simulate": simulate,
    "evaluate construction": evaluate_construction,
    "evaluate tables": evaluate_tables,
    "evaluate average": average,
    "evaluate": evaluate_run,
    "compare": compare,
    "calibrate": calibrate,
    "ablate": ablate,
    "benchmark": benchmark,
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
        print_error(str(error))
        return 1
    except OSError as error:
        if error.filename is None:
            raise
        print_error(f"{error.filename2 or error.filename}: {error.strerror}")
        return 1
    except KeyboardInterrupt:
        errors.print(
            "interrupted; simulate, build, demo, ablate and benchmark go on where they stopped when run again, "
            "train with --resume"
        )
        return 130


def _usage(given: Sequence[str]) -> int:
    if given == ["--version"]:
        print(version("skyreid"))
        return 0
    words = [word for word in given[:2] if not word.startswith("-")]
    family = {name: command for name, command in COMMANDS.items() if name.split()[:1] == words[:1]}
    is_asked = not words or (len(words) == 1 and bool(family))
    if not is_asked:
        close = get_close_matches(" ".join(words), COMMANDS, n=1)
        print_error(f"no command is called {' '.join(words)!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
    print("skyreid: find a person seen by a ground camera in drone footage, and the other way round.\n")
    shown = family or COMMANDS
    width = max(map(len, shown))
    for name, command in shown.items():
        print(f"  skyreid {name:{width}}  {(command.__doc__ or '').splitlines()[0]}")
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
