"""Published weights on this machine: looked up in one folder, fetched into it when asked for, or brought by hand.

A file gets its name in the cache when it is whole and has the published hash, and its hash is looked at again whenever
it is used: there is never a wrong file under the right name.

The cache is SKYREID_CACHE, else `skyreid` in XDG_CACHE_HOME, ~/.cache or, on Windows, LOCALAPPDATA. With
SKYREID_OFFLINE=1 nothing is fetched. SKYREID_MIRROR is the address of a folder with the same places as the cache, from
which everything is fetched instead; it is https, or http on this machine.
"""

import hashlib
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from urllib.parse import urlsplit

from skyreid.arguments import find_named, path_of
from skyreid.errors import SettingError, WeightsError
from skyreid.files.atomic_file import write_atomically
from skyreid.files.regular_file import file_sha256, open_regular
from skyreid.processes.progress import Progress, silent
from skyreid.weights.fetching import FetchError, address_of, fetch_file, is_published
from skyreid.weights.published_files import PUBLISHED, PublishedFile, PublishedWeights, Use

logger = logging.getLogger(__name__)

_PIECE_BYTES = 2**20


def published(name: str) -> PublishedWeights:
    """Look weights up by their name.

    Raises:
        SettingError: nothing has this name; the message suggests one.
    """
    return find_named(name, PUBLISHED, "published model")


def cache_folder() -> Path:
    """Tell where weights are kept; the folder need not be there yet.

    Raises:
        SettingError: nobody knows the user's folder, and SKYREID_CACHE is not set.
    """
    if given := os.environ.get("SKYREID_CACHE"):
        return path_of(given, "the cache (SKYREID_CACHE)").absolute()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local) / "skyreid" if local else _home() / "AppData" / "Local" / "skyreid"
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (xdg if xdg.is_absolute() else _home() / ".cache") / "skyreid"  # a relative one is to be ignored


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        raise SettingError(f"name a folder for weights by SKYREID_CACHE; {error}") from error


def with_file(text: str, use: Use, *, progress: Progress = silent) -> str:
    """Put the file of published weights, fetched when it is missing, where an option gives their name.

    `yolox-s,score=0.3` becomes `/…/yolox_s.onnx,kind=yolox,score=0.3`; what begins with no name comes back as it is.

    Args:
        text: of the option: a file or a name, and perhaps settings after a comma.
        use: what the option takes.
        progress: hears of what is fetched.

    Raises:
        SettingError: a name of weights for something else, or nearly a name.
        WeightsError: they cannot be fetched, or came wrong.
    """
    name, comma, settings = text.partition(",")
    names = [known for known, weights in PUBLISHED.items() if weights.use == use]
    if name not in PUBLISHED:
        looks_like_a_name = not Path(name).suffix and Path(name).name == name and not Path(name).exists()
        close = get_close_matches(name.lower().replace("_", "-"), names, n=1) if looks_like_a_name else []
        if close:
            raise SettingError(f"{name}: there is no such file; did you mean the weights {close[0]}?")
        return text
    if name not in names:
        raise SettingError(
            f"{name} is of the kind {PUBLISHED[name].use!r}; as {use} there are {', '.join(names)}, or a file"
        )
    path = fetch(name, progress=progress)
    return f"{path}{f',{given}' if (given := PUBLISHED[name].settings) else ''}{comma}{settings}"


def in_cache(name: str) -> Path | None:
    """Give the place of weights, their first file; None where one of their files is not in the cache.

    Raises:
        SettingError: nothing has this name.
        WeightsError: a file there is another than the published one.
    """
    places = [(file, cache_folder() / file.place) for file in published(name).files]
    return places[0][1] if all(_is_there(file, place) for file, place in places) else None


