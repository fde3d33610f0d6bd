"""Our model and training beside the stored outputs, quantity by quantity.

Used by test_model.py here, which asserts, and by benchmarks/parity.py, which prints.
Deviation of a feature or a loss: largest difference over largest stored value. Of a gradient: norm of
the difference over the norm. Of a parameter after Adam steps: largest difference over the learning
rate, where the gradient is not zero by construction (Adam turns its rounding noise into whole steps).
"""

from collections.abc import Callable, Iterator

import torch
from einops import rearrange
from torch import Tensor

from skyreid.clips.clip_loader import ClipBatch, normalize
from skyreid.models.fast_encoder import FastEncoder
from skyreid.models.vsla_clip import VideoEncoder, VslaClip
from skyreid.pretrained.release import model_from_release
from skyreid.processes.distributed import Processes
from skyreid.training.epochs import train_epoch
from skyreid.training.optimizer import CosineSchedule, StepSchedule, make_adam
from skyreid.training.stage1 import Stage1Config, stage1_epoch
from skyreid.training.stage2 import Stage2Config, Stage2Step
from tests.reference.comparison import Comparison, compare
from tests.reference.release_state import to_release_state
from tests.reference.stored_cases import StoredCase

FEATURE = LOSS = 1e-5
GRADIENT = TRAJECTORY = 1e-4
PARAMETER = 0.05
NOTHING_ERASED = (0.0, 0.0, 0.0)
LOSSES = {
    "id_0": "identity_final",
    "id_1": "identity_joint",
    "tri_x11": "triplet_penultimate",
    "tri_x12": "triplet_final",
    "tri_xproj": "triplet_joint",
    "v2s_ce": "visual_semantic",
    "i2t": "image_to_text",
    "t2i": "text_to_image",
}
WEIGHT = {name: 0.25 if name.startswith("identity") else 1.0 for name in LOSSES.values()}


def feature(name: str, ours: Tensor, stored: Tensor, tolerance: float = FEATURE) -> Comparison:
    return compare(name, ours.detach(), stored, tolerance)


def gradient(name: str, ours: Tensor, stored: Tensor) -> Comparison:
    assert ours.shape == stored.shape, (name, ours.shape, stored.shape)
    return Comparison(name, float((ours - stored).norm() / stored.norm().clamp_min(1e-12)), GRADIENT)


def parameter(name: str, ours: Tensor, stored: Tensor, rate: float, grad: Tensor | None = None) -> Comparison:
    difference = (ours.detach() - stored).abs()
    if "in_proj_bias" in name:  # the key third has no gradient, so Adam moves it by rounding noise
        third = len(difference) // 3
        difference[third : 2 * third] = 0
    if grad is not None:
        difference[grad.abs() < 1e-6] = 0
    return Comparison(name, float(difference.max() / rate), PARAMETER)


def load(case: StoredCase) -> VslaClip:
    return model_from_release(case.weights, adapters=case.adapters).eval()


def pixels(case: StoredCase) -> Tensor:
    return normalize(rearrange(case.arrays("inputs")["clips_u8"], "clip c frame h w -> clip frame c h w"))


