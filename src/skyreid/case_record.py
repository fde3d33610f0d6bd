"""What the folder of a case remembers from one `skyreid find` to the next: `case.json`.

Who finds and who compares was chosen once, and counts as long as something that it made is there; a camera keeps its
name when a video of the same name is added; and what was said on the page can be said again.

This case is a build with one file more. Those of `skyreid case` are in `cases/`: directories with a database, into
which the folder of a `find` can be brought, as other builds can.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from dataclasses import replace as changed
from pathlib import Path
from typing import TypeVar

from skyreid.arguments import path_of
from skyreid.building.build_folder import CASE_FILE, cut_from, finished_names
from skyreid.building.finder import MOTION
from skyreid.building.sources import Source
from skyreid.building.video.picture_folder import film_sha256
from skyreid.datasets.manifest import Manifest
from skyreid.errors import SettingError, SourceError, WeightsError
from skyreid.files.atomic_file import write_atomically
from skyreid.files.regular_file import file_sha256
from skyreid.files.strict_json import read_json
from skyreid.retrieval.sighting import find_videos
from skyreid.tracklet import Platform
from skyreid.weights.published_files import PUBLISHED
from skyreid.weights.weights_cache import in_cache

Choice = TypeVar("Choice", str, float, bool)


COLOURS = "colours"
"""The model that needs no weights: six stripes of mean colour."""
PREFERRED_DETECTORS = ("yolox-s", "yolox-tiny", "yolox-nano")
PREFERRED_MODELS = ("person-reid-0277", "person-reid-0287", "person-reid-0286")
"""The first that lies in the cache is taken; nothing is fetched unless it is named."""
_INTERVAL_S = 0.5
WORDS = {MOTION: "their motion", COLOURS: "the colours of their clothes"}


@dataclass(frozen=True, kw_only=True)
class CaseVideo:
    """A video of the case."""

    path: Path
    """Absolute."""
    platform: Platform
    camera: str

    @property
    def source(self) -> Source:
        """As a build takes it."""
        return Source(path=self.path, platform=self.platform, camera=self.camera)


@dataclass(frozen=True, kw_only=True)
class CaseRecord:
    """A case, as it was begun and as it was last shown."""

    detector: str
    """As `find` takes it; a file by its absolute path."""
    model: str
    interval_s: float
    mask_faces: bool
    videos: tuple[CaseVideo, ...]
    left_out: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    by_video: tuple[str, ...] = ()


def read_case(folder: Path) -> CaseRecord | None:
    """Read what a folder remembers; None where no `find` was.

    Raises:
        SourceError: the record is damaged.
    """
    path = folder / CASE_FILE
    try:
        told = read_json(path)
        return CaseRecord(
            detector=str(told["detector"]),
            model=str(told["model"]),
            interval_s=float(told["interval_s"]),
            mask_faces=bool(told["mask_faces"]),
            videos=tuple(
                CaseVideo(path=Path(one["path"]), platform=Platform(one["platform"]), camera=str(one["camera"]))
                for one in told["videos"]
            ),
            left_out=tuple(map(str, told["left_out"])),
            remarks=tuple(map(str, told["remarks"])),
            by_video=tuple(map(str, told["by_video"])),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise SourceError(
            f"{path} is damaged ({type(error).__name__}: {error}); remove it, and name --detector and --model as before"
        ) from error


def write_case(folder: Path, record: CaseRecord) -> None:
    """Write it, whole or not at all."""
    told = asdict(record)
    told["videos"] = [{**one, "path": str(one["path"]), "platform": one["platform"].value} for one in told["videos"]]
    write_atomically(folder / CASE_FILE, [json.dumps(told, indent=1).encode() + b"\n"])


def footage_of(folder: Path, manifest: Manifest, place: Path | None = None) -> dict[str, Path]:
    """Where the videos of a build are: in the folder that somebody names, else where `find` saw them, else beside it.

    Of several files of one name, each is given to the video that was cut from it.

    Args:
        folder: of the build.
        manifest: of it.
        place: folder with the footage; what is not in it may still be where `find` saw it.

    Returns:
        By the name of the source, those that are there.

    Raises:
        SettingError: `place` is no folder.
        ManifestError: the manifest names its sources in another way than `skyreid build` does.
        SourceError: what the folder remembers is damaged.
    """
    if place is not None and not place.is_dir():
        why = "that is a file" if place.exists() else "there is no such folder"
        raise SettingError(f"{place}: --videos names the folder with the footage; {why}")
    case = read_case(folder)
    seen = {} if case is None else {one.source.name: one.path for one in case.videos if one.path.exists()}
    found = find_videos(manifest, (folder, folder.parent) if place is None else (place,))
    several = {path for path, count in Counter(found.values()).items() if count > 1}
    found = {
        name: path for name, path in found.items() if path not in several or cut_from(folder, name) == film_sha256(path)
    }
    return {**found, **seen} if place is None else {**seen, **found}


def binding_case(folder: Path) -> CaseRecord | None:
    """What a case was begun with, as long as something is there that was made so.

    Raises:
        SourceError: the record is damaged.
    """
    return read_case(folder) if finished_names(folder) else None


def demand_of(
    out_dir: Path,
    before: CaseRecord | None,
    detector: str | None,
    model: str | None,
    interval_s: float | None,
    *,
    mask_faces: bool,
    replace: bool,
) -> CaseRecord:
    """What is asked for, else what the case was begun with, else the best at hand; without its videos.

    Args:
        out_dir: folder of the case.
        before: as the case was begun; None = it is new.
        detector: as `find` takes it.
        model: as `find` takes it.
        interval_s: as `find` takes it.
        mask_faces: as `find` takes it.
        replace: what was begun does not count.

    Raises:
        SettingError: something else is asked for than the case was begun with.
        WeightsError: it was begun with published weights that are not in the cache.
    """
    kept = None if replace else before
    detector, model = _lasting(detector), _lasting(model)
    if isinstance(interval_s, int):
        interval_s = float(interval_s)  # as the record gives it back: it is compared as text
    if kept is not None:
        _refuse_other(out_dir, "its people were found by", "--detector", kept.detector, detector)
        _refuse_other(out_dir, "its people were compared by", "--model", kept.model, model)
        _refuse_other(out_dir, "it was looked at every (seconds)", "--interval-s", kept.interval_s, interval_s)
        if kept.mask_faces is not mask_faces:
            was = "covered" if kept.mask_faces else "not covered (--no-mask-faces)"
            raise SettingError(f"{out_dir}: its faces were {was}; ask for the same, or {_ANEW}")
        for name in (kept.detector, kept.model):
            if name in PUBLISHED and in_cache(name) is None:
                raise WeightsError(
                    f"{out_dir}: was begun with {name}, which is not in the cache: skyreid weights get {name}, or "
                    f"{_ANEW}"
                )
    return CaseRecord(
        detector=detector or (kept.detector if kept else first_in_cache(PREFERRED_DETECTORS) or MOTION),
        model=model or (kept.model if kept else first_in_cache(PREFERRED_MODELS) or COLOURS),
        interval_s=interval_s if interval_s is not None else kept.interval_s if kept else _INTERVAL_S,
        mask_faces=mask_faces,
        videos=(),
        left_out=() if before is None else before.left_out,
        remarks=() if before is None else before.remarks,
        by_video=() if before is None else before.by_video,
    )


_ANEW = "add --replace to begin anew, or name another --out"


def _refuse_other(out_dir: Path, was: str, option: str, kept: Choice, asked: Choice | None) -> None:
    """Refuse another choice than the case was begun with; a file that lies elsewhere may still be the same."""
    both_files = isinstance(kept, str) and isinstance(asked, str) and all(map(_names_a_file, (kept, asked)))
    if asked is None or asked == kept or both_files:
        return
    raise SettingError(
        f"{out_dir}: {was} {WORDS.get(str(kept), kept)}, and {option} {asked} is asked for; leave {option} out to go "
        f"on, or {_ANEW}"
    )


def _names_a_file(text: str) -> bool:
    return text.partition(",")[0] not in (MOTION, COLOURS, *PUBLISHED)


def _lasting(text: str | None) -> str | None:
    """The same, a file by its absolute path: the next run may begin in another folder."""
    if not text or not _names_a_file(text):
        return text
    file, comma, settings = text.partition(",")
    path = path_of(file, "a file")
    return f"{path.resolve()}{comma}{settings}" if path.exists() else text


def better_than(case: CaseRecord) -> tuple[str, ...]:
    """What lies in the cache now and would be chosen today."""
    told = []
    for chosen, names, plain in (
        (case.detector, PREFERRED_DETECTORS, MOTION),
        (case.model, PREFERRED_MODELS, COLOURS),
    ):
        best = first_in_cache(names)
        order = [*names, plain]
        if best is not None and chosen in order and order.index(best) < order.index(chosen):
            told.append(
                f"{best} is in the cache now. This case was begun with {WORDS.get(chosen, chosen)} and goes on so; "
                "the same command with --replace begins anew with it."
            )
    return tuple(told)


def first_in_cache(names: Sequence[str]) -> str | None:
    """The first of some published weights that lies in the cache; nothing is fetched that nobody named."""
    return next((name for name in names if in_cache(name) is not None), None)


def with_cameras(sources: Sequence[Source], folder: Path, known: Sequence[CaseVideo]) -> list[Source]:
    """Give every video the name of its camera: the one that it has in the case, also after it was moved, or a new one.

    A new one is the file's name, and the folder's too where several have that name.

    Args:
        sources: of the videos; a camera that somebody named keeps its name.
        folder: of the case.
        known: its videos.
    """
    of_path = {(video.path, video.platform): video.camera for video in known}
    named = [
        changed(source, camera=source.camera or of_path.get((source.path.resolve(), source.platform), ""))
        for source in sources
    ]
    given = {source.path.resolve() for source in sources}
    gone = [video for video in known if video.path not in given]
    for place, source in enumerate(named):
        moved = [] if source.camera else [video for video in gone if _is_moved(video, source, folder)]
        if moved:
            named[place] = changed(source, camera=moved[0].camera)
            gone.remove(moved[0])
    taken = {_key(source) for source in named if source.camera}
    taken |= {_key(video.source) for video in gone}
    of_stem = Counter(source.path.stem.casefold() for source in named if not source.camera)
    for stem in of_stem:
        alike = [place for place, one in enumerate(named) if not one.camera and one.path.stem.casefold() == stem]
        for place, source in zip(alike, _renamed([named[place] for place in alike], taken), strict=True):
            named[place] = source
            taken.add(_key(source))
    return named


_NAMINGS: tuple[Callable[[Path], str], ...] = (
    lambda path: path.stem,
    lambda path: f"{path.parent.name}-{path.stem}",
    lambda path: f"{path.parent.name}-{path.name}",
    lambda path: "-".join((*path.parts[-3:-1], path.stem)),
)


def _renamed(sources: Sequence[Source], taken: set[str]) -> list[Source]:
    """Videos of one name, each with a camera of its own that nobody has, told apart by as little as does."""
    for naming in _NAMINGS:
        named = [changed(source, camera=naming(source.path.resolve())) for source in sources]
        keys = {_key(source) for source in named}
        if len(keys) == len(named) and keys.isdisjoint(taken):
            return named
    numbers = (number for number in range(2, 10**6))
    named = []
    for source in sources:
        while _key(one := changed(source, camera=f"{source.path.stem}-{next(numbers)}")) in taken:
            pass
        named.append(one)
    return named


def _key(source: Source) -> str:
    """What must differ from video to video."""
    return source.name.casefold()


def _is_moved(video: CaseVideo, source: Source, folder: Path) -> bool:
    """Whether a video is one of the case that lies elsewhere now."""
    if video.path.name != source.path.name or video.platform is not source.platform or not source.path.is_file():
        return False
    return cut_from(folder, video.source.name) == file_sha256(source.path)
