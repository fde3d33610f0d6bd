"""A small ground-to-aerial benchmark of simulated people, on disk in the authors' layout."""

from contextlib import closing
from functools import partial
from itertools import product
from pathlib import Path

from skyreid.datasets.benchmarks.mars_layout import write_mars_layout
from skyreid.errors import DatasetError
from skyreid.files.atomic_file import scratch_folder, sweep_leftovers
from skyreid.processes.pool import finish_all
from skyreid.processes.progress import Progress, silent
from skyreid.simulation.difficulty import USUAL, Difficulty
from skyreid.simulation.filming import FRAME_INTERVAL_S, MAX_SEED, Film, film
from skyreid.tracklet import PLATFORMS, Frame, Platform, Tracklet

_MAX_IDENTITIES = 9999
"""The layout's crop names hold four digits."""
_MAX_FRAMES = 999
_MAX_WORKERS = 256


def write_crop_benchmark(
    out_dir: Path,
    *,
    identities: int,
    frames_per_tracklet: int,
    seed: int,
    difficulty: Difficulty = USUAL,
    num_workers: int = 1,
    progress: Progress = silent,
) -> None:
    """Write a benchmark of simulated people, each seen once from the ground and once from a drone.

    Pids run from 1; every third group of look-alikes trains and the others are tested, ground asking aerial. A person
    looks and walks the same whatever the number of identities. With the same library versions on the same
    kind of machine, the same arguments give the same bytes, whatever the number of workers.
    `skyreid.datasets.read_benchmark("g2a-vreid", out_dir)` reads it.

    Args:
        out_dir: A folder that does not exist yet; it appears when it is complete.
        identities: More than wear the same clothes, at least 3, up to 9999.
        frames_per_tracklet: Crops of one person on one platform, 0.5 s apart.
        seed: Another seed is another world.
        difficulty: Of telling people apart.
        num_workers: Processes that draw, about 10 ms a crop on each; 1 draws in this one. More are started
            anew: a script that asks for them keeps its own work under `if __name__ == "__main__"`.
        progress: Told after every tracklet.

    Raises:
        DatasetError: `out_dir` exists, or a number is out of its range.

    Source: paper sections 3.1, 3.3 and 5.1 (heights, crop sizes, 0.5 s, split 1 : 2).
    Deviation: identities are split by their number, not at random; light, ground and walls are drawn for
    each tracklet, so that the background does not tell who it is.
    """
    _refuse_what_cannot_be(out_dir, identities, frames_per_tracklet, seed, difficulty, num_workers)
    shots = list(product(range(1, identities + 1), PLATFORMS))
    stored: dict[tuple[int, Platform], Tracklet] = {}
    film_shot = partial(_film_shot, seed=seed, num_frames=frames_per_tracklet, difficulty=difficulty)
    with (
        scratch_folder(out_dir) as crop_dir,
        closing(finish_all(film_shot, shots, num_workers)) as films,
    ):
        for (pid, platform), filmed in films:
            tracklet = _store(crop_dir, pid, platform, filmed)
            stored[pid, platform] = tracklet
            progress("draw people", len(stored), len(shots), tracklet.tracklet_id)
        tracklets = [stored[shot] for shot in shots]
        # Look-alikes stay together, so that training knows that clothes do not tell everything.
        train = [tracklet for tracklet in tracklets if difficulty.wardrobe(tracklet.pid) % 3 == 1]
        tested = [tracklet for tracklet in tracklets if difficulty.wardrobe(tracklet.pid) % 3 != 1]
        write_mars_layout(
            out_dir,
            train=train,
            query=[tracklet for tracklet in tested if tracklet.platform is Platform.GROUND],
            gallery=[tracklet for tracklet in tested if tracklet.platform is Platform.AERIAL],
            info={"simulated": True},
            progress=progress,
        )


def _refuse_what_cannot_be(
    out_dir: Path, identities: int, frames_per_tracklet: int, seed: int, difficulty: Difficulty, num_workers: int
) -> None:
    sweep_leftovers(out_dir.parent, out_dir.name)
    if out_dir.exists():
        raise DatasetError(f"{out_dir} must not exist yet: a benchmark is one new folder; remove or rename it")
    for name, value, low, high in (
        ("identities", identities, max(3, difficulty.look_alikes + 1), _MAX_IDENTITIES),
        ("frames_per_tracklet", frames_per_tracklet, 1, _MAX_FRAMES),
        ("seed", seed, 0, MAX_SEED),
        ("num_workers", num_workers, 1, _MAX_WORKERS),
    ):
        if not low <= value <= high:
            raise DatasetError(f"a benchmark's {name} must be from {low} to {high}; got {value}")


def _film_shot(shot: tuple[int, Platform], *, seed: int, num_frames: int, difficulty: Difficulty) -> Film:
    return film(seed, *shot, num_frames, difficulty=difficulty)


def _store(crop_dir: Path, pid: int, platform: Platform, filmed: Film) -> Tracklet:
    """Write the crops as files for the layout to copy."""
    tracklet_id = f"{pid:04d}_{platform}"
    frames = []
    for number, crop in enumerate(filmed.crops):
        path = crop_dir / f"{tracklet_id}_{number:03d}.jpg"
        path.write_bytes(crop.jpeg)
        frames.append(Frame(str(path), index=number, time_s=number * FRAME_INTERVAL_S))
    return Tracklet(
        tracklet_id=tracklet_id,
        frames=tuple(frames),
        pid=pid,
        camid=platform.number,
        platform=platform,
        attributes=filmed.attributes,
    )