def forward(case: StoredCase) -> Iterator[Comparison]:
    """Features of every kind, and what happens inside the tower."""
    model, stored, inputs = load(case), case.arrays("eval"), case.arrays("inputs")
    frames, cams = pixels(case), inputs["cams"]
    inside: dict[str, Tensor] = {}
    for layer, block in enumerate(model.encoder.tower.blocks):
        keep_output(block, f"block{layer}", inside)
        if block.intra_frame is not None:
            keep_output(block.intra_frame, f"ifa{layer}", inside)
        if block.cross_frame is not None:
            keep_output(block.cross_frame, f"cfaa{layer}", inside)
            keep_output(block.cross_frame.attention, f"cfaa_attn{layer}", inside)
    keep_output(model.encoder.tower.norm_pre, "ln_pre", inside)
    with torch.no_grad():
        features = model.encoder(frames, cams)
        inside = dict(inside)
        yield feature("x11_pooled", features.penultimate, stored["x11_pooled"])
        yield feature("x12_pooled", features.final, stored["x12_pooled"])
        yield feature("xproj_pooled", features.joint, stored["xproj_pooled"])
        yield from _inside(inside, stored, clips=len(frames))
        for said, encoder in encoders(model):
            embeddings = encoder.embed(frames, cams)
            yield feature(f"eval_feat{said}", embeddings, stored["eval_feat"])
            permuted = encoder.embed(frames[:, stored["perm"]], cams)
            yield feature(f"eval_feat_perm{said}", permuted, stored["eval_feat_perm"])
            yield feature(f"order of frames{said}", permuted, embeddings)
            if "eval_feat_camflip" in stored:
                yield feature(f"eval_feat_camflip{said}", encoder.embed(frames, 1 - cams), stored["eval_feat_camflip"])
        yield feature("stage1_image_feat", model.encoder.bare_features(frames), stored["stage1_image_feat"])
        everyone = torch.arange(model.num_identities)
        yield feature("text_feat_all", model.text_features(everyone), stored["text_feat_all"])


def encoders(model: VslaClip) -> Iterator[tuple[str, VideoEncoder | FastEncoder]]:
    """The encoder to read, and the one for use made of it as it is now."""
    yield "", model.encoder
    yield ", by the encoder for use", FastEncoder(model.encoder, torch.float32)


def _inside(inside: dict[str, Tensor], stored: dict[str, Tensor], *, clips: int) -> Iterator[Comparison]:
    blocks = [inside[f"block{layer}"][:, :, 0] for layer in range(12)]
    ours = torch.stack([rearrange(block, "clip frame dim -> (clip frame) dim") for block in blocks])
    yield feature("inter_cls_per_block", ours, stored["inter_cls_per_block"])
    for key in stored:
        if key.startswith("inter_") and key.endswith("_clip0"):
            value = inside[key.removeprefix("inter_").removesuffix("_clip0")]
            if "cfaa_attn" in key:
                value = rearrange(value, "(clip token) frame inner -> clip frame token inner", clip=clips)
            yield feature(key, value[0], stored[key])


def keep_output(module: torch.nn.Module, name: str, kept: dict[str, Tensor]) -> None:
    module.register_forward_hook(lambda _module, _inputs, output: kept.__setitem__(name, output))


