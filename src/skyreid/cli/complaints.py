"""What the parser draws into a box, in one line: what came, what is taken, the nearest spelling.

tyro prints its complaints and promises no other way to them. They are read from what it prints (1.0.0 and 1.0.17 were
tried); a complaint in other words than those known here is passed on, without the box.
"""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import groupby

_CHOICE = re.compile(
    r"invalid choice '(?P<given>.*)' for argument '(?P<name>.*)'\. Expected one of \((?P<choices>.*)\)\."
)
_NO_VALUE = re.compile(r"Missing value for argument '(?:\(')?(?P<name>[^',]+).*Expected (?P<count>\d+) values?\.")
_VALUE = re.compile(r"Error parsing (?P<name>[^ ]+): (?P<reason>.*)")
_UNREADABLE = re.compile(r"(invalid literal for int\(\) with base 10|could not convert string to float): (?P<given>.*)")
_NO_TYPE = re.compile(r"no type matching (?P<form>.*?) could be instantiated from \[(?P<given>.*?)\]\..*")
_OPTION = re.compile(r"(?<!\S)--?[A-Za-z][\w.-]*")


def in_short(box: str, known: Sequence[str] = ()) -> str:
    """Say in one line what a box says, and which command says more.

    Args:
        box: what the parser printed.
        known: options of the command, `--like-this`; the parser itself names few of them.
    """
    *told, footer = _parts(box) or [[]]
    command = re.search(r"(skyreid.*) --help", " ".join(footer))
    if not told or command is None:
        return " ".join(box.split())
    return f"{_explained(told, command[1], known)} ({command[0]})"


def _parts(box: str) -> list[list[str]]:
    """Give the rows between the rules of a box, with their indentation.

    Where the standard output has no letters for a frame, there is none, and the title is the first part.
    """
    rows = [line[2:].rstrip("│ ") for line in box.splitlines() if not line.startswith(("╭", "╰"))]
    parts = [[*part] for is_rule, part in groupby(filter(None, rows), key=_is_rule) if not is_rule]
    return parts if box.startswith("╭") else parts[1:]


def _is_rule(row: str) -> bool:
    return set(row) in ({"─"}, {"-"})


def _explained(told: Sequence[Sequence[str]], command: str, known: Sequence[str]) -> str:
    said = " ".join(row.strip() for row in told[0])
    if found := _CHOICE.fullmatch(said):
        choices = re.findall(r"'([^']*)'", found["choices"])
        if "None" in choices:  # that is what it is without the option, and the others then come in any order
            choices = sorted({*choices} - {"None"})
        guess = _meant(found["given"], choices)
        return f"{found['name']} must be {_listed(choices, 'or')}; got {found['given']!r}{guess}"
    if found := _NO_VALUE.fullmatch(said):
        return f"{found['name']} needs {'a value' if found['count'] == '1' else found['count'] + ' values'}"
    if found := _VALUE.fullmatch(said):
        return _wrong_value(found["name"], found["reason"])
    unknown, needed = _unknown(told), _needed(told)
    options = [word for word in unknown if word.startswith("-")]
    shown = {name for part in told for row in part if row.startswith("    -") for name in _OPTION.findall(row)}
    guesses = {option: _meant(option, sorted(shown.union(known).difference(options))) for option in options}
    wrong = [f"{command} has no option {option}{guess}" for option, guess in guesses.items()]
    if unknown and not options:
        wrong = [f"{command} takes no further word; got {_listed(list(map(repr, unknown)), 'and')}"]
    if missing := [name for name in needed if not any(repr(name) in guess for guess in guesses.values())]:
        wrong.append(f"{'it' if wrong else command} needs {_listed(missing, 'and')}")
    return "; ".join(wrong) or said


def _wrong_value(name: str, reason: str) -> str:
    if found := _UNREADABLE.fullmatch(reason):
        kind = "a whole number" if "int" in found[1] else "a number"
        return f"{name} must be {kind}; got {found['given']}"
    if found := _NO_TYPE.fullmatch(reason):
        return f"{name} takes {found['form'].removeprefix('{None}|').strip('{}')}; got {found['given']}"
    return reason if reason.startswith(name) else f"{name}: {reason}"


def _unknown(told: Sequence[Sequence[str]]) -> list[str]:
    """Give the words that the parser has no place for."""
    for first, *others in told:
        if first.startswith("Unrecognized options:"):
            return [row.strip() for row in others] or first.partition(":")[2].strip().split(", ")
    return []


def _needed(told: Sequence[Sequence[str]]) -> list[str]:
    """Name what is missing: an option by its name, a word that stands alone by what it is."""
    needed: list[tuple[str, list[str]]] = []
    for first, *others in told:
        if not first.startswith("Missing from"):
            continue
        for row in others:
            if row.startswith(" " * 8):  # help, which may take several rows
                needed[-1][1].append(row.strip().removesuffix("(required)").strip())
                continue
            options = _OPTION.findall(row)
            needed.append((options[-1] if options else _WORDS.get(row.strip(), row.strip()), []))
    return [name if name.startswith("-") else f"{name} ({' '.join(said).strip(' .')})" for name, said in needed]


_WORDS = {"STR": "NAME"}
"""What the parser calls a word that stands alone, and what it is called in `--help` of other programs."""


def _listed(words: Sequence[str], last: str) -> str:
    *others, final = words
    return f"{', '.join(others)} {last} {final}" if others else final


def _meant(given: str, known: Sequence[str]) -> str:
    close = get_close_matches(given, known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
