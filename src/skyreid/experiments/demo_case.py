"""A case to try the web pages on: a small world films itself, its people are cut out, and nobody decided anything yet.

Everything in it is drawn, and says so. Faces are covered as in a build of real footage; the videos stay, so that a
tracklet can be looked up in its video.
"""

import getpass
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from skyreid.building.build import build
from skyreid.building.sources import Source, sources_of
from skyreid.case_record import COLOURS
from skyreid.cases.case import create_case, is_case, open_case
from skyreid.cases.work.importing import import_build
from skyreid.errors import SettingError
from skyreid.files.atomic_file import folder_lock, write_atomically
from skyreid.files.regular_file import names_in
from skyreid.finding import colour_table
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.embedding_table import TABLE_FILE, save_table
from skyreid.simulation.scene_truth import VIDEOS_DIR
from skyreid.simulation.world import SOURCES_FILE, WorldArguments, write_world

DEMO_FILE = "demo.json"
"""Stands in the folder of a demo, and says whether it is ready."""
NAME = "Demo: two squares from both sides"
PURPOSE = "to try skyreid on drawn people"
WORLD = WorldArguments(identities=10, seed=0, frame_rate=2)
"""Two scenes from both sides; two frames a second are all that a case looks at, and drawing them takes the time."""
_CASE, _FOOTAGE, _BUILT = "demo", "footage", "built"


def usual_demo_folder() -> Path:
    """Give the folder of this machine's user for a demo, in the one for temporary files; nobody else may look into it.

    Raises:
        SettingError: something else lies there, or it is somebody else's.
    """
    folder = Path(tempfile.gettempdir()) / f"skyreid-demo-{getpass.getuser()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid != os.getuid()):
        raise SettingError(f"{folder}: is not this user's folder; name another one: skyreid serve FOLDER --demo")
    return folder


def make_demo_case(folder: Path, *, num_workers: int, progress: Progress = silent) -> None:
    """Fill a folder with the case of the demo; what an earlier, interrupted call finished is not done again.

    Args:
        folder: new, empty, or of an earlier demo.
        num_workers: processes that draw.
        progress: hears of every step.

    Raises:
        SettingError: the folder holds something else, or another demo is being made in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if names_in(folder) and not (folder / DEMO_FILE).exists():
        raise SettingError(f"{folder}: holds something else; a demo begins in a new folder")
    if _is_ready(folder):
        return
    with folder_lock(folder) as is_ours:
        if not is_ours:
            raise SettingError(f"{folder}: another demo is being made in it")
        _note(folder, is_ready=False)
        footage = folder / _FOOTAGE
        write_world(footage, WORLD, num_workers=num_workers, progress=progress)
        # Beside the videos, where a case looks for them.
        built = footage / VIDEOS_DIR / _BUILT
        build(_unnamed(sources_of(footage / SOURCES_FILE)), built, progress=progress)
        save_table(built / TABLE_FILE, replace(colour_table(built), model=COLOURS))
        path = folder / _CASE
        made = open_case(path) if is_case(path) else create_case(path, by="skyreid", name=NAME)
        with made as case:
            import_build(case, built, by="skyreid", purpose=PURPOSE, progress=progress)
        shutil.rmtree(built)
        _note(folder, is_ready=True)


def _unnamed(sources: Sequence[Source]) -> list[Source]:
    """Keep to oneself who is who: that is for people to find out."""
    return [replace(source, identities="per-video") for source in sources]


def _is_ready(folder: Path) -> bool:
    path = folder / DEMO_FILE
    return path.exists() and json.loads(path.read_bytes()).get("is_ready") is True


def _note(folder: Path, *, is_ready: bool) -> None:
    content = {"what": "a demo of skyreid: everybody here is drawn", "is_ready": is_ready}
    write_atomically(folder / DEMO_FILE, [json.dumps(content, indent=1).encode() + b"\n"])
