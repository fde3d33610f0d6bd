"""A folder of videos from a simulated world, with everything that is true in them.

It holds

    world.json              the arguments that made it
    videos/NAME.mp4         NAME = scene, number of the session, platform: campus-01-ground
    truth/NAME.txt          boxes in MOTChallenge format
    truth/NAME.jsonl        all of the truth: `skyreid.simulation.scene_truth`
    truth/people.json       who there is, in words
    sources.json            written last: what `skyreid build --sources` takes

A video is finished when it stands in `videos`; its truth is there by then. Killed at any time and run again,
the simulation does the rest, and the files are the same as if nothing had happened.
"""

import io
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8

from skyreid.errors import DatasetError, SettingError
from skyreid.files.atomic_file import folder_lock, sweep_leftovers, write_atomically
from skyreid.files.regular_file import names_in
from skyreid.files.strict_json import read_json
from skyreid.processes.pool import finish_all
from skyreid.processes.progress import Progress, silent
from skyreid.simulation.captions import caption
from skyreid.simulation.filming import MAX_SEED, identity
from skyreid.simulation.scene_truth import (
    HEIGHT,
    PEOPLE_FILE,
    TRUTH_DIR,
    VIDEOS_DIR,
    WIDTH,
    DescribedPerson,
    SceneFrame,
    mot_lines,
    write_people,
    write_scene_truth,
)
from skyreid.simulation.scenes import SCENES
from skyreid.simulation.sessions.session import SessionPlan, plan_session, session_plans
from skyreid.simulation.sessions.shooting import shoot
from skyreid.tracklet import PLATFORMS, Platform

WORLD_FILE, SOURCES_FILE = "world.json", "sources.json"
_VERSION = 2
"""Raised whenever the same arguments give other files, so that one folder never holds two worlds."""
_MAX_IDENTITIES = 9999
_MAX_WORKERS = 256
_DAY = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
_SCENE_BEGINS_AFTER, _SESSION_BEGINS_AFTER = timedelta(minutes=65), timedelta(minutes=3)


@dataclass(frozen=True, kw_only=True)
class WorldArguments:
    """What makes a world; the same arguments make the same files."""

    identities: int
    seed: int
    frame_rate: int
    """Frames a second; even, so that every half second is a frame."""

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("identities", self.identities, 1, _MAX_IDENTITIES),
            ("seed", self.seed, 0, MAX_SEED),
            ("frame_rate", self.frame_rate, 2, 30),
        ):
            if not low <= value <= high:
                raise SettingError(f"a world's {name} must be from {low} to {high}; got {value}")
        if self.frame_rate % 2:
            raise SettingError(
                f"a world's frame_rate must be even, so that every half second is a frame; got {self.frame_rate}"
            )

    def __str__(self) -> str:
        return f"--identities {self.identities} --seed {self.seed} --frame-rate {self.frame_rate}"


@dataclass(frozen=True, kw_only=True)
class WorldFacts:
    """What a finished folder holds."""

    num_videos: int
    num_people: int
    duration_s: float
    """Of all videos together."""


@dataclass(frozen=True, kw_only=True)
class _Video:
    """One video to film."""

    plan: SessionPlan
    platform: Platform

    @property
    def name(self) -> str:
        return f"{self.plan.name}-{self.platform}"

    @property
    def camera(self) -> str:
        return f"{self.plan.scene}-{self.platform}"

    @property
    def start_time(self) -> datetime:
        scene = list(SCENES).index(self.plan.scene)
        return _DAY + scene * _SCENE_BEGINS_AFTER + (self.plan.number - 1) * _SESSION_BEGINS_AFTER

    def files(self, out_dir: Path) -> tuple[Path, Path, Path]:
        """The truth in two formats and the video, in the order in which they appear."""
        truth = out_dir / TRUTH_DIR
        return truth / f"{self.name}.jsonl", truth / f"{self.name}.txt", out_dir / VIDEOS_DIR / f"{self.name}.mp4"

    def is_finished(self, out_dir: Path) -> bool:
        return all(path.is_file() for path in self.files(out_dir))


