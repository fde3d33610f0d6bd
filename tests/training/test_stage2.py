"""Stage 2: one step on a batch of clips, and what an epoch changes."""

import pytest
import torch
from torch.testing import assert_close

from skyreid.clips.clip_loader import ClipBatch, normalize
from skyreid.processes.distributed import Processes
from skyreid.training.epochs import train_epoch
from skyreid.training.optimizer import StepSchedule, WeightDecay, make_adam
from skyreid.training.stage2 import Stage2Config, Stage2LossConfig, Stage2Step, stage2_losses
from tests.tiny_model import IMAGE_SIZE, drawn, tiny_model

FILL = (0.5, -0.5, 0.25)
PAPER_LOSS = Stage2LossConfig(identity_on=("final",), triplet_on=("final",))


@pytest.fixture(scope="module")
def processes():
    return Processes(device="cpu", precision="float32")


def make_batch(seed=0, *, erased=False):
    generator = torch.Generator().manual_seed(seed)
    erasures = torch.zeros(4, 3, 4, dtype=torch.int64)
    if erased:
        erasures[1, 2] = torch.tensor([2, 3, 5, 7])
    return ClipBatch(
        frames=torch.randint(0, 256, (4, 3, 3, *IMAGE_SIZE), dtype=torch.uint8, generator=generator),
        erasures=erasures,
        platforms=torch.tensor([0, 1, 0, 1]),
        labels=torch.tensor([3, 3, 1, 1]),
    )


def train_in_stage2(model, config):
    model.train_in_stage2(config.tuned, config.loss.identity_on)


def run_epoch(model, batches, processes, *, config, epoch=1):
    train_in_stage2(model, config)
    optimizer = make_adam(model, config.weight_decay)
    seen = []
    train_epoch(
        Stage2Step(model, processes, config.loss, drawn(5, 32)),
        optimizer,
        batches,
        learning_rate=config.schedule.learning_rate(epoch),
        erase_fill=FILL,
        processes=processes,
        report=lambda losses: seen.append({name: float(loss.detach()) for name, loss in losses.items()}),
    )
    return seen, optimizer


@pytest.mark.parametrize("loss", [Stage2LossConfig(), PAPER_LOSS])
def test_a_step_is_encoder_heads_and_loss_one_after_the_other(processes, loss):
    batch, texts = make_batch(), drawn(5, 32)
    step = Stage2Step(tiny_model(), processes, loss, texts).train()
    losses = step(batch.pixels(FILL), batch.platforms, batch.labels)
    model = tiny_model().train()
    features = model.encoder(normalize(batch.frames), batch.platforms)
    logits = {"final": model.head_final(features.final), "joint": model.head_joint(features.joint)}
    chosen = {name: logits[name] for name in loss.identity_on}
    assert_close(losses, stage2_losses(features, chosen, texts, batch.labels, loss), rtol=1e-5, atol=1e-5)


def test_an_epoch_changes_what_is_trained_and_nothing_else(processes):
    model, config = tiny_model(), Stage2Config()
    train_in_stage2(model, config)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    statistics = {
        f"{head}.norm.{name}"
        for head in ("head_final", "head_joint")
        for name in ("running_mean", "running_var", "num_batches_tracked")
    }
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    run_epoch(model, [make_batch(seed) for seed in range(2)], processes, config=config)
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == trained | statistics
    assert "head_final.norm.bias" not in changed


def test_a_head_without_a_loss_is_not_built_into_the_step(processes):
    model = tiny_model()
    before = {name: tensor.clone() for name, tensor in model.head_joint.state_dict().items()}
    run_epoch(model, [make_batch()], processes, config=Stage2Config(loss=PAPER_LOSS))
    assert_close(dict(model.head_joint.state_dict()), before, rtol=0, atol=0)


def test_erased_rectangles_reach_the_model_with_the_fill_it_is_told(processes):
    batch = make_batch(erased=True)
    pixels = normalize(batch.frames)
    pixels[1, 2, :, 2:7, 3:10] = torch.tensor(FILL).view(3, 1, 1)
    step = Stage2Step(tiny_model(), processes, Stage2LossConfig(), drawn(5, 32)).train()
    erased, whole = (
        {name: float(loss.detach()) for name, loss in step(frames, batch.platforms, batch.labels).items()}
        for frames in (pixels, normalize(batch.frames))
    )
    seen, _ = run_epoch(tiny_model(), [batch], processes, config=Stage2Config())
    assert seen == [pytest.approx(erased, rel=1e-5)]
    assert seen != [pytest.approx(whole, rel=1e-3)]


def test_the_learning_rate_is_the_schedule_s_and_twice_it_for_biases(processes):
    config = Stage2Config()
    for epoch in (1, 30, 60, 90):
        _, optimizer = run_epoch(tiny_model(), [make_batch()], processes, config=config, epoch=epoch)
        rate = config.schedule.learning_rate(epoch)
        assert [group["lr"] for group in optimizer.param_groups] == [rate, 2 * rate]


def test_every_batch_is_one_step_of_its_own(processes):
    still = Stage2Config(schedule=StepSchedule(peak=0.0), weight_decay=WeightDecay(weights=0.0, biases=0.0))
    seen, _ = run_epoch(tiny_model(), [make_batch(0), make_batch(1), make_batch(0)], processes, config=still)
    assert len(seen) == 3
    assert seen[0] == pytest.approx(seen[2], rel=1e-5)
    assert seen[0] != pytest.approx(seen[1], rel=1e-3)


def test_more_steps_on_one_batch_lower_its_loss(processes):
    config = Stage2Config(schedule=StepSchedule(peak=1e-3, warmup_epochs=0))
    seen, _ = run_epoch(tiny_model(), [make_batch()] * 8, processes, config=config)
    totals = [sum(losses.values()) for losses in seen]
    assert totals[-1] < 0.8 * totals[0]


def test_sixteen_bit_towers_give_nearly_the_same_losses_computed_in_32():
    batch, losses = make_batch(), {}
    for name in ("float32", "bfloat16"):
        processes = Processes(device="cpu", precision=name)
        model = tiny_model()
        train_in_stage2(model, Stage2Config())
        optimizer = make_adam(model, Stage2Config().weight_decay)
        step, _ = processes.prepare(Stage2Step(model, processes, PAPER_LOSS, drawn(5, 32)).train(), optimizer)
        losses[name] = step(batch.pixels(FILL), batch.platforms, batch.labels)
        assert {loss.dtype for loss in losses[name].values()} == {torch.float32}
    assert not all(torch.equal(losses["bfloat16"][name], loss) for name, loss in losses["float32"].items())
    for name, loss in losses["float32"].items():
        assert_close(losses["bfloat16"][name].detach(), loss.detach(), rtol=0.05, atol=0.05)
