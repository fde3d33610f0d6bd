"""What a search can ask with beside a tracklet: a picture of somebody, somebody in a video, a text.

A picture is embedded as it is, in memory, like people are by `build --model`; what may be shown of it has its face
covered.
"""

import math
import re
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from PIL import Image

from skyreid.building.crops.face_mask import FaceMask
from skyreid.building.detection.detector import Detector, load_detector
from skyreid.building.tracked_boxes import Box
from skyreid.building.video.decode import DEFAULT_LIMITS, DecodeLimits, FilmEnd, frames
from skyreid.errors import NothingFoundError, SettingError
from skyreid.extraction.loading import ClipEmbedder, load
from skyreid.extraction.query_picture import MIN_SIDE_PX, Picture, doubt_scene, read_query_picture, refuse_nobody
from skyreid.extraction.text_encoder import TextEncoder
from skyreid.feeding import Feeding
from skyreid.processes.distributed import Processes
from skyreid.processes.progress import Progress, silent
from skyreid.retrieval.search import Asked
from skyreid.tracklet import Platform
from skyreid.weights.published_files import PUBLISHED
from skyreid.weights.weights_cache import in_cache

NO_MODEL = (
    "the table does not say which model made it ('skyreid find' without a model compares colours), so that only its "
    "own tracklets can be asked with (--query); a picture or a text needs a table of a model: skyreid embed BUILD "
    "--model person-reid-0277 --out TABLE"
)
COVERED = "{}: embedded as it is, in memory; here the face is covered, as in the crops of a build."
UNCOVERED = "{}: embedded as it is, in memory; no face is large enough to be recognised, so none is covered here."
TEXT_NOTICE = (
    "A text finds what the model learned to call so, which is mostly kinds and colours of clothes. It does not "
    "understand 'without', 'left of' or numbers, and knows nobody. Its similarities are lower than those of pictures; "
    "they say who fits better, not how well."
)


@runtime_checkable
class MadeBy(Protocol):
    """What says which model made vectors, such as a table."""

    @property
    def model(self) -> str | None:
        """The sha256 of its weights; None = nobody said."""
        ...

    @property
    def feeding(self) -> Feeding | None:
        """How it was fed; None = nobody said."""
        ...


