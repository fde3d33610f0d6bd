"""`skyreid weights`: published detectors, encoders and starting points, by their names."""

from pathlib import Path
from shutil import get_terminal_size
from textwrap import wrap
from typing import Annotated

import tyro

from skyreid.cli.terminal import Bars, Name, Note, show_result


def weights_list(*, json: bool = False) -> None:
    """List published weights: for what, under which licence, and which are here.

    Args:
        json: print JSON.
    """
    from skyreid.errors import WeightsError
    from skyreid.weights.published_files import PUBLISHED
    from skyreid.weights.weights_cache import cache_folder, in_cache

    lines, content = [], []
    for name, weights in PUBLISHED.items():
        place, state = None, "not in the cache"
        try:
            if place := in_cache(name):
                state = "in the cache"
        except WeightsError as error:
            state = f"in the cache: {error}"
        lines += _wrapped(f"{name}   {weights.use}, {weights.num_bytes / 1e6:.1f} MB, {state}", indent=0)
        lines += _wrapped(weights.what)
        lines += _wrapped(f"for {weights.good_for}")
        lines += _wrapped(f"licence: code {weights.code_licence}; weights {weights.weights_licence}")
        content.append(
            {
                "name": name,
                "what": weights.what,
                "use": weights.use,
                "good_for": weights.good_for,
                "code_licence": weights.code_licence,
                "weights_licence": weights.weights_licence,
                "settings": weights.settings,
                "files": [vars(file) for file in weights.files],
                "path": None if place is None else str(place),
                "state": state,
            }
        )
    lines += ["", f"The cache is {cache_folder()} (SKYREID_CACHE).", "'skyreid weights get NAME' fetches."]
    show_result(Note(lines, {"cache": str(cache_folder()), "weights": content}), json=json)


def _wrapped(text: str, *, indent: int = 4) -> list[str]:
    """Break a line at the terminal's width, at blanks only: addresses and hashes stay whole."""
    return wrap(
        text,
        max(40, get_terminal_size().columns),
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )


def weights_get(name: Name, *, json: bool = False) -> None:
    """Fetch published weights into the cache, and print their path.

    Args:
        name: one of `skyreid weights list`, such as yolox-s.
        json: print JSON.
    """
    from skyreid.weights.weights_cache import fetch

    with Bars() as bars:
        place = fetch(name, progress=bars)
    _show(name, place, json=json)


def weights_path(name: Name, *, json: bool = False) -> None:
    """Print the path of weights that are in the cache; nothing is fetched.

    Args:
        name: one of `skyreid weights list`, such as yolox-s.
        json: print JSON.
    """
    from skyreid.errors import WeightsError
    from skyreid.weights.weights_cache import in_cache, where_from

    place = in_cache(name)
    if place is None:
        said = (
            f"{name} is not in the cache: 'skyreid weights get {name}' fetches it, 'skyreid weights add {name}' takes"
        )
        raise WeightsError(f"{said} what you bring:", notes=where_from(name))
    _show(name, place, json=json)


def weights_add(name: Name, files: Annotated[tuple[Path, ...], tyro.conf.Positional], *, json: bool = False) -> None:
    """Take files that you bring into the cache, once their hash is right.

    Args:
        name: one of `skyreid weights list`, such as yolox-s.
        files: all of these weights, in any order and under any names.
        json: print JSON.
    """
    from skyreid.weights.weights_cache import adopt

    _show(name, adopt(name, files), json=json)


def _show(name: str, place: Path, *, json: bool) -> None:
    show_result(Note([str(place)], {"name": name, "path": str(place)}), json=json)
