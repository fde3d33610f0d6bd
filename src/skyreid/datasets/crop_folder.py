"""A plain folder of crops: one subfolder for each tracklet, nothing said about who is who."""

import re
from pathlib import Path

from skyreid.errors import DatasetError
from skyreid.files.file_kinds import BUILD, CROPS, require_kind
from skyreid.files.folder_listing import names_in
from skyreid.files.picture_file import SUFFIXES
from skyreid.tracklet import Frame, Platform, Tracklet

_DIGITS = re.compile(r"(\d+)")


def read_crops(folder: Path, *, platform: Platform) -> tuple[Tracklet, ...]:
    """Read each subfolder as a tracklet of its own person, frames in the order of the numbers in their names.

    Args:
        folder: whose subfolders hold the pictures.
        platform: of all of them; such a folder does not tell.

    Raises:
        DatasetError: no such folder; none of its subfolders holds a picture, or pictures lie beside them.
    """
    require_kind(folder, CROPS, BUILD, error=DatasetError)
    pictures = {name: _pictures(folder / name) for name in _in_order(names_in(folder)) if (folder / name).is_dir()}
    if loose := _pictures(folder):
        raise DatasetError(
            f"{folder}: {len(loose)} pictures lie beside the subfolders, such as {loose[0]}: one subfolder is one "
            "tracklet, so put them into one of their own"
        )
    if not any(pictures.values()):
        raise DatasetError(
            f"{folder} has no manifest.jsonl ('skyreid build' writes it) and no subfolders of crops, one for each "
            "tracklet; a benchmark is read by its name: --data g2a-vreid (skyreid data list names them)"
        )
    if empty := [name for name, inside in pictures.items() if not inside]:
        raise DatasetError(
            f"{folder}: {len(empty)} subfolders hold no picture, such as {empty[0]}; remove them, or put their crops "
            f"straight into them ({', '.join(sorted(SUFFIXES))})"
        )
    return tuple(
        Tracklet(
            tracklet_id=name,
            frames=tuple(Frame(str(folder / name / picture)) for picture in inside),
            pid=number,
            camid=0,
            platform=platform,
        )
        for number, (name, inside) in enumerate(pictures.items(), start=1)
    )


def _pictures(folder: Path) -> list[str]:
    return [name for name in _in_order(names_in(folder)) if Path(name).suffix.lower() in SUFFIXES]


def _in_order(names: list[str]) -> list[str]:
    """Sort by the numbers in the names: frame 10 comes after frame 9."""
    return sorted(
        names, key=lambda name: [int(part) if place % 2 else part for place, part in enumerate(_DIGITS.split(name))]
    )
