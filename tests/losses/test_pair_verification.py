import math

import pytest
import torch

from skyreid.losses.pair_verification import pair_verification
from tests.tiny_model import drawn


def test_every_probe_is_asked_about_every_gallery_clip():
    logits, probes, gallery = drawn(2, 3).double(), [5, 7], [7, 5, 7]
    losses = []
    for row, probe in zip(logits.tolist(), probes, strict=True):
        for logit, other in zip(row, gallery, strict=True):
            probability = 1 / (1 + math.exp(-logit))
            losses.append(-math.log(probability if probe == other else 1 - probability))
    ours = pair_verification(logits, torch.tensor(probes), torch.tensor(gallery))
    assert float(ours) == pytest.approx(sum(losses) / len(losses), rel=1e-10)
