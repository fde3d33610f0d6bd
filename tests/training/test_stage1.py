"""Stage 1: what a step changes, what it costs in sentences, and that its loss is the naive one."""

import pytest
import torch
from torch.testing import assert_close

from skyreid.losses import image_text_logits, supervised_contrastive
from skyreid.training.optimizer import CosineSchedule, WeightDecay, make_adam
from skyreid.training.stage1 import Stage1Config, stage1_epoch, stage1_losses
from tests.tiny_model import drawn, tiny_model

LABELS = torch.tensor([3, 0, 3, 1, 0, 3, 1])
FEATURES = drawn(7, 32, seed=4)


def run_epoch(model, *, config, epoch=1, order=None, optimizer=None):
    model.train_in_stage1()
    optimizer = optimizer or make_adam(model, config.weight_decay)
    steps = []
    stage1_epoch(
        model,
        optimizer,
        FEATURES,
        LABELS,
        order=torch.arange(7) if order is None else order,
        epoch=epoch,
        config=config,
        report=lambda losses: steps.append({name: float(loss.detach()) for name, loss in losses.items()}),
    )
    return steps, optimizer


@pytest.mark.parametrize("temperature", [None, 0.1])
def test_an_identity_that_several_clips_share_gives_the_loss_and_gradients_of_one_sentence_a_clip(temperature):
    model = tiny_model()
    model.train_in_stage1()
    naive = image_text_logits(FEATURES, model.text_features(LABELS), cosine_temperature=temperature)
    expected = {
        "image_to_text": supervised_contrastive(naive, LABELS, LABELS),
        "text_to_image": supervised_contrastive(naive.T, LABELS, LABELS),
    }
    ours = stage1_losses(model, FEATURES, LABELS, temperature)
    assert ours.keys() == expected.keys()
    prompts = [*model.identity_prompt.parameters()]
    for name, loss in ours.items():
        assert_close(loss, expected[name], rtol=1e-5, atol=1e-5)
        gradients = zip(
            torch.autograd.grad(loss, prompts, retain_graph=True),
            torch.autograd.grad(expected[name], prompts, retain_graph=True),
            strict=True,
        )
        for mine, theirs in gradients:
            assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_a_step_changes_the_sentences_and_leaves_everything_else_bit_for_bit():
    model = tiny_model()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    run_epoch(model, config=Stage1Config(batch_size=3))
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {f"identity_prompt.{name}" for name in ("identity", "shared_before", "shared_after")}


def test_an_identity_that_is_not_in_the_batch_moves_too():
    assert 4 not in LABELS
    model = tiny_model()
    with torch.no_grad():
        model.identity_prompt.identity[4] = 1.0
    config = Stage1Config(batch_size=7, schedule=CosineSchedule(peak=1e-3, end=1e-3, warmup_epochs=0))
    run_epoch(model, config=config)
    # Its gradient is the decay alone, and the first step of Adam is the rate whatever the gradient.
    # Element by element in float32, so that every processor rounds it a few times only: 6e-8 each.
    absent = model.identity_prompt.identity[4].detach()
    assert_close(absent, torch.full_like(absent, 1.0 - 1e-3), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("drop_last", "batch_size", "steps"), [(True, 3, 2), (False, 3, 3), (True, 7, 1)])
def test_an_incomplete_last_batch_is_left_out_or_not(drop_last, batch_size, steps):
    seen, _ = run_epoch(tiny_model(), config=Stage1Config(batch_size=batch_size, drop_last=drop_last))
    assert len(seen) == steps


def test_the_batches_follow_the_order():
    order = torch.tensor([6, 5, 4, 3, 2, 1, 0])
    seen, _ = run_epoch(tiny_model(), config=Stage1Config(batch_size=4), order=order)
    expected = stage1_losses(tiny_model(), FEATURES[[6, 5, 4, 3]], LABELS[[6, 5, 4, 3]], None)
    assert seen == [pytest.approx({name: float(loss.detach()) for name, loss in expected.items()}, rel=1e-5)]


def test_the_learning_rate_is_the_schedule_s():
    config = Stage1Config(epochs=20, batch_size=7)
    for epoch in (1, 10, 20):
        _, optimizer = run_epoch(tiny_model(), config=config, epoch=epoch)
        assert [group["lr"] for group in optimizer.param_groups] == [config.schedule.learning_rate(epoch, 20)]


def test_no_gradient_is_carried_from_step_to_step():
    model = tiny_model()
    still = CosineSchedule(peak=0.0, start=0.0, end=0.0, warmup_epochs=0)
    config = Stage1Config(batch_size=7, schedule=still, weight_decay=WeightDecay(weights=0.0))
    _, optimizer = run_epoch(model, config=config)
    first = model.identity_prompt.identity.grad.clone()
    run_epoch(model, config=config, optimizer=optimizer)
    assert_close(model.identity_prompt.identity.grad, first)


def test_fewer_features_than_one_batch_are_refused():
    with pytest.raises(ValueError, match=r"^stage 1 has 7 features, fewer than one batch of 8: lower stage1"):
        run_epoch(tiny_model(), config=Stage1Config(batch_size=8))


def test_a_batch_of_one_is_refused():
    with pytest.raises(ValueError, match=r"^stage1.batch_size must be at least 2; got 1$"):
        Stage1Config(batch_size=1)
