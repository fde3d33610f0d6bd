"""Stage 1: learn one sentence per identity against clip features that no longer change.

    bare image tower → features of the training clips, once → epochs over them, which train the identity prompt

Source: paper section 4.1–4.2, Eq. 1–3 and 5; METHOD section 5. Towers are frozen; the text tower runs once per
identity of a batch.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.optim import Optimizer

from skyreid.clips.identity_sampler import IdentitySamplerConfig
from skyreid.errors import SettingError
from skyreid.losses import image_text_logits, supervised_contrastive
from skyreid.models.vsla_clip import VslaClip
from skyreid.training.epochs import Resumable
from skyreid.training.optimizer import CosineSchedule, WeightDecay, make_adam, set_learning_rate
from skyreid.training.run import Run
from skyreid.training.run_folder import RunFolder


@dataclass(frozen=True, kw_only=True)
class Stage1Config:
    epochs: int = 120
    """Passes over the stored clip features."""
    batch_size: int = 64
    """Clips a step."""
    drop_last: bool = True
    """Leave an incomplete last batch out, as the release does (METHOD 11 row 30)."""
    augmented_features: bool = True
    """Features come from one sampler epoch under stage 2's augmentation (release); False: from each
    training tracklet once, as it is (METHOD 11 row 7)."""
    schedule: CosineSchedule = field(default_factory=CosineSchedule)
    weight_decay: WeightDecay = field(default_factory=lambda: WeightDecay(weights=1e-4))
    cosine_temperature: float | None = None
    """Similarity is the cosine divided by it (paper); None = the plain dot product (release)."""

    def __post_init__(self) -> None:
        if self.batch_size < 2:
            raise SettingError(f"stage1.batch_size must be at least 2; got {self.batch_size}")

    def check_num_features(self, num_features: int) -> None:
        """Refuse fewer features than one batch holds, where incomplete batches are left out.

        Raises:
            SettingError: there are fewer.
        """
        if self.drop_last and num_features < self.batch_size:
            raise SettingError(
                f"stage 1 has {num_features} features, fewer than one batch of {self.batch_size}: "
                "lower stage1.batch_size or keep incomplete batches (--stage1.no-drop-last)"
            )


def train_stage1(
    model: VslaClip,
    config: Stage1Config,
    run: Run,
    training: Resumable,
    folder: RunFolder,
    *,
    sampler: IdentitySamplerConfig,
) -> None:
    """Learn the sentences, from the first epoch that is not finished.

    Args:
        model: on the device of the run.
        config: of stage 1.
        run: for clips, processes and seed.
        training: counts and keeps the epochs.
        folder: keeps the features.
        sampler: of stage 2, whose clips the features may come from.
    """
    features, labels = _bare_features(model, config, run, folder, sampler, initial_sha256=training.initial_sha256)
    features = features.to(run.processes.device)
    model.train_in_stage1()
    optimizer = make_adam(model, config.weight_decay)
    steps = len(features) // config.batch_size
    epochs = training.epochs(1, config.epochs, optimizer, steps_per_epoch=max(steps, 1))
    for epoch in epochs:
        drawing = torch.Generator().manual_seed(run.config.epoch_seed(epoch))
        order = torch.randperm(len(features), generator=drawing)
        with run.processes.mixed_precision():
            stage1_epoch(
                model,
                optimizer,
                features,
                labels,
                order=order,
                epoch=epoch,
                config=config,
                report=epochs.report,
            )


@torch.no_grad()
def _bare_features(
    model: VslaClip,
    config: Stage1Config,
    run: Run,
    folder: RunFolder,
    sampler: IdentitySamplerConfig,
    *,
    initial_sha256: str,
) -> tuple[Tensor, Tensor]:
    """Features of the bare tower and their labels, computed at most once a run."""
    if (kept := folder.load_features(initial_sha256=initial_sha256)) is not None:
        return kept
    batch_size = run.config.extraction.batch_size
    if config.augmented_features:
        clips = run.clips.once_augmented(sampler, batch_size)
    else:
        clips = run.clips.once_plain(batch_size)
    features, labels = [], []
    for batch in clips:
        pixels = batch.to(run.processes.device).pixels(run.config.augmentation.erase_fill)
        with run.processes.mixed_precision():
            features.append(model.encoder.bare_features(pixels).float())
        labels.append(batch.labels)
        run.progress("features for stage 1", len(features), len(features))
    whole = run.processes.gather_rows(torch.cat(features)), run.processes.gather_rows(torch.cat(labels))
    if run.processes.is_first:
        folder.save_features(*whole, initial_sha256=initial_sha256)
    return whole


def stage1_epoch(
    model: VslaClip,
    optimizer: Optimizer,
    features: Float[Tensor, "clip embed"],
    labels: Int[Tensor, " clip"],
    *,
    order: Int[Tensor, " place"],
    epoch: int,
    config: Stage1Config,
    report: Callable[[dict[str, Tensor]], None],
) -> None:
    """Train the identity prompt of `model` for one epoch over stored features.

    Args:
        model: after `train_in_stage1`.
        optimizer: over its identity prompt.
        features: joint features of the bare tower.
        labels: training label of each feature, on the CPU, where counting a batch's identities waits for no GPU.
        order: places in `features`, a permutation of them in training, on the CPU.
        epoch: from 1.
        config: of stage 1.
        report: is given the losses of every step.

    Raises:
        SettingError: there are fewer features than one batch holds, and incomplete batches are left out.
    """
    config.check_num_features(len(order))
    set_learning_rate(optimizer, config.schedule.learning_rate(epoch, config.epochs))
    batches = zip(order.split(config.batch_size), order.to(features.device).split(config.batch_size), strict=True)
    for batch, on_device in batches:
        if config.drop_last and len(batch) < config.batch_size:
            break
        losses = stage1_losses(model, features[on_device], labels[batch], config.cosine_temperature)
        optimizer.zero_grad(set_to_none=True)
        torch.stack([*losses.values()]).sum().backward()
        optimizer.step()
        report(losses)


def stage1_losses(
    model: VslaClip,
    features: Float[Tensor, "clip embed"],
    labels: Int[Tensor, " clip"],
    cosine_temperature: float | None,
) -> dict[str, Float[Tensor, ""]]:
    """Both directions of the contrastive loss (paper Eq. 2 and 3).

    An identity that several clips share is encoded once; its column counts once per clip.
    """
    identities, position, labels = (
        part.to(features.device, non_blocking=True) for part in (*labels.unique(return_inverse=True), labels)
    )
    texts = model.text_features(identities)[position].float()
    # Dot products of tens are coarse in 16 bits (METHOD section 5: the loss is computed outside autocast).
    with torch.autocast(features.device.type, enabled=False):
        logits = image_text_logits(features, texts, cosine_temperature=cosine_temperature)
        return {
            "image_to_text": supervised_contrastive(logits, labels, labels),
            "text_to_image": supervised_contrastive(logits.T, labels, labels),
        }
