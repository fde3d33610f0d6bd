"""The parts of the method beside the stored outputs: samplers, transforms, losses, schedules, metrics.

Used by the tests of each part, which assert, and by benchmarks/parity.py, which prints.
"""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import PIL
import torch
from torch.nn import functional

from skyreid.clips.augmentation import RELEASE, change_frames, draw_changes
from skyreid.clips.clip_loader import ClipBatch, normalize
from skyreid.clips.frame_reading import resize
from skyreid.clips.frame_sampling import all_frames, restricted_begin, restricted_random
from skyreid.clips.identity_sampler import draw_groups
from skyreid.datasets.protocol import CROSS_CAMERA, MARS
from skyreid.evaluation.ranking_scores import evaluate
from skyreid.experiments.parameter_report import count_parameters
from skyreid.losses import TripletConfig, batch_hard_triplet, image_text_logits, supervised_contrastive
from skyreid.models.image_tower import AdapterConfig, ImageTowerConfig
from skyreid.models.platform_prompt import PlatformPromptConfig
from skyreid.models.vsla_clip import VslaClipConfig
from skyreid.pretrained.assembling import resize_position_table
from skyreid.recipes import RECIPES
from skyreid.retrieval.embedding_table import EmbeddingTable
from skyreid.training.optimizer import CosineSchedule, StepSchedule
from tests.reference.comparison import EXACT, Comparison, compare
from tests.reference.stored_cases import IN_REPOSITORY

LOSS, GRADIENT, SCHEDULE, PIXEL, METRIC = 1e-5, 1e-4, 1e-12, 1e-6, 1e-12
# What is stored was drawn with Pillow 13, which rounds some pixels of a reduction by one level otherwise than before.
LEVEL = 1 / 255 / 0.26
REDUCED = PIXEL if int(PIL.__version__.partition(".")[0]) >= 13 else LEVEL


def stored(*path: str) -> dict[str, np.ndarray]:
    with np.load(IN_REPOSITORY.joinpath(*path)) as arrays:
        return {name: arrays[name] for name in arrays}


def temporal_sampling() -> Iterator[Comparison]:
    """Frames of training and test clips at every length up to 200, draw for draw."""
    theirs = stored("sampling", "temporal.npz")
    lengths = range(1, 201)
    for size in (4, 8):
        ours = [restricted_begin(length, size) for length in lengths]
        yield compare(f"test clip of {size}", ours, theirs[f"begin_crop_size{size}"][1:], EXACT)
    for seed, drawn in zip(theirs["restricted_crop_seeds"], theirs["restricted_crop_size8"], strict=True):
        rng = random.Random(int(seed))
        ours = [restricted_random(length, 8, rng) for length in lengths]
        yield compare(f"training clip, seed {seed}", ours, drawn[1:], EXACT)
    for length in (8, 16, 20, 24):
        yield compare(f"all frames of {length}", all_frames(length, 8), theirs[f"clips_{length}"], EXACT)
    for length in range(1, 51):
        filled = sorted(frame for clip in all_frames(length, 8) for frame in clip)
        padded = theirs["loop_padding"][length][: theirs["loop_padding_len"][length]]
        yield compare(f"padding of {length}", filled, padded, EXACT)


def reached_frames() -> Iterator[Comparison]:
    """The first and the last frame that each slot of a training clip can hold."""
    theirs = stored("sampling", "temporal.npz")
    rng = random.Random(0)
    for length in (1, 7, 8, 9, 23, 64, 200):
        draws = np.array([restricted_random(length, 8, rng) for _ in range(3000)])
        yield compare(f"first of {length}", draws.min(axis=0), theirs["restricted_slot_min"][length], EXACT)
        yield compare(f"last of {length}", draws.max(axis=0), theirs["restricted_slot_max"][length], EXACT)


