"""Everything that skyreid raises on purpose.

    SkyreidError
    ├── DatasetError         a benchmark on disk is not what its format says
    │   ├── MissingFrameError    a frame that a tracklet lists is not there
    │   └── ChangedFrameError    a frame is another picture than the one that was listed
    ├── ManifestError        a manifest is cut, edited or points outside its folder
    ├── TableError           an embedding table lacks an array, or its arrays disagree
    ├── ProtocolError        an evaluation that cannot mean anything
    ├── ResultError          a result file is cut, edited or of another version
    ├── CalibrationError     a calibration file is cut or edited
    ├── CheckpointError      keys, shapes or files of weights do not add up
    │   └── UnsafeFileError      a weights file that would run code or exhaust memory
    ├── WeightsError         published weights that cannot be had, or a file that is not the published one
    ├── VideoError           footage that cannot be decoded within its limits
    ├── SourceError          footage that cannot be turned into tracklets with what was given
    ├── TelemetryError       a file that holds no telemetry, or says what nobody can tell apart
    ├── ClusterError         a cluster that cannot be used
    │   └── LostError            work that killed its workers again and again
    ├── CaseError            a case that cannot be used, or does not hold what was asked for
    │   ├── RefusedError         what the rules of a case forbid
    │   └── DatabaseAwayError    a database server that does not answer now (an AwayError)
    ├── StoreError           an object store that refuses what is asked of it
    │   └── StoreAwayError       one that does not answer now (an AwayError)
    ├── AwayError            what does not answer now; the same may work in a moment
    ├── NothingFoundError    the work was done, and its result is empty
    └── SettingError         settings that cannot work together, or not with this data

All of them are `ValueError`s: the caller gave something that cannot be used. A message names
the thing, the rule, what came and, where there is one, the remedy.
"""

from collections.abc import Iterable


class SkyreidError(ValueError):
    """The root: `except SkyreidError` catches what a user can cause and mend.

    Args:
        message: one line.
        notes: further lines, which follow it at the command line and in a traceback (`__notes__`).
    """

    def __init__(self, message: str = "", *, notes: Iterable[str] = ()) -> None:
        super().__init__(message)
        for note in notes:
            self.add_note(note)


class DatasetError(SkyreidError):
    """A benchmark on disk is not what its format says."""


class MissingFrameError(DatasetError):
    """A frame that a tracklet lists is not there or cannot be read."""


class ChangedFrameError(DatasetError):
    """A frame is another picture than the one that was listed: its bytes have another hash."""


class ManifestError(SkyreidError):
    """A manifest is cut, edited, or points outside its folder."""


class TableError(SkyreidError):
    """An embedding table lacks an array, or its arrays disagree."""


class ProtocolError(SkyreidError):
    """An evaluation that cannot mean anything, such as one without a single match."""


class ResultError(SkyreidError):
    """A result file is cut, edited or of another version, or what it says does not add up."""


class CalibrationError(SkyreidError):
    """A file that is no calibration, or a damaged one."""


class CheckpointError(SkyreidError):
    """Keys, shapes or files of weights do not add up."""


class UnsafeFileError(CheckpointError):
    """A weights file that would run code or exhaust memory; nothing of it was used."""


class WeightsError(SkyreidError):
    """Published weights that cannot be had, or a file that is not the published one."""


class VideoError(SkyreidError):
    """Footage that cannot be decoded within its limits."""


class TelemetryError(SkyreidError):
    """A file that holds no telemetry, or telemetry that cannot be read in the way that was asked for."""


class SourceError(SkyreidError):
    """Footage that cannot be turned into tracklets with what was given."""


class ClusterError(SkyreidError):
    """A cluster that cannot be used, or whose machines do not see the same."""


class LostError(ClusterError):
    """Work that killed its workers again and again."""


class CaseError(SkyreidError):
    """A case that cannot be used, or does not hold what was asked for."""


class RefusedError(CaseError):
    """What the rules of a case forbid, such as deleting under a legal hold; the command line ends with status 5."""


class AwayError(SkyreidError):
    """A server that does not answer now; the same may work in a moment, and whoever works waits for it."""


class DatabaseAwayError(CaseError, AwayError):
    """A database server that does not answer: it is down, begins, or the way to it is cut.

    What was not committed is not there. Where the answer to a commit was lost, nobody knows: ask before doing it again.
    """


class StoreError(SkyreidError):
    """An object store that refuses what is asked of it, or cannot be asked."""


class StoreAwayError(StoreError, AwayError):
    """An object store that does not answer: it is down, has too much to do, or the way to it is cut."""


NO_TRACKLETS = "lists no tracklets: nobody was found when it was built; build it anew with --detector or annotations"
"""Of a manifest, the remedy included."""


class NothingFoundError(SkyreidError):
    """The work was done as asked, and its result is empty; the command line ends with status 3, not 1."""


class SettingError(SkyreidError):
    """Settings that cannot work together, or not with this data."""