class Asker:
    """Embeds what is asked with, by the model that made what is searched, and as it was fed then.

    Args:
        model: as `load` takes it.
        made: what will be searched, such as a table.
        mask: covers faces in what may be shown; None = they stay.
        platform: from where the pictures were filmed; None = nobody knows, and a model that is told the platform uses
            the mean over them.
        progress: hears of published weights that are fetched.

    Raises:
        SettingError: another model than the table's, or a table that does not tell its model.
        CheckpointError: no model, or a damaged one.
    """

    def __init__(
        self,
        model: str | PathLike[str],
        made: MadeBy,
        *,
        mask: FaceMask | None,
        platform: Platform | None = None,
        progress: Progress = silent,
    ) -> None:
        if made.model is None:
            raise SettingError(NO_MODEL)
        embedder = load(model, device=Processes().device, progress=progress)
        if embedder.model != made.model:
            raise SettingError(
                f"{model}: has the sha256 {embedder.model}, the table was made by {made.model}; only embeddings of "
                "one model can be compared (name that model, or embed the folder by this one)"
            )
        self._model, self._mask, self._platform = model, mask, platform
        self._embedder = (
            embedder if made.feeding is None else ClipEmbedder(embedder.encoder, made.feeding, policy=embedder.policy)
        )

    def picture(
        self,
        path: Path,
        box: Box | int | None = None,
        *,
        detector: str | None = None,
        progress: Progress = silent,
    ) -> Asked:
        """Ask with a picture of somebody.

        Args:
            path: of a picture file.
            box: of the person in it, xyxy in its pixels; or the number of one of those that `detector` finds; None =
                the only one that it finds, or without one, the picture is cropped to them.
            detector: as of `video`.
            progress: hears of what is fetched.

        Raises:
            MissingFrameError: no picture.
            SettingError: a picture that shows nobody, a box that is not in it, or several people and no box.
            NothingFoundError: the detector finds nobody.
        """
        pixels, words = read_query_picture(path), path.name
        if box is not None or detector is not None:
            return self.person(pixels, _meant(pixels, box, detector, words, progress), words)
        asked, doubt = self.person(pixels, None, words), doubt_scene(pixels, words)
        return asked if doubt is None else replace(asked, notes=(f"{doubt}: {_crop_by()}.", *asked.notes))

    def video(
        self,
        path: Path,
        at_s: float,
        box: Box | int | None = None,
        *,
        detector: str | None = None,
        progress: Progress = silent,
    ) -> Asked:
        """Ask with somebody in a video.

        Args:
            path: of the video.
            at_s: seconds after its first frame; the first frame from there on is taken.
            box: of the person, xyxy in pixels of the frame; or the number of one of those that `detector` finds; None
                = the only one that it finds.
            detector: FILE.onnx,kind=yolox, or the name of published weights.
            progress: hears of what is fetched.

        Raises:
            VideoError: the video cannot be decoded.
            SettingError: it is over at that time, no detector where one is needed, or several people and no box.
            NothingFoundError: the detector finds nobody.
        """
        if not 0 <= at_s < math.inf:
            raise SettingError(f"a moment in a video is 0 or more seconds after its first frame; got {at_s:g}")
        pixels = frame_at(path, at_s)
        words = f"{path.name} at {at_s:g} s"
        return self.person(pixels, _meant(pixels, box, detector, words, progress), words)

    def text(self, text: str, *, vocabulary: Path | None = None, progress: Progress = silent) -> Asked:
        """Ask with a description.

        Args:
            text: such as "red jacket, dark trousers"; what begins with "a photo of" is taken as it is.
            vocabulary: CLIP's bpe_simple_vocab_16e6.txt.gz; None = the published one, fetched on first use. Models
                that know whole words need none.
            progress: hears of what is fetched.

        Raises:
            CheckpointError: the model has no text tower, or none with the words for it.
            SettingError: an empty or too long text, or one with words that the model does not know.
            WeightsError: the published vocabulary cannot be had.
        """
        encoder = TextEncoder(Path(self._model), vocabulary=vocabulary, progress=progress)
        before = self._embedder.embed_dim - encoder.embed_dim  # `VideoEncoder.embed` puts the joint feature last
        return Asked(words=text, embedding=encoder.embed(text), first_column=before, notes=(TEXT_NOTICE,))

    def person(self, pixels: Picture, box: Box | None, words: str) -> Asked:
        """Ask with somebody in a picture that was read.

        Args:
            pixels: of the picture, as it was taken.
            box: of the person, xyxy; None = all of it shows them.
            words: what the picture is called.

        Raises:
            SettingError: a box that is not in the picture.
        """
        height, width = pixels.shape[:2]
        person = (0.0, 0.0, float(width), float(height)) if box is None else _inside(box, width, height, words)
        left, top, right, bottom = (round(edge) for edge in person)
        crop = np.ascontiguousarray(pixels[top:bottom, left:right])
        (embedding,) = self._embedder.embed_tracklets([[crop]], self._platform).numpy()
        asked = Asked(words=words, embedding=embedding, picture=Image.fromarray(crop))
        if self._mask is None:
            return asked
        covered = pixels.copy()
        is_aerial = self._platform is Platform.AERIAL
        # Who reaches to the edge may be cut by it, and larger than they look.
        is_whole = person[0] > 0 and person[1] > 0 and person[2] < width and person[3] < height
        whole_size = (person[2] - person[0], person[3] - person[1]) if is_whole else None
        look = self._mask.look(covered, person, whole_size=whole_size, is_aerial=is_aerial)
        regions = self._mask.covers([(0.0, look)], 0).regions
        for region in regions:
            self._mask.paint(covered, region)
        note = (COVERED if regions else UNCOVERED).format(words)
        return replace(asked, picture=Image.fromarray(covered[top:bottom, left:right]), notes=(note,))


