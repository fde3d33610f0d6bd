"""`skyreid completion`: what a shell needs to complete commands, options and their choices."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Literal, get_args, get_origin

import tyro

from skyreid.cli.terminal import Note, show_result

_SHARED = ["--help", "--quiet", "--device"]
_TRAINING = {"--data-root": (), "--run-dir": (), "--pretrained": (), "--resume": None, "--json": None}
"""Of the options of `train`, those that every recipe has."""


def completion(shell: Annotated[Literal["bash", "zsh"], tyro.conf.Positional], *, json: bool = False) -> None:
    """Print a script of completions: eval "$(skyreid completion bash)".

    Args:
        shell: bash or zsh.
        json: print JSON.
    """
    script = [*(["autoload -U +X bashcompinit && bashcompinit"] if shell == "zsh" else []), *_script()]
    show_result(Note(script, {"shell": shell, "script": "\n".join(script)}), json=json)


def _script() -> Iterator[str]:
    from skyreid.cli import COMMANDS
    from skyreid.recipes import RECIPES

    yield "_skyreid() {"
    yield "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words= options="
    yield '  case "${COMP_WORDS[*]:1:COMP_CWORD-1} " in'
    for name in sorted(COMMANDS, key=lambda name: -name.count(" ")):
        settings = _TRAINING if name == "train" else dict(options_of(COMMANDS[name]))
        places = [*_following(name, COMMANDS), *([] if name == "train" else _places(COMMANDS[name]))]
        yield f'    "{name} "*)'
        yield f"      options={_quoted([*_SHARED, *settings])}"
        yield "      case $before in"
        for option, choices in {**settings, "--device": ("auto", "cpu", "cuda")}.items():
            if choices is not None:
                yield f"        {option}) words={_quoted(choices)} options= ;;"
        if name in ("train", "recipe show", "model info"):
            yield f"        {name.split()[-1]}) words={_quoted(RECIPES)} ;;"
        yield f"        *) words={_quoted(places)} ;;"
        yield "      esac ;;"
    for family in sorted({name.split()[0] for name in COMMANDS if " " in name} - COMMANDS.keys()):
        yield f'    "{family} "*) words={_quoted(_following(family, COMMANDS))} ;;'
    yield f'    " ") words={_quoted(dict.fromkeys(name.split()[0] for name in COMMANDS))} options=--version ;;'
    yield "  esac"
    yield "  [[ $word == -* ]] && words=$options"
    yield '  COMPREPLY=($(compgen -W "$words" -- "$word"))'
    yield "}"
    yield "complete -o default -o bashdefault -F _skyreid skyreid  # where there are no words: files"


def _following(family: str, names: Iterable[str]) -> list[str]:
    return [name.split()[1] for name in names if name.startswith(f"{family} ")]


def options_of(command: Callable[..., object]) -> Iterator[tuple[str, Iterable[str] | None]]:
    """Give every option, with the words that may follow it; None = it stands alone, none = files and numbers."""
    for parameter in inspect.signature(command).parameters.values():
        if _is_place(parameter):
            continue
        name = parameter.name.replace("_", "-")
        if parameter.annotation is bool:
            yield f"--no-{name}" if parameter.default is True else f"--{name}", None
        else:
            yield f"--{name}", _choices(parameter.annotation)


def _places(command: Callable[..., object]) -> list[str]:
    """List the words that may stand without an option."""
    places = filter(_is_place, inspect.signature(command).parameters.values())
    return [word for place in places for word in _choices(place.annotation)]


def _is_place(parameter: inspect.Parameter) -> bool:
    return tyro.conf.Positional in get_args(parameter.annotation)


def _choices(annotation: object) -> list[str]:
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation)]
    if get_origin(annotation) is Annotated:
        return _choices(get_args(annotation)[0])
    return []


def _quoted(words: Iterable[str]) -> str:
    return f"'{' '.join(words)}'"
