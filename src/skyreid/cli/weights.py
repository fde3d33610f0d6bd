"""`skyreid weights`: published detectors, encoders and starting points, by their names."""

from pathlib import Path
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
        lines += [
            f"{name}   {weights.use}, {weights.num_bytes / 1e6:.1f} MB, {state}",
            f"    {weights.what}",
            f"    for {weights.good_for}",
            f"    licence: code {weights.code_licence}; weights {weights.weights_licence}",
        ]
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
    lines.append(f"The cache is {cache_folder()} (SKYREID_CACHE). 'skyreid weights get NAME' fetches.")
    show_result(Note(lines, {"cache": str(cache_folder()), "weights": content}), json=json)


def weights_get(name: Name, *, json: bool = False) -> None:
    """Fetch published weights into the cache, and print their path.

    Args:
        name: of the list.
        json: print JSON.
    """
    from skyreid.weights.weights_cache import fetch

    with Bars() as bars:
        place = fetch(name, progress=bars)
    _show(name, place, json=json)


def weights_path(name: Name, *, json: bool = False) -> None:
    """Print the path of weights that are in the cache; nothing is fetched.

    Args:
        name: of the list.
        json: print JSON.
    """
    from skyreid.errors import WeightsError
    from skyreid.weights.weights_cache import by_hand, in_cache

    place = in_cache(name)
    if place is None:
        raise WeightsError(f"{name} is not in the cache: 'skyreid weights get {name}' fetches it; or {by_hand(name)}")
    _show(name, place, json=json)


def weights_add(name: Name, files: Annotated[tuple[Path, ...], tyro.conf.Positional], *, json: bool = False) -> None:
    """Take files that you bring into the cache, once their hash is right.

    Args:
        name: of the list.
        files: all of these weights, in any order and under any names.
        json: print JSON.
    """
    from skyreid.weights.weights_cache import adopt

    _show(name, adopt(name, files), json=json)


def _show(name: str, place: Path, *, json: bool) -> None:
    show_result(Note([str(place)], {"name": name, "path": str(place)}), json=json)
