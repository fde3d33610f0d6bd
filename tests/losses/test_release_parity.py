"""Each loss alone, with its gradients, against the stored values of the released program."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from skyreid.losses.similarity import image_text_logits
from skyreid.losses.supervised_contrastive import supervised_contrastive
from skyreid.losses.triplet import TripletConfig, batch_hard_triplet

STORED = np.load(Path(__file__).parents[1] / "reference" / "losses" / "losses.npz")
CASES = ("p8k4", "all_unique", "one_id", "uneven")


def image_to_text(case):
    logits = image_text_logits(case["feat"], case["text"][case["labels"]], cosine_temperature=None)
    return supervised_contrastive(logits, case["labels"], case["labels"])


def text_to_image(case):
    logits = image_text_logits(case["feat"], case["text"][case["labels"]], cosine_temperature=None)
    return supervised_contrastive(logits.T, case["labels"], case["labels"])


LOSSES = {
    "i2t": image_to_text,
    "t2i": text_to_image,
    "tri": lambda case: batch_hard_triplet(case["feat"], case["labels"], TripletConfig()),
    "ce_ls": lambda case: functional.cross_entropy(case["score"], case["labels"], label_smoothing=0.1),
    "v2s": lambda case: functional.cross_entropy(
        image_text_logits(case["feat"], case["text"], cosine_temperature=None), case["labels"], label_smoothing=0.1
    ),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("case_name", CASES)
def test_loss_and_gradients_match_the_release(case_name, name):
    case = {key: torch.tensor(STORED[f"{case_name}/{key}"]) for key in ("feat", "text", "score", "labels")}
    for key in ("feat", "text", "score"):
        case[key].requires_grad_()
    loss = LOSSES[name](case)
    loss.backward()
    assert_close(loss.detach(), torch.tensor(STORED[f"{case_name}/{name}"]), rtol=1e-5, atol=1e-6)
    for key in ("feat", "text", "score"):
        stored = f"{case_name}/{name}/grad_{key}"
        if stored in STORED:
            assert_close(case[key].grad, torch.tensor(STORED[stored]), rtol=1e-4, atol=1e-6)
