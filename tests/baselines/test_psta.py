"""PSTA's pyramid, its losses and what it refuses; its levels: test_psta_levels.py."""

import pytest
import torch
from torch.nn import functional

from skyreid.baselines.psta import Psta, PstaConfig, build_psta
from skyreid.errors import SettingError
from tests.reference.baselines.stored_outputs import find_stored

SIZE = (64, 32)
NUM_CLASSES = 5


@pytest.fixture(scope="module")
def model():
    return build_psta(num_classes=NUM_CLASSES, frames=8, image_size=SIZE)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_embedding_is_the_mean_of_the_levels(model):
    frames = torch.randn(2, 8, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    of_levels = []
    hooks = [level.register_forward_hook(lambda *call: of_levels.append(call[2])) for level in model.eval().levels]
    with torch.no_grad():
        embedding = model(frames)["embedding"]
    for hook in hooks:
        hook.remove()
    assert [maps.shape[1] for maps in of_levels] == [4, 2, 1]
    mean = sum(maps.mean(dim=(1, 3, 4)) for maps in of_levels) / 3
    torch.testing.assert_close(embedding, mean / (1 + model.necks[2].eps) ** 0.5)


def test_all_but_the_biases_of_the_necks_learns_from_the_losses(model):
    outputs = model.train()(torch.randn(4, 8, 3, *SIZE, generator=torch.Generator().manual_seed(0)))
    assert outputs["logits"].shape == (4, 3, NUM_CLASSES)
    assert outputs["feature"].shape == (4, 3, 1024)
    total = torch.stack([*model.losses(outputs, torch.tensor([0, 0, 1, 1])).values()]).sum()
    model.zero_grad()
    total.backward()
    assert total.isfinite()
    stored = find_stored("psta")
    without = [stored.stored_name(name) for name, parameter in model.named_parameters() if parameter.grad is None]
    assert without == stored.spec["no_grad_params"]
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)


def test_losses_are_means_over_the_levels():
    with torch.device("meta"):
        model = Psta(PstaConfig(num_classes=NUM_CLASSES, frames=8))
    labels = torch.tensor([0, 0, 1, 1])
    logits, feature = drawn(4, 3, NUM_CLASSES), drawn(4, 3, 7, seed=1)
    losses = model.losses({"logits": logits, "feature": feature}, labels)
    wanted = 0.9 * functional.one_hot(labels, NUM_CLASSES).double() + 0.1 / NUM_CLASSES
    torch.testing.assert_close(losses["identity"], -(wanted[:, None] * logits.log_softmax(-1)).sum() / 12)
    terms = []
    for level in feature.unbind(dim=1):
        cosine = functional.cosine_similarity(level[:, None], level[None], dim=-1)
        positive = torch.stack([cosine[0, 1], cosine[0, 1], cosine[2, 3], cosine[2, 3]])
        negative = torch.cat([cosine[:2, 2:].amax(dim=1), cosine[2:, :2].amax(dim=1)])
        terms.append((negative - positive + 0.3).clamp(min=0))
    torch.testing.assert_close(losses["triplet"], torch.stack(terms).mean())


@pytest.mark.parametrize("frames", [0, 4, 12])
def test_clips_that_cannot_be_halved_three_times_are_refused(frames):
    with pytest.raises(SettingError, match=rf"^psta: the frames of a clip are halved 3 times; got {frames} frames$"):
        build_psta(num_classes=2, frames=frames)


def test_clips_of_another_size_are_refused(model):
    message = r"^psta: this model was built for clips of 8 frames of 64 x 32; got 8 of 32 x 64$"
    with pytest.raises(SettingError, match=message):
        model(torch.zeros(1, 8, 3, 32, 64))