def one_training_step(case: StoredCase) -> Iterator[Comparison]:
    """Losses, logits and gradients of one batch in training mode.

    The stored `bottleneck_running_*_after1` are the values from before the step (0 and 1 in every
    case); the statistics are compared after the three steps of `stage2_trajectory` instead.
    """
    model, stored, inputs = load(case), case.arrays("train"), case.arrays("inputs")
    count = len(stored["cls_score"])
    config = stage2_config(case)
    step = prepare_stage2(model, config)
    inside: dict[str, Tensor] = {}
    keep_output(model.head_final, "cls_score", inside)
    keep_output(model.head_joint, "cls_score_proj", inside)
    labels = inputs["labels"][:count]
    losses = step(pixels(case)[:count], inputs["cams"][:count], labels)
    total = torch.stack([*losses.values()]).sum()
    total.backward()
    for key, value in inside.items():
        yield feature(key, value, stored[key])
    yield feature("text_feat_batch", step.texts[labels], stored["text_feat_batch"])
    for theirs, ours in LOSSES.items():
        yield feature(f"loss_{theirs}", losses[ours] / WEIGHT[ours], stored[f"loss_{theirs}"], LOSS)
    yield feature("loss_total", total, stored["loss_total"], LOSS)
    gradients = to_release_state({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    names = case.names("train", "grad_names")
    assert set(names) == set(gradients), set(names) ^ set(gradients)
    norms = torch.tensor([float(gradients[name].double().norm()) for name in names], dtype=torch.float64)
    for name, ours, theirs in zip(names, norms, stored["grad_norms"], strict=True):
        yield Comparison(f"grad norm {name}", float(abs(ours - theirs) / theirs.clamp_min(1e-12)), GRADIENT)
    for key in stored:
        if key.startswith("grad::"):
            yield gradient(key, gradients[key.removeprefix("grad::")], stored[key])


def stage1_trajectory(case: StoredCase) -> Iterator[Comparison]:
    """Three Adam steps of stage 1."""
    model, stored, labels = load(case), case.arrays("stage1_traj"), case.arrays("inputs")["labels"]
    batches = stored["batch_index"]
    rate = case.config["stage1"]["lr"]
    config = Stage1Config(batch_size=batches.shape[1], schedule=CosineSchedule(peak=rate, end=rate, warmup_epochs=0))
    yield from run_stage1(model, stored["image_feat"], labels, batches, config, stored, rate)


def run_stage1(model, features, labels, batches, config, stored, rate) -> Iterator[Comparison]:
    model.train_in_stage1()
    seen = []
    first_gradient: dict[str, Tensor] = {}

    def record(losses: dict[str, Tensor]) -> None:
        state = {f"identity_prompt.{n}": p for n, p in model.identity_prompt.named_parameters()}
        if not first_gradient:
            first_gradient.update(to_release_state({n: p.grad.clone() for n, p in state.items()}))
        parameters = to_release_state({n: p.detach().clone() for n, p in state.items()})
        seen.append(({k: v.detach() for k, v in losses.items()}, parameters))

    with torch.no_grad():
        before = model.text_features(labels[batches[0]])
    yield feature("step 0 text_feat", before, stored["step0_text_feat"])
    optimizer = make_adam(model, config.weight_decay)
    stage1_epoch(model, optimizer, features, labels, order=batches.flatten(), epoch=1, config=config, report=record)
    for key, grad in first_gradient.items():
        yield gradient(f"grad0 {key}", grad, stored[f"grad0::{key.removeprefix('prompt_learner.')}"])
    for number, (losses, parameters) in enumerate(seen):
        yield feature(f"step {number} i2t", losses["image_to_text"], stored[f"step{number}_i2t"], TRAJECTORY)
        yield feature(f"step {number} t2i", losses["text_to_image"], stored[f"step{number}_t2i"], TRAJECTORY)
        for key, value in parameters.items():
            name = key.removeprefix("prompt_learner.")
            yield parameter(
                f"step {number} {name}", value, stored[f"step{number}_after::{name}"], rate, first_gradient[key]
            )


def stage2_config(case: StoredCase) -> Stage2Config:
    return Stage2Config(
        tuned="adapters" if case.config["adapter"] else "image-tower",
        schedule=StepSchedule(peak=case.config["lr"], warmup_epochs=0, milestones=()),
    )


def prepare_stage2(model: VslaClip, config: Stage2Config) -> Stage2Step:
    model.train_in_stage2(config.tuned, ("final", "joint"))
    with torch.no_grad():
        texts = model.text_features(torch.arange(model.num_identities))
    return Stage2Step(model, Processes(device="cpu", precision="float32"), config.loss, texts).train()


def run_stage2(
    model: VslaClip, case: StoredCase, epochs: list[list[Tensor]], config: Stage2Config
) -> tuple[list[dict], dict[str, Tensor]]:
    """Train on given batches of clips; give the losses of every step and the smallest gradient of each weight."""
    inputs = case.arrays("inputs")
    frames = rearrange(inputs["clips_u8"], "clip c frame h w -> clip frame c h w")
    processes = Processes(device="cpu", precision="float32")
    step = prepare_stage2(model, config)
    optimizer = make_adam(model, config.weight_decay)
    seen: list[dict] = []
    smallest: dict[str, Tensor] = {}

    def record(losses: dict[str, Tensor]) -> None:
        seen.append({name: value.detach() for name, value in losses.items()})
        for name, weight in model.named_parameters():
            if weight.grad is not None:
                decay = config.weight_decay.biases if name.endswith("bias") else config.weight_decay.weights
                size = (weight.grad + decay * weight.detach()).abs()  # what Adam sees: they can cancel
                smallest[name] = torch.minimum(smallest[name], size) if name in smallest else size

    for epoch, batches in enumerate(epochs, start=1):
        train_epoch(
            step,
            optimizer,
            [
                ClipBatch(
                    frames=frames[index],
                    erasures=torch.zeros(len(index), frames.shape[1], 4, dtype=torch.int64),
                    platforms=inputs["cams"][index],
                    labels=inputs["labels"][index],
                )
                for index in batches
            ],
            learning_rate=config.schedule.learning_rate(epoch),
            erase_fill=NOTHING_ERASED,
            processes=processes,
            report=record,
        )
    return seen, to_release_state(smallest)


def stage2_trajectory(case: StoredCase) -> Iterator[Comparison]:
    """Three Adam steps of stage 2."""
    model, stored = load(case), case.arrays("stage2_traj")
    seen, gradients = run_stage2(model, case, [list(stored["batch_index"])], stage2_config(case))
    for number, losses in enumerate(seen):
        for theirs, ours in LOSSES.items():
            value = losses[ours] / WEIGHT[ours]
            yield feature(f"step {number} {theirs}", value, stored[f"step{number}_loss_{theirs}"], TRAJECTORY)
        total = torch.stack([*losses.values()]).sum()
        yield feature(f"step {number} total", total, stored[f"step{number}_loss_total"], TRAJECTORY)
    yield from after_stage2(model, case, stored, gradients, "after3::", "after3_eval_feat")


def after_stage2(model, case, stored, gradients, prefix, embedding_key) -> Iterator[Comparison]:
    state = to_release_state(model.state_dict())
    for key in stored:
        if key.startswith(prefix):
            name = key.removeprefix(prefix)
            if "running" in name:
                yield feature(key, state[name], stored[key], TRAJECTORY)
            else:
                yield parameter(key, state[name], stored[key], case.config["lr"], gradients[name])
    model.eval()
    for said, encoder in encoders(model):
        with torch.no_grad():
            embeddings = encoder.embed(pixels(case), case.arrays("inputs")["cams"])
        yield feature(f"{embedding_key}{said}", embeddings, stored[embedding_key], TRAJECTORY)


def reference_loops(case: StoredCase) -> Iterator[Comparison]:
    """The release's own two loops, with their schedules, one after the other."""
    model, stored, labels = load(case), case.arrays("reference_loops"), case.arrays("inputs")["labels"]
    batch, rate = int(stored["stage1_batch"]), 3.5e-4
    config = Stage1Config(epochs=120, batch_size=batch)
    model.train_in_stage1()
    with torch.no_grad():
        features = model.encoder.bare_features(pixels(case))
    optimizer = make_adam(model, config.weight_decay)
    losses: list[float] = []
    for epoch, order in enumerate(stored["stage1_perms"], start=1):
        stage1_epoch(
            model,
            optimizer,
            features,
            labels,
            order=order,
            epoch=epoch,
            config=config,
            report=lambda step: losses.append(float(sum(value.detach() for value in step.values()))),
        )
    yield feature("stage 1 losses", torch.tensor(losses, dtype=torch.float64), stored["stage1_losses"], TRAJECTORY)
    state = to_release_state({f"identity_prompt.{n}": p for n, p in model.identity_prompt.named_parameters()})
    for key, value in state.items():
        name = f"stage1_after::{key.removeprefix('prompt_learner.')}"
        yield parameter(name, value, stored[name], rate)
    stage2 = Stage2Config()
    batches = [torch.arange(4), torch.arange(4, 8)]
    seen, gradients = run_stage2(model, case, [batches, batches], stage2)
    ours = torch.stack([torch.stack([*losses.values()]).sum() for losses in seen]).double()
    yield feature("stage 2 losses", ours, stored["stage2_losses"], TRAJECTORY)
    yield from after_stage2(model, case, stored, gradients, "stage2_after::", "stage2_after_eval_feat")


CHECKS: dict[str, Callable[[StoredCase], Iterator[Comparison]]] = {
    "forward": forward,
    "one training step": one_training_step,
    "stage 1 trajectory": stage1_trajectory,
    "stage 2 trajectory": stage2_trajectory,
}