def write_world(
    out_dir: Path, arguments: WorldArguments, *, num_workers: int = 1, progress: Progress = silent
) -> WorldFacts:
    """Film all sessions of a world; what an earlier run finished is kept.

    Pids run from 1. Every person is seen for at least 3 s from the ground and from a drone. With the same
    library versions on the same kind of machine, the same arguments give the same bytes, whatever the number
    of workers.

    Args:
        out_dir: a new or empty folder, or that of an earlier run with the same arguments.
        arguments: of the world.
        num_workers: processes that film; 1 films in this one. More are started anew: a script that asks for
            them keeps its own work under `if __name__ == "__main__"`.
        progress: told after every video.

    Raises:
        DatasetError: the folder holds something else, another world, or another run is at work in it.
        SettingError: a number is out of its range, or the world of this seed has no room for its people.

    Source: paper section 3.1 (nine scenes, heights, flight modes).
    """
    if not 1 <= num_workers <= _MAX_WORKERS:
        raise SettingError(f"a world is filmed by 1 to {_MAX_WORKERS} workers; got {num_workers}")
    videos = [
        _Video(plan=plan, platform=platform) for plan in session_plans(arguments.identities) for platform in PLATFORMS
    ]
    with _opened(out_dir, arguments):
        write_people(out_dir / TRUTH_DIR / PEOPLE_FILE, arguments.seed, _people(arguments))
        jobs = [_Job(out_dir, arguments, video) for video in videos if not video.is_finished(out_dir)]
        if jobs:
            (out_dir / SOURCES_FILE).unlink(missing_ok=True)
        done = len(videos) - len(jobs)
        progress("film videos", done, len(videos))
        for job, _ in finish_all(_film, jobs, num_workers):
            done += 1
            progress("film videos", done, len(videos), job.video.name)
        _sweep(out_dir)
        _write_json(out_dir / SOURCES_FILE, {"sources": [_source(video) for video in videos], "simulated": True})
    return WorldFacts(
        num_videos=len(videos),
        num_people=arguments.identities,
        duration_s=sum(video.plan.duration_s for video in videos),
    )


@dataclass(frozen=True)
class _Job:
    out_dir: Path
    arguments: WorldArguments
    video: _Video


def _film(job: _Job) -> None:
    """Write the files of one video, itself last."""
    seed, frame_rate, video = job.arguments.seed, job.arguments.frame_rate, job.video
    session = plan_session(seed, video.plan)
    truth: list[SceneFrame] = []

    def pictures() -> Iterator[UInt8[np.ndarray, "720 1280 3"]]:
        for shot in shoot(session, video.platform, frame_rate):
            truth.append(shot.truth)
            yield shot.pixels

    content = encode_video(pictures(), frame_rate)
    scene_truth, mot, path = video.files(job.out_dir)
    write_scene_truth(scene_truth, truth)
    write_atomically(mot, mot_lines(truth))
    write_atomically(path, [content])


_OPTIONS = {"preset": "veryfast", "crf": "20"}
"""Of the encoder."""


def encode_video(pictures: Iterable[UInt8[np.ndarray, "720 1280 3"]], frame_rate: int) -> bytes:
    """The H.264 video of RGB pictures in an MP4 file; picture k is shown at exactly k / `frame_rate` seconds.

    The same pictures give the same bytes with the same version of PyAV: one thread, no creation time.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=frame_rate, options=_OPTIONS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = Fraction(1, frame_rate)
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, frame_rate)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return buffer.getvalue()


@contextmanager
def _opened(out_dir: Path, arguments: WorldArguments) -> Iterator[None]:
    """The folder, checked, swept and locked."""
    if out_dir.exists() and not out_dir.is_dir():
        raise DatasetError(f"{out_dir}: must be a folder; it is a file")
    out_dir.mkdir(parents=True, exist_ok=True)
    with folder_lock(out_dir) as is_ours:
        if not is_ours:
            raise DatasetError(f"{out_dir}: another simulation is at work in this folder")
        _sweep(out_dir)
        _check_same_world(out_dir, arguments)
        _write_json(out_dir / WORLD_FILE, {"version": _VERSION, **asdict(arguments)})
        yield


def _check_same_world(out_dir: Path, arguments: WorldArguments) -> None:
    path = out_dir / WORLD_FILE
    if not path.exists():
        if names_in(out_dir):
            raise DatasetError(
                f"{out_dir}: must be new, empty, or the folder of an earlier simulation; it holds other files"
            )
        return
    try:
        content = read_json(path)
        version = content.pop("version", 1)
        found = WorldArguments(**content)
    except (ValueError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path}: must name the arguments of the world in this folder; {error}") from error
    if version != _VERSION:
        raise DatasetError(
            f"{out_dir}: was begun by a skyreid that makes other worlds (version {version}, this one makes "
            f"{_VERSION}); give another folder or remove this one"
        )
    if found != arguments:
        raise DatasetError(
            f"{out_dir}: holds the world {found}; got {arguments}; give another folder or remove this one"
        )


def _sweep(out_dir: Path) -> None:
    """Remove what a killed run was just writing."""
    for folder in (out_dir, out_dir / TRUTH_DIR, out_dir / VIDEOS_DIR):
        sweep_leftovers(folder)


def _people(arguments: WorldArguments) -> list[DescribedPerson]:
    scene_of = {pid: plan.scene for plan in session_plans(arguments.identities) for pid in plan.pids}
    return [
        DescribedPerson(pid=pid, caption=caption(identity(arguments.seed, pid)), scene=scene_of[pid])
        for pid in range(1, arguments.identities + 1)
    ]


def _source(video: _Video) -> dict[str, str]:
    _, mot, path = video.files(Path())
    return {
        "file": path.as_posix(),
        "platform": video.platform.value,
        "camera": video.camera,
        "start_time": video.start_time.isoformat(),
        "annotations": mot.as_posix(),
        "format": "mot-gt",
    }


def _write_json(path: Path, content: object) -> None:
    write_atomically(path, [json.dumps(content, indent=1).encode() + b"\n"])
