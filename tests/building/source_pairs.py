"""Two annotated sources, one of each platform, and what a build leaves of them."""

from skyreid.building.sources import parse_source
from tests.building.films import smooth, write_film


def write_source(folder, name, *, people, platform="ground", camera=None, frames=16, rate=10):
    """A film and its annotations: each person a box of 12x30 that goes to the right."""
    film = write_film(folder / f"{name}.mov", smooth(frames), rate=rate)
    lines = [
        f"{index + 1},{person},{10 * order + index % 10 + 1},11,12,30,1,1,1"
        for index in range(frames)
        for order, person in enumerate(people)
    ]
    (folder / f"{name}.txt").write_text("\n".join(lines))
    return parse_source(
        f"{film},platform={platform},camera={camera or name},annotations={folder / name}.txt,identities=shared"
    )


def write_pair(folder):
    folder.mkdir(parents=True)
    return [
        write_source(folder, "gate", people=(4, 9)),
        write_source(folder, "drone", people=(9, 30), platform="aerial"),
    ]


def tree(out_dir):
    """Everything in a build folder, but the lock."""
    return {
        str(path.relative_to(out_dir)): path.read_bytes()
        for path in out_dir.rglob("*")
        if path.is_file() and path.name != "build.lock"
    }


def written(out_dir):
    """When each crop was written, and where on the disk it is."""
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in out_dir.rglob("*.jpg")}
