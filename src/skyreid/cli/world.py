"""`skyreid simulate`: a world whose truth is known."""

import os
from pathlib import Path

from skyreid.cli.terminal import Bars, Note, show_result


def simulate(
    out: Path,
    *,
    identities: int = 30,
    seed: int = 0,
    frame_rate: int = 6,
    workers: int | None = None,
    json: bool = False,
) -> None:
    """Film a simulated world from ground and drones, with its truth.

    Args:
        out: folder to write; running again goes on where it stopped.
        identities: people; about five of them in a scene, then more, and nine scenes.
        seed: another seed is another world.
        frame_rate: frames a second, even.
        workers: processes that film; None = one for each processor.
        json: print JSON.
    """
    from skyreid.simulation.world import SOURCES_FILE, WorldArguments, write_world

    arguments = WorldArguments(identities=identities, seed=seed, frame_rate=frame_rate)
    num_workers = (os.cpu_count() or 1) if workers is None else workers
    with Bars() as bars:
        facts = write_world(out, arguments, num_workers=num_workers, progress=bars)
    said = (
        f"videos: {facts.num_videos}, people: {facts.num_people}, seconds: {facts.duration_s:g}; "
        f"next: skyreid build --sources {out / SOURCES_FILE}"
    )
    content = {"videos": facts.num_videos, "people": facts.num_people, "duration_s": facts.duration_s}
    show_result(Note([said], {**content, "sources": str(out / SOURCES_FILE)}), json=json)
