import math

import pytest
import torch
from torch.testing import assert_close

from skyreid.losses.clip_contrast import clip_contrast
from tests.tiny_model import drawn

LABELS = [0, 0, 1, 1, 1, 2, 2]


def test_each_clip_finds_the_others_of_its_identity_among_strangers():
    features = drawn(7, 5).double()
    cosine = torch.nn.functional.cosine_similarity(features[:, None], features[None], dim=-1).tolist()
    losses = []
    for anchor, label in enumerate(LABELS):
        strangers = sum(math.exp(16 * cosine[anchor][i]) for i, other in enumerate(LABELS) if other != label)
        for positive, other in enumerate(LABELS):
            if other == label and positive != anchor:
                own = math.exp(16 * cosine[anchor][positive])
                losses.append(-math.log(own / (own + strangers)))
    assert float(clip_contrast(features, torch.tensor(LABELS))) == pytest.approx(sum(losses) / len(losses), rel=1e-10)


def test_it_does_not_see_how_long_a_feature_is():
    features, labels = drawn(7, 5).double(), torch.tensor(LABELS)
    lengths = torch.arange(1.0, 8)[:, None]
    assert_close(clip_contrast(lengths * features, labels), clip_contrast(features, labels))
