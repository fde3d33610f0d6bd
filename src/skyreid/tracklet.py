"""The vocabulary: platform, frame, tracklet. Imports nothing of ours but the error tree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from skyreid.errors import SettingError

JUNK_PID = -1
"""Boxes that the annotators call neither a person nor a distractor; never ranked."""
DISTRACTOR_PID = 0
"""People that no query asks for (MARS); they stay in the gallery."""


class Platform(StrEnum):
    """Where the camera is. A platform is never stored as a camera number.

    Whoever asks for a platform takes its name too:

    >>> Platform("aerial") is Platform.AERIAL
    True

    Raises:
        SettingError: there is no platform of this name.
    """

    GROUND = "ground"
    AERIAL = "aerial"

    @property
    def number(self) -> int:
        """Position of this platform in arrays and prompt sets: 0 ground, 1 aerial."""
        return PLATFORMS.index(self)

    @property
    def other(self) -> "Platform":
        """The one from which somebody is looked for who was seen from this one."""
        return Platform.AERIAL if self is Platform.GROUND else Platform.GROUND

    @classmethod
    def _missing_(cls, value: object) -> "Platform":
        """Refuse what is no platform; the enum asks here before it gives up."""
        raise SettingError(f"a platform is {' or '.join(repr(one.value) for one in cls)}; got {value!r:.80}")


PLATFORMS: tuple[Platform, ...] = (Platform.GROUND, Platform.AERIAL)


@dataclass(frozen=True, slots=True)
class Frame:
    """One crop of one person at one time, as a file."""

    path: str
    """Absolute or relative to the working directory, or a URL in a case. A `str`, since a benchmark has millions."""
    index: int | None = None
    """Frame number in the source video, from 0; None where the benchmark does not tell."""
    time_s: float | None = None
    """Presentation time in the source video, in seconds."""
    box: tuple[float, float, float, float] | None = None
    """xyxy in pixels of the source frame."""
    sha256: str | None = None
    """Of the file's bytes when it was listed, in hexadecimal digits; None = nobody has hashed it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracklet:
    """All frames of one person in one camera, uninterrupted, in time order."""

    tracklet_id: str
    """Unique within its benchmark; ties in a ranking are broken by it."""
    frames: tuple[Frame, ...]
    pid: int
    """Identity number of the dataset; JUNK_PID and DISTRACTOR_PID as above."""
    camid: int
    """Camera number from 0."""
    platform: Platform
    attributes: Mapping[str, str | float] = field(default_factory=dict, hash=False)
    """What else is known, such as a scene or an altitude: what scores can be sliced by."""

    def __repr__(self) -> str:
        """Give one line, whatever the number of frames."""
        return (
            f"Tracklet({self.tracklet_id!r}, pid={self.pid}, camid={self.camid}, {self.platform}, "
            f"{len(self.frames)} frames)"
        )

    def __post_init__(self) -> None:
        if not self.frames:
            raise SettingError(f"a tracklet has at least one frame; {self.tracklet_id!r} has none")


def training_labels(tracklets: Sequence[Tracklet]) -> dict[int, int]:
    """Map each pid to its contiguous training index 0…C-1, in sorted pid order.

    Deviation: the release numbers them in `set` order (METHOD section 8), which is not stable.
    """
    return {pid: label for label, pid in enumerate(sorted({tracklet.pid for tracklet in tracklets}))}