def identity_sampler() -> Iterator[Comparison]:
    """Two epochs of the release's groups, draw for draw."""
    theirs = stored("sampling", "identity_sampler.npz")
    for seed in (0, 1234):
        rng, choice = random.Random(seed), np.random.RandomState(seed)
        for epoch in (1, 2):
            groups = draw_groups(theirs["pids"].tolist(), int(theirs["num_instances"]), rng, choice)
            positions = [position for group in groups for position in group]
            yield compare(f"seed {seed}, epoch {epoch}", positions, theirs[f"epoch{epoch}_seed{seed}"], EXACT)


def spatial_transforms() -> Iterator[Comparison]:
    """Resizing byte for byte, the test transform, the training transform draw for draw."""
    theirs = stored("sampling", "spatial.npz")
    images = [theirs[f"img{i}"] for i in range(3)]
    for i, image in enumerate(images):
        resized = resize(image, (256, 128))
        yield compare(f"resize {i}", resized, theirs[f"resized_u8_{i}"], EXACT)
        pixels = normalize(torch.tensor(resized).permute(2, 0, 1)[None, None])[0, 0, :, ::8, ::8]
        yield compare(f"test transform {i}", pixels, theirs[f"test{i}"], PIXEL)
    small = np.stack([resize(image, (64, 32)) for image in images])
    for seed in range(8):
        frames = small.copy()
        changes = draw_changes(len(frames), (64, 32), RELEASE, random.Random(seed))
        change_frames(frames, changes, RELEASE)
        batch = ClipBatch(
            frames=torch.from_numpy(frames.transpose(0, 3, 1, 2))[None],
            erasures=torch.tensor([[change.erasure for change in changes]]),
            platforms=torch.zeros(1, dtype=torch.long),
            labels=torch.zeros(1, dtype=torch.long),
        )
        pixels = batch.pixels(RELEASE.erase_fill)[0]
        yield compare(f"training transform, seed {seed}", pixels, theirs[f"train_seed{seed}"], REDUCED)


def losses() -> Iterator[Comparison]:
    """Each loss alone, with its gradients, on four shapes of batch."""
    theirs = stored("losses", "losses.npz")
    for case_name in ("p8k4", "all_unique", "one_id", "uneven"):
        for loss_name, loss_of in _LOSSES.items():
            case = {key: torch.tensor(theirs[f"{case_name}/{key}"]) for key in ("feat", "text", "score", "labels")}
            for key in ("feat", "text", "score"):
                case[key].requires_grad_()
            loss = loss_of(case)
            loss.backward()
            name = f"{case_name}/{loss_name}"
            yield compare(name, loss.detach(), theirs[name], LOSS)
            for key in ("feat", "text", "score"):
                if (gradient := theirs.get(f"{name}/grad_{key}")) is not None:
                    yield compare(f"{name}/grad_{key}", case[key].grad, gradient, GRADIENT)


def _in_batch_logits(case: dict[str, torch.Tensor]) -> torch.Tensor:
    return image_text_logits(case["feat"], case["text"][case["labels"]], cosine_temperature=None)


_LOSSES: dict[str, Callable[[dict[str, torch.Tensor]], torch.Tensor]] = {
    "i2t": lambda case: supervised_contrastive(_in_batch_logits(case), case["labels"], case["labels"]),
    "t2i": lambda case: supervised_contrastive(_in_batch_logits(case).T, case["labels"], case["labels"]),
    "tri": lambda case: batch_hard_triplet(case["feat"], case["labels"], TripletConfig()),
    "ce_ls": lambda case: functional.cross_entropy(case["score"], case["labels"], label_smoothing=0.1),
    "v2s": lambda case: functional.cross_entropy(
        image_text_logits(case["feat"], case["text"], cosine_temperature=None), case["labels"], label_smoothing=0.1
    ),
}


def schedules() -> Iterator[Comparison]:
    """Learning rates of all 120 epochs of both stages."""
    theirs = stored("schedules", "schedules.npz")
    epochs = theirs["epoch"].tolist()
    ours = [CosineSchedule().learning_rate(epoch, 120) for epoch in epochs]
    yield compare("stage 1", ours, theirs["stage1"], SCHEDULE)
    for peak in ("0.0001", "5e-06"):
        rates = np.array([StepSchedule(peak=float(peak)).learning_rate(epoch) for epoch in epochs])
        yield compare(f"stage 2 from {peak}", rates, theirs[f"stage2_lr{peak}"], SCHEDULE)
        yield compare(f"stage 2 from {peak}, biases", 2 * rates, theirs[f"stage2_lr{peak}_bias"], SCHEDULE)


