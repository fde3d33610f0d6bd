"""The command line: one table, what somebody wants → command name → typed function. The only folder that prints.

Every command is a few lines around one call of the library. What it needs is imported inside it, so that
a wrong option or `--help` answers at once and not after loading PyTorch.

Exit statuses: 0 done; 1 something that the caller can mend, said in one line; 2 a command line that is none; 3 done,
and the result is empty; 4 done, without a part of what was given, which is named, or a case has faults; 5 refused by
the rules of a case; 70 a fault of ours, with its traceback; 130 interrupted; 141 the reader of the output left.
"""

import errno
import shlex
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib.metadata import version

from skyreid.cli.arguments import SHARED_OPTIONS, SharedOptions, parse, take_shared_options
from skyreid.cli.case_adapt import case_adapt
from skyreid.cli.case_agreement import case_agreement
from skyreid.cli.case_papers import case_papers
from skyreid.cli.case_re_embed import case_re_embed
from skyreid.cli.case_retention import case_hold, case_purge, case_restore
from skyreid.cli.case_upgrade import case_upgrade
from skyreid.cli.case_work import case_jobs, case_work
from skyreid.cli.cases import (
    case_add,
    case_decide,
    case_export,
    case_list,
    case_new,
    case_search,
    case_verify,
)
from skyreid.cli.completion import completion
from skyreid.cli.data import data_export, data_list, data_split, data_stats, data_verify
from skyreid.cli.evaluate import (
    average,
    calibrate,
    compare,
    evaluate_checkpoint,
    evaluate_construction,
    evaluate_tables,
)
from skyreid.cli.footage import browse, build, embed, find, telemetry
from skyreid.cli.linking import link
from skyreid.cli.models import model_export, model_import, model_info, model_pretrain
from skyreid.cli.reproduce import reproduce, reproduce_table2
from skyreid.cli.search import search
from skyreid.cli.service import serve
from skyreid.cli.terminal import (
    NOTHING_FOUND,
    REFUSED,
    OutputError,
    abandon_output,
    flush_output,
    prepare_streams,
    print_error,
    print_lines,
    print_notice,
)
from skyreid.cli.training import demo, recipe_list, recipe_show, simulate, train
from skyreid.cli.users import user_add, user_disable, user_list, user_password, user_role, user_sessions
from skyreid.cli.weights import weights_add, weights_get, weights_list, weights_path
from skyreid.errors import NothingFoundError, RefusedError, SkyreidError

GROUPS: dict[str, dict[str, Callable[..., int | None]]] = {
    "find somebody": {
        "find": find,
        "build": build,
        "embed": embed,
        "search": search,
        "browse": browse,
        "calibrate": calibrate,
        "weights list": weights_list,
        "weights get": weights_get,
        "weights path": weights_path,
        "weights add": weights_add,
        "telemetry": telemetry,
        "case new": case_new,
        "case list": case_list,
        "case add": case_add,
        "case work": case_work,
        "case jobs": case_jobs,
        "case search": case_search,
        "case decide": case_decide,
        "case adapt": case_adapt,
        "case re-embed": case_re_embed,
        "case export": case_export,
        "case papers": case_papers,
        "case verify": case_verify,
        "case upgrade": case_upgrade,
        "case agreement": case_agreement,
        "case hold": case_hold,
        "case purge": case_purge,
        "case restore": case_restore,
        "serve": serve,
        "user add": user_add,
        "user list": user_list,
        "user role": user_role,
        "user password": user_password,
        "user disable": user_disable,
        "user sessions": user_sessions,
    },
    "build a dataset": {
        "link": link,
        "data export": data_export,
        "data list": data_list,
        "data verify": data_verify,
        "data stats": data_stats,
        "data split": data_split,
    },
    "train and compare": {
        "recipe list": recipe_list,
        "recipe show": recipe_show,
        "train": train,
        "model info": model_info,
        "model import": model_import,
        "model export": model_export,
        "evaluate tables": evaluate_tables,
        "evaluate average": average,
        "evaluate construction": evaluate_construction,
        "evaluate": evaluate_checkpoint,
        "compare": compare,
        "reproduce table2": reproduce_table2,
        "reproduce": reproduce,
    },
    "try it on drawn people": {
        "demo": demo,
        "simulate": simulate,
        "model pretrain": model_pretrain,
    },
    "in the shell": {"completion": completion},
}
COMMANDS = {name: command for group in GROUPS.values() for name, command in group.items()}
"""All of them; a longer name stands before the shorter one that it begins with."""
RENAMED = {"ablate": "reproduce", "benchmark": "reproduce", "export": "data export", "show": "recipe show"}
"""First words of version 0.1, which go on working in this one."""
KEPT = {
    "demo": "what is finished in --out is kept",
    "train": "the epochs that are finished are kept in --run-dir",
    "build": "the sources that are finished are kept in --out, and the one at work begins anew",
    "find": "the videos that are finished are kept in --out, and the one at work begins anew",
    "link": "every decision is kept",
    "case add": "the sources that are finished are kept",
    "case work": "the videos that are finished are kept, and the one at work begins anew",
    "serve": "what is finished of a demo is kept",
    "weights get": "what is fetched is kept",
    "simulate": "the videos that are finished are kept in --out",
    "evaluate": "the tables that are finished are kept",
    "reproduce": "the runs that are finished, and the epochs of the others, are kept in --out",
    "reproduce table2": "the runs that are finished, and the epochs of the others, are kept in --out",
}
"""What an interrupted command leaves to the next one; those that are not here leave nothing."""

