"""Pictures that are held: embedded once, and anew when the case is asked by another model."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np

from skyreid.cases.search.asked_pictures import HeldPicture
from skyreid.retrieval.search import Asked

BOX = (1.0, 1.0, 3.0, 7.0)


class Askers:
    """Embeds by the name of a model, and counts how often."""

    def __init__(self):
        self.name, self.alone, self.times = "old", nullcontext(), 0

    def model(self):
        return SimpleNamespace(asks_by=self.name, feeding=None)

    def asker(self, platform):
        return self

    def person(self, pixels, box, words):
        self.times += 1
        return Asked(words=f"{words} by {self.name}", embedding=np.ones(4, dtype=np.float32))


def test_a_held_picture_is_embedded_once_by_each_model_of_the_case():
    pixels, askers = np.zeros((8, 4, 3), dtype=np.uint8), Askers()
    held = HeldPicture(
        words="who.png", pixels=pixels, covered=pixels, people=(), known=(), platform=None, has_detector=False
    )
    assert held.ask(askers, BOX) is held.ask(askers, BOX)
    askers.name = "new"  # `skyreid case re-embed` came to its end
    assert [held.ask(askers, BOX).words for _ in range(2)] == ["who.png by new"] * 2
    assert askers.times == 2
