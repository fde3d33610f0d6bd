"""The command line as the table of docs/commands.md: python -m tests.cli.command_table > docs/commands.md."""

from collections.abc import Iterator

from skyreid.cli import COMMANDS, GROUPS, RENAMED
from skyreid.cli.arguments import EXAMPLES
from skyreid.cli.completion import options_of

HEAD = """# Commands

Every command takes `--help`, `--quiet` (no bars, no warnings) and `--device auto|cpu|cuda|cuda:N`; every one that
reports takes `--json`. Exit statuses: 0 done; 1 something that the caller can mend, said in one line; 2 a command line
that is none; 3 done, and the result is empty; 4 done, without a part of what was given, which is named (`find`, where
a video could not be used, or only in part), or a case has faults; 5 refused by the rules of a case; 70 a fault of
skyreid; 130 interrupted; 141 the reader of the output left.
"""


def command_table() -> str:
    return "\n".join([HEAD, *_groups(), *_renamed()]) + "\n"


def _groups() -> Iterator[str]:
    for purpose, commands in GROUPS.items():
        yield f"## {purpose[0].upper()}{purpose[1:]}\n"
        yield "| Command | What it does | Options | Example |\n|---|---|---|---|"
        for name, command in commands.items():
            yield f"| `{name}` | {(command.__doc__ or '').splitlines()[0]} | {_settings(name)} | `{EXAMPLES[name]}` |"
        yield ""


def _settings(name: str) -> str:
    if name == "train":
        return "`--resume`, and every setting of the recipe: `skyreid train RECIPE --help`"
    return " ".join(f"`{option}`" for option, _ in options_of(COMMANDS[name]) if option != "--json")


def _renamed() -> Iterator[str]:
    yield "## Words of version 0.1\n"
    yield "They go on working in this version and say the new ones on standard error.\n"
    yield "| Then | Now |\n|---|---|"
    yield from (f"| `skyreid {old}` | `skyreid {new}` |" for old, new in RENAMED.items())


if __name__ == "__main__":
    print(command_table(), end="")