def frame_at(path: Path, at_s: float, *, limits: DecodeLimits = DEFAULT_LIMITS) -> Picture:
    """Decode the first frame of a video from a moment on.

    Raises:
        VideoError: the video cannot be decoded.
        SettingError: it is over at that time.
    """
    ends: list[FilmEnd] = []
    # Of frames that are handed over every `at_s` seconds, the second is the first one from there on.
    for frame in frames(path, interval_s=at_s or None, limits=limits, at_end=ends.append):
        if frame.time_s >= at_s:
            return frame.pixels
    raise SettingError(f"{path}: has no frame at {at_s:g} s or later; it ends at {ends[0].end_s:.2f} s")


def _crop_by() -> str:
    """How somebody in a picture is pointed out."""
    here = next((name for name, one in PUBLISHED.items() if one.use == "detector" and in_cache(name)), None)
    found = "" if here is None else f", or let --detector {here} find who is in it"
    return f"crop it to the person, or give --box X,Y,WIDTH,HEIGHT around them{found}"


def _meant(pixels: Picture, box: Box | int | None, detector: str | None, words: str, progress: Progress) -> Box:
    """The box that was given, or that of the only person whom a detector finds, or of the one of this number."""
    if isinstance(box, tuple):
        left, top, right, bottom = map(round, _inside(box, pixels.shape[1], pixels.shape[0], words))
        refuse_nobody(pixels[top:bottom, left:right], f"{words}, the box {_in_words(box)}")
        return box
    if detector is None:
        raise SettingError(
            f"{words}: say who is meant by --box X,Y,WIDTH,HEIGHT, or by whom people are found: --detector yolox-s"
        )
    people = people_in(pixels, load_detector(detector, progress=progress))
    if not people:
        raise NothingFoundError(f"{words}: the detector finds nobody there; give a --box, or another moment")
    if box is not None and 1 <= box <= len(people):
        return people[box - 1]
    if box is None and len(people) == 1:
        return people[0]
    listed = [f"{place}: {_in_words(one)}" for place, one in enumerate(people, start=1)]
    raise SettingError(
        f"{words}: the detector finds {len(people)} people there; say who is meant, by --box NUMBER or a box",
        notes=listed,
    )


def people_in(pixels: Picture, detector: Detector) -> list[Box]:
    """Find people, from left to right, as somebody counts who looks at the picture."""
    boxes, _ = detector.find(pixels, min_score=detector.score)
    return sorted((float(a), float(b), float(c), float(d)) for a, b, c, d in boxes)


def _in_words(box: Box) -> str:
    left, top, right, bottom = box
    return f"{left:.0f},{top:.0f},{right - left:.0f},{bottom - top:.0f}"


def _inside(box: Box, width: int, height: int, words: str) -> Box:
    left, top = max(0.0, box[0]), max(0.0, box[1])
    right, bottom = min(float(width), box[2]), min(float(height), box[3])
    if right - left < MIN_SIDE_PX or bottom - top < MIN_SIDE_PX:
        raise SettingError(
            f"{words}: a box of a person has at least {MIN_SIDE_PX} x {MIN_SIDE_PX} pixels of the picture, which has "
            f"{width} x {height}; got {_in_words(box)} (x,y,width,height)"
        )
    return left, top, right, bottom


def read_box(text: str) -> Box | int:
    """Read `x,y,width,height` in pixels, or the number of a box, into corners or that number.

    >>> read_box("10,20,30,80")
    (10.0, 20.0, 40.0, 100.0)

    Raises:
        SettingError: it is neither.
    """
    if re.fullmatch(r"\d+", text):
        return int(text)
    try:
        left, top, width, height = map(float, text.split(","))
    except ValueError:
        raise SettingError(f"a box is X,Y,WIDTH,HEIGHT in pixels, such as 410,220,60,140; got {text!r}") from None
    if not (width > 0 and height > 0 and all(map(np.isfinite, (left, top, width, height)))):
        raise SettingError(f"a box has a positive width and height; got {text!r}")
    return left, top, left + width, top + height
