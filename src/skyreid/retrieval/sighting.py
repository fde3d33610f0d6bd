"""Where and when a tracklet was seen, in the words of the footage's owner: camera, file, moment, time of day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from skyreid.datasets.manifest import Manifest
from skyreid.errors import ManifestError
from skyreid.tracklet import Tracklet


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """One appearance of somebody before a camera."""

    camera: str
    """Its name; `camera 3` where only its number is known."""
    file: str | None = None
    """Name of the video; None = the tracklet does not come from one that is known."""
    offset_s: tuple[float, float] | None = None
    """First and last moment, in seconds after the video's first frame."""
    clock: datetime | None = None
    """Time of day of the first moment, with its zone; None where nobody said when the video begins."""
    video: Path | None = None
    """The file, where it was found on this machine."""

    @property
    def link(self) -> str | None:
        """Address that opens the video at the moment; None where the video was not found."""
        if self.video is None:
            return None
        start_s = self.offset_s[0] if self.offset_s else 0.0
        return f"{self.video.absolute().as_uri()}#t={start_s:.2f}"


def find_sighting(tracklet: Tracklet, manifest: Manifest, videos: Mapping[str, Path]) -> Sighting:
    """Tell where and when a tracklet was seen, as far as its manifest says.

    Args:
        tracklet: one of the manifest's.
        manifest: of a build, whose `info` names cameras and sources, or any other.
        videos: by the name of the source, those to link to.

    Raises:
        ManifestError: `info` names cameras or sources in another way than `skyreid build` does.
    """
    times = [frame.time_s for frame in tracklet.frames if frame.time_s is not None]
    offset_s = (times[0], times[-1]) if times else None
    source = source_of(tracklet, manifest)
    if source is None:
        return Sighting(camera=_camera_name(tracklet, manifest), offset_s=offset_s)
    file, start_time = source.get("file"), source.get("start_time")
    return Sighting(
        camera=_camera_name(tracklet, manifest),
        file=str(file),
        offset_s=offset_s,
        clock=_clock(start_time, offset_s[0]) if isinstance(start_time, str) and offset_s else None,
        video=videos.get(str(source["name"])),
    )


def source_of(tracklet: Tracklet, manifest: Manifest) -> Mapping[str, object] | None:
    """The source whose name the tracklet's id begins with, as `build` numbers them: `gate-morning-0007`.

    Raises:
        ManifestError: `info` names sources in another way than `skyreid build` does.
    """
    name = tracklet.tracklet_id.rpartition("-")[0]
    return next((source for source in _sources(manifest.info) if source["name"] == name), None)


def camera_names(manifest: Manifest) -> list[str]:
    """Name the cameras of a manifest's tracklets, as `find_sighting` does.

    Raises:
        ManifestError: `info` names cameras in another way than `skyreid build` does.
    """
    return sorted({_camera_name(tracklet, manifest) for tracklet in manifest.tracklets})


def find_videos(manifest: Manifest, places: Sequence[Path]) -> dict[str, Path]:
    """Look for the files that a build was made from, in the first of some folders that holds each.

    Returns:
        By the name of the source, those that were found; none for manifests that no build wrote.
    """
    files = {str(source["name"]): str(source["file"]) for source in _sources(manifest.info)}
    return {name: place / file for name, file in files.items() for place in reversed(places) if _lies(place, file)}


def _lies(place: Path, name: str) -> bool:
    """Whether a file of this name, which came from a file, lies in this very folder."""
    return Path(name).name == name and (place / name).exists()


def _sources(info: Mapping[str, object]) -> list[dict[str, object]]:
    sources = info.get("sources", [])
    if not isinstance(sources, list) or not all(
        isinstance(source, dict) and isinstance(source.get("name"), str) and isinstance(source.get("file"), str)
        for source in sources
    ):
        raise ManifestError(f"a manifest's sources are objects with name and file; got {str(sources)[:200]}")
    return sources


def _camera_name(tracklet: Tracklet, manifest: Manifest) -> str:
    cameras = manifest.info.get("cameras", [])
    if not isinstance(cameras, list) or not all(isinstance(camera, str) for camera in cameras):
        raise ManifestError(f"a manifest's cameras are a list of names; got {str(cameras)[:200]}")
    return cameras[tracklet.camid] if 0 <= tracklet.camid < len(cameras) else f"camera {tracklet.camid}"


def _clock(start_time: str, offset_s: float) -> datetime:
    try:
        return datetime.fromisoformat(start_time) + timedelta(seconds=offset_s)
    except (ValueError, OverflowError):
        raise ManifestError(
            f"a source's start_time is a time such as 2026-05-04T09:00:00+02:00; got {start_time!r}"
        ) from None