def position_table() -> Iterator[Comparison]:
    """CLIP's 14 x 14 table resized to four grids."""
    theirs = stored("posembed", "posembed.npz")
    table = torch.from_numpy(theirs["input_14x14"])
    for target in ((16, 8), (4, 2), (8, 4), (24, 10)):
        name = f"out_{target[0]}x{target[1]}"
        yield compare(name, resize_position_table(table, grid=(14, 14), target=target), theirs[name], PIXEL)


def metrics() -> Iterator[Comparison]:
    """CMC and mAP of five tables, ties and missing matches among them."""
    for path in sorted((IN_REPOSITORY / "metrics").glob("*.npz")):
        theirs = stored("metrics", path.name)
        query, gallery = (
            EmbeddingTable(
                embeddings=theirs[f"{side}f"],
                pids=theirs[f"{side}_pids"],
                camids=theirs[f"{side}_camids"],
                platforms=np.zeros_like(theirs[f"{side}_pids"]),
                tracklet_ids=np.arange(len(theirs[f"{side}_pids"])),
            )
            for side in ("q", "g")
        )
        scores = evaluate(query, gallery, MARS if theirs["mars"] else CROSS_CAMERA)
        yield compare(f"{path.stem} mAP", scores.mAP, theirs["mAP_stable_sort"], METRIC)
        yield compare(f"{path.stem} CMC", scores.cmc, theirs["cmc_stable_sort"], METRIC)


def parameter_counts() -> Iterator[Comparison]:
    """Every component at four alphas and two numbers of identities, and what each stage trains."""
    theirs = json.loads((IN_REPOSITORY / "params.json").read_text())
    base = RECIPES["vsla-clip-g2a-release"]()
    for identities, alpha in ((930, 64), (930, 128), (930, 256), (930, 384), (842, 256)):
        name = f"ids{identities}_alpha{alpha}"
        image = ImageTowerConfig(adapters=AdapterConfig(intra_frame=alpha, cross_frame=alpha))
        model = VslaClipConfig(image=image, platform_prompt=PlatformPromptConfig(depth=3, length=16))
        report = count_parameters(replace(base, model=model), num_identities=identities)
        components = theirs[name]["components"]
        for ours, parts in _COMPONENTS.items():
            yield compare(f"{name} {ours}", report.components[ours], sum(components[part] for part in parts), EXACT)
        yield compare(f"{name} overall", report.overall, theirs[name]["total"], EXACT)
        if alpha == 256:
            yield compare("stage 1", report.trained_in_stage1, theirs[name]["optimizer_stage1_params"], EXACT)
            yield compare("stage 2", report.trained_in_stage2, theirs[name]["optimizer_stage2_adapter_params"], EXACT)


_COMPONENTS = {
    "image tower": ("image_encoder_wo_adapters",),
    "intra-frame adapters": ("ifa",),
    "cross-frame adapters": ("cfaa",),
    "platform prompt": ("pbp",),
    "identity tokens": ("identity_tokens",),
    "shared prompts": ("shared_prompts",),
    "classifiers": ("classifier", "classifier_proj"),
    "batch normalisation": ("bnneck", "bnneck_proj"),
    "text tower": ("text_transformer_blocks", "text_other"),
}

PARTS: dict[str, Callable[[], Iterator[Comparison]]] = {
    "temporal sampling": temporal_sampling,
    "reached frames": reached_frames,
    "identity sampler": identity_sampler,
    "spatial transforms": spatial_transforms,
    "losses": losses,
    "schedules": schedules,
    "position table": position_table,
    "metrics": metrics,
    "parameter counts": parameter_counts,
}
