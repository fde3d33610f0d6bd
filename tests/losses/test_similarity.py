"""Similarity of image and text, one pair at a time."""

import math

import pytest
from torch.testing import assert_close

from skyreid.losses.similarity import image_text_logits
from tests.tiny_model import drawn


@pytest.mark.parametrize("temperature", [None, 1.0, 0.01])
def test_every_image_is_compared_with_every_text(temperature):
    images, texts = drawn(3, 4).double(), drawn(5, 4, seed=2).double()
    logits = image_text_logits(images, texts, cosine_temperature=temperature)
    assert logits.shape == (3, 5)
    for row, image in enumerate(images.tolist()):
        for column, text in enumerate(texts.tolist()):
            dot = sum(a * b for a, b in zip(image, text, strict=True))
            cosine = dot / math.hypot(*image) / math.hypot(*text)
            expected = dot if temperature is None else cosine / temperature
            assert float(logits[row, column]) == pytest.approx(expected, rel=1e-10)


def test_the_cosine_does_not_see_how_long_a_feature_is_and_the_dot_product_does():
    images, texts = drawn(3, 4).double(), drawn(5, 4, seed=2).double()
    by_cosine, by_dot = (
        image_text_logits(2 * images, 5 * texts, cosine_temperature=temperature) for temperature in (0.1, None)
    )
    assert_close(by_cosine, image_text_logits(images, texts, cosine_temperature=0.1))
    assert_close(by_dot, 10 * image_text_logits(images, texts, cosine_temperature=None))