_LARGEST_SHOWN = 4
"""Commands of a family that the overview shows one by one."""
_VERBS = 5
"""Of a larger family, that its one line names."""
_GO_ON = "and run the same command again, train with --resume"
_REMEDIES = {
    errno.ENOSPC: f"free some space, {_GO_ON}",
    errno.EDQUOT: f"free some space, or ask for more, {_GO_ON}",
    errno.EFBIG: f"allow larger files (ulimit -f), or write to another file system, {_GO_ON}",
    errno.EEXIST: "a file lies there; name another place",
    errno.EROFS: "name a place that can be written",
    errno.EMFILE: f"allow more open files (ulimit -n), {_GO_ON}",
    errno.EIO: "the disk, or what connects it, may be failing",
}
"""What helps against errors of the system, where its words do not say so."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit status."""
    given, shared = take_shared_options(sys.argv[1:] if arguments is None else arguments)
    prepare_streams(quiet=shared.quiet)
    try:
        status = _run(_renamed(given), shared)
        flush_output()
    except OutputError as error:
        abandon_output()
        if isinstance(error.__cause__, BrokenPipeError):
            return 141
        print_error(f"the standard output: {getattr(error.__cause__, 'strerror', error.__cause__)}")
        return 1
    return status


def _run(given: Sequence[str], shared: SharedOptions) -> int:
    name = next((name for name in COMMANDS if list(given[: name.count(" ") + 1]) == name.split()), None)
    try:
        shared.apply()
        if name is None:
            return _usage(given)
        rest = given[name.count(" ") + 1 :]
        if name == "train":
            return train(rest) or 0
        return parse(COMMANDS[name], f"skyreid {name}", rest)() or 0
    except SystemExit as stop:  # how a parser ends
        return stop.code if isinstance(stop.code, int) else 0
    except NothingFoundError as error:
        print_error(str(error), *getattr(error, "__notes__", ()))
        return NOTHING_FOUND
    except RefusedError as error:
        print_error(str(error), *getattr(error, "__notes__", ()))
        return REFUSED
    except SkyreidError as error:
        print_error(str(error), *getattr(error, "__notes__", ()))
        return 1
    except OutputError:
        raise
    except BrokenPipeError as error:  # while the parser showed its help
        raise OutputError from error
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0)
        file = error.filename2 or error.filename or f"skyreid {name}: a file"
        print_error(f"{file}: {error.strerror or error}" + (f"; {remedy}" if remedy else ""))
        return 1
    except MemoryError:
        print_error("this needs more memory than there is")
        return 1
    except RecursionError:
        print_error("what this was given is nested too deeply")
        return 1
    except KeyboardInterrupt:
        print_notice(f"interrupted; {KEPT.get(name or '', 'nothing is kept')}. To go on: {_again(name, given)}")
        return 130
    except Exception:
        for line in traceback.format_exc().splitlines():
            print_notice(line)
        print_error("this is a fault of skyreid, not of what it was given; the lines above belong into a report")
        return 70


def _renamed(given: Sequence[str]) -> Sequence[str]:
    """Put today's words for those of an earlier version, and say so."""
    if not given or given[0] not in RENAMED:
        return given
    new = RENAMED[given[0]]
    print_notice(f"'skyreid {given[0]}' is 'skyreid {new}' now; the old word goes on working in this version")
    return [*new.split(), *given[1:]]


def _again(name: str | None, given: Sequence[str]) -> str:
    """The command that goes on where this one was stopped."""
    resumed = ["--resume"] if name == "train" and "--resume" not in given else []
    return shlex.join(["skyreid", *given, *resumed])


def _usage(given: Sequence[str]) -> int:
    if list(given) == ["--version"]:
        print_lines([version("skyreid")])
        return 0
    words = [word for word in given[:2] if not word.startswith("-")]
    family = {name: command for name, command in COMMANDS.items() if name.split()[:1] == words[:1]}
    is_asked = not words or (len(words) == 1 and bool(family))
    if not is_asked:
        close = get_close_matches(" ".join(words), COMMANDS, n=1)
        print_error(f"no command is called {' '.join(words)!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
    shown = {"": _purposes(family)} if family else {purpose: _in_short(group) for purpose, group in GROUPS.items()}
    width = max(len(name) for commands in shown.values() for name in commands)
    lines = ["skyreid: find a person seen by a ground camera in drone footage, and the other way round."]
    for purpose, commands in shown.items():
        lines += ["", f"{purpose}:"] if purpose else [""]
        lines += [f"  skyreid {name:{width}}  {told}" for name, told in commands.items()]
    print_lines([*lines, "", f"{SHARED_OPTIONS}", "skyreid COMMAND --help says more."])
    return 0 if is_asked else 2


def _in_short(commands: dict[str, Callable[..., int | None]]) -> dict[str, str]:
    """What commands are for; a large family takes one line, so that the overview fits on a screen."""
    told = _purposes(commands)
    sizes = Counter(name.partition(" ")[0] for name in commands)
    for family in [family for family, size in sizes.items() if size > _LARGEST_SHOWN]:
        verbs = [name.partition(" ")[2] for name in commands if name.startswith(f"{family} ")]
        first, others = ", ".join(verbs[:_VERBS]), max(0, len(verbs) - _VERBS)
        told = {name: text for name, text in told.items() if not name.startswith(f"{family} ")}
        told[f"{family} …"] = f"{first}{f' and {others} more' if others else ''}: skyreid {family} lists them."
    return told


def _purposes(commands: dict[str, Callable[..., int | None]]) -> dict[str, str]:
    return {name: (command.__doc__ or "").splitlines()[0] for name, command in commands.items()}