def fetch(name: str, *, mirror: str | None = None, progress: Progress = silent) -> Path:
    """Give the place of weights, their first file, after fetching what the cache lacks and saying so.

    Args:
        name: of the table.
        mirror: address that is asked instead of the publisher's; None = SKYREID_MIRROR, if that is set.
        progress: hears of kilobytes.

    Raises:
        SettingError: nothing has this name, or a mirror that is not to be asked.
        WeightsError: nothing may be fetched, the publisher cannot be reached or gives something else, or another file
            lies in the place; the message says what helps.
        OSError: the cache cannot be written.
    """
    weights, cache = published(name), cache_folder()
    missing = [file for file in weights.files if not _is_there(file, cache / file.place)]
    if not missing:
        return cache / weights.files[0].place
    mirror = os.environ.get("SKYREID_MIRROR") if mirror is None else mirror
    if os.environ.get("SKYREID_OFFLINE", "0") not in ("", "0"):
        raise WeightsError(f"{name} is not in the cache, and SKYREID_OFFLINE forbids to fetch it; {by_hand(name)}")
    whole = sum(file.num_bytes for file in missing)
    asked = {file: address_of(file, mirror) for file in missing}
    logger.warning(
        "%s: fetching %.1f MB from %s into %s; licence of the weights: %s (SKYREID_OFFLINE=1 forbids it)",
        name,
        whole / 1e6,
        urlsplit(asked[missing[0]]).netloc,
        cache,
        weights.weights_licence,
    )
    done = 0
    for file, address in asked.items():

        def hear(num_bytes: int, before: int = done) -> None:
            progress(f"fetching {name} (kB)", (before + num_bytes) // 1000, whole // 1000)

        try:
            fetch_file(file, cache / file.place, address, hear=hear)
            done += file.num_bytes
        except FetchError as error:
            raise WeightsError(f"{name}: {error}; {by_hand(name)}") from error
    return cache / weights.files[0].place


def adopt(name: str, files: Sequence[str | PathLike[str]]) -> Path:
    """Copy files that somebody brings into the cache, after the check that fetched ones pass; gives the first's place.

    Args:
        name: of the table.
        files: in any order, under any names; those that are in the cache may be left out.

    Raises:
        SettingError: nothing has this name.
        WeightsError: a file is another than the published one, or one is missing.
        OSError: a file cannot be read, or the cache not written.
    """
    weights, cache = published(name), cache_folder()
    brought: dict[PublishedFile, Path] = {}
    for given in files:
        path = path_of(given, "a file of weights")
        fitting = [file for file in weights.files if is_published(file, path)]
        if not fitting:
            raise WeightsError(
                f"{path}: is not of {name}: its sha256 is {file_sha256(path)}, its size "
                f"{path.stat().st_size:,} bytes; {by_hand(name)}"
            )
        brought[fitting[0]] = path
    for file in weights.files:
        if file not in brought and not (cache / file.place).exists():
            whole = "one file" if len(weights.files) == 1 else f"{len(weights.files)} files"
            raise WeightsError(f"{name} is {whole}, and {file.name} is missing; {by_hand(name)}")
    for file, path in brought.items():
        write_atomically(cache / file.place, _checked(file, path))
    place = in_cache(name)
    assert place is not None
    return place


def _checked(file: PublishedFile, path: Path) -> Iterator[bytes]:
    """Give a file piece by piece, and refuse it at the end if it was changed since it was looked at."""
    digests = {digest: hashlib.new(digest.partition(":")[0]) for digest in (file.digest, *file.equivalents)}
    with open_regular(path) as content:
        while piece := content.read(_PIECE_BYTES):
            for running in digests.values():
                running.update(piece)
            yield piece
    if not any(running.hexdigest() == digest.partition(":")[2] for digest, running in digests.items()):
        raise WeightsError(f"{path}: changed while it was copied")


def by_hand(name: str) -> str:
    """Say where weights are to be had and how they get into the cache without this program's help."""
    files, cache = published(name).files, cache_folder()
    told = " and ".join(where_from(name))
    names, places = " ".join(file.name for file in files), " and ".join(str(cache / file.place) for file in files)
    return f"get {told} by hand, then 'skyreid weights add {name} {names}', or put it at {places}"


def where_from(name: str) -> list[str]:
    """Say of each file where it is to be had and by what it is known."""
    return [f"{file.address} ({file.num_bytes:,} bytes, {file.digest})" for file in published(name).files]


def _is_there(file: PublishedFile, place: Path) -> bool:
    if not place.exists():
        return False
    if not is_published(file, place):
        raise WeightsError(
            f"{place}: is not the published file: {file.num_bytes:,} bytes with {file.digest}; remove it to have that "
            "one fetched; to use it as it is, name its path instead"
        )
    return True
