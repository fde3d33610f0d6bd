"""What embeds a picture, somebody in a video or a text for a case: the model that made its vectors, found by its hash.

A case knows its models by the hash of their weights. Where these lie is told by whoever starts a server, by the jobs
that the worker did with them, or they are published ones that lie in the cache. Nothing is fetched but the vocabulary
of CLIP, when words are asked of a model that needs it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from skyreid.case_record import COLOURS, PREFERRED_DETECTORS, PREFERRED_MODELS, first_in_cache
from skyreid.cases.case import Case
from skyreid.cases.tracklets import CaseModel, open_bridge, read_models, usual_model
from skyreid.cases.work.jobs import read_jobs
from skyreid.errors import SettingError, SkyreidError
from skyreid.feeding import Feeding
from skyreid.tracklet import Platform
from skyreid.weights.published_files import PUBLISHED
from skyreid.weights.weights_cache import in_cache

if TYPE_CHECKING:
    from skyreid.building.crops.face_mask import FaceMask
    from skyreid.building.detection.detector import Detector
    from skyreid.extraction.asking import Asker
    from skyreid.retrieval.search import Asked


@dataclass(frozen=True, kw_only=True)
class Eyes:
    """What looks at a picture before it is shown: who covers faces, and who finds people."""

    mask: "FaceMask"
    detector: "Detector | None"
    """None = none is here, and whoever asks draws a box."""


class CaseAsker:
    """Finds and keeps what a case is asked with; safe for several threads.

    Args:
        case: that will be searched.
        models: where weights may lie that no job names, as `extraction.loading.load` takes them.
    """

    def __init__(self, case: Case, *, models: Sequence[str] = ()) -> None:
        self._case, self._models = case, tuple(models)
        self.alone = Lock()
        """Held by whoever decodes or embeds: one at a time, since both take memory."""
        self._hashes: dict[str, tuple[int, str | None]] = {}
        self._askers: dict[tuple[str, Feeding | None, Platform | None], Asker] = {}
        self._eyes: Eyes | None = None
        self._text_refusals: dict[str, str] = {}

    def model(self) -> CaseModel:
        """Give the model that a search takes: the one with the most vectors, or a bridge to the one that follows.

        Raises:
            SettingError: the case has no vectors.
        """
        models = read_models(self._case)
        model = open_bridge(models) or usual_model(models)
        if model is None:
            raise SettingError("the case has no vectors yet, so nothing can be asked; 'skyreid case work' makes them")
        return model

    def asker(self, platform: Platform | None) -> "Asker":
        """Give what embeds pictures.

        Args:
            platform: from where they were filmed; None = nobody knows.

        Raises:
            SettingError: the weights of the case's model are not here.
        """
        model = self.model()
        key = (model.asks_by, model.feeding, platform)  # a bridge asks by the model that it leads to
        if key not in self._askers:
            from skyreid.extraction.asking import Asker  # loads PyTorch

            made = replace(model, model=model.asks_by)
            self._askers[key] = Asker(self._place_of(model), made, mask=self.eyes().mask, platform=platform)
        return self._askers[key]

    def eyes(self) -> Eyes:
        """Give what covers faces and finds people, as the last job of the case found them."""
        if self._eyes is None or self._eyes.detector is None:  # somebody may have fetched one since
            from skyreid.building.crops.face_mask import FaceMask, MaskingConfig
            from skyreid.building.detection.detector import load_detector

            jobs = [one.settings.detector for one in reversed(read_jobs(self._case))]
            named = next(filter(is_here, filter(None, jobs)), None) or first_in_cache(PREFERRED_DETECTORS)
            mask = FaceMask(MaskingConfig()) if self._eyes is None else self._eyes.mask
            self._eyes = Eyes(mask=mask, detector=None if named is None else load_detector(named))
        return self._eyes

    def why_no_pictures(self) -> str:
        """Say why the case cannot be asked with a picture; "" = it can."""
        return _refusal(lambda: self._place_of(self.model()))

    def why_no_text(self) -> str:
        """Say why the case cannot be asked by words; "" = it can."""
        if refusal := self.why_no_pictures():  # no weights, which may come
            return refusal
        model = self.model().asks_by
        if model not in self._text_refusals:
            self._text_refusals[model] = _refusal(lambda: self.text("a photo of a person."))
        return self._text_refusals[model]

    def text(self, text: str) -> "Asked":
        """Embed a description.

        Raises:
            CheckpointError: the model of the case reads no text.
            SettingError: its weights are not here, or words that it does not know.
        """
        with self.alone:
            return self.asker(None).text(text)

    def _place_of(self, model: CaseModel) -> str:
        """Find the weights whose hash the case knows."""
        if model.model == COLOURS:
            raise SettingError(
                "the vectors of this case are the colours of clothes, which can be asked with tracklets only"
            )
        jobs = (one.settings.model for one in reversed(read_jobs(self._case)))
        places = dict.fromkeys((*self._models, *filter(None, jobs), *PREFERRED_MODELS))
        for place in places:
            state = _state_of(place)
            if state is not None and self._hashes.get(place, (None, None))[0] != state:
                self._hashes[place] = state, _hash_of(place)
            if state is not None and self._hashes[place][1] == model.asks_by:
                return place
        raise SettingError(
            f"the weights that made the vectors of this case (sha256 {model.asks_by[:16]}…) are not here; say "
            "where they lie: skyreid serve --model, skyreid case search --weights"
        )


def is_here(place: str) -> bool:
    """Whether weights lie at a path, or in the cache under their published name."""
    return _state_of(place) is not None


def _state_of(place: str) -> int | None:
    """Tell weights that were put to a place later from those before; None = there are none."""
    name = place.partition(",")[0]
    path = Path(name) if Path(name).exists() or name not in PUBLISHED else in_cache(name)
    try:
        return None if path is None else path.stat().st_mtime_ns
    except OSError:
        return None


def _hash_of(place: str) -> str | None:
    from skyreid.extraction.loading import load  # loads PyTorch

    try:
        return load(place).model
    except SkyreidError:
        return None  # of another kind than it was, or damaged: not what made the vectors


def _refusal(act: Callable[[], object]) -> str:
    try:
        act()
    except SkyreidError as refusal:
        return str(refusal)
    return ""
