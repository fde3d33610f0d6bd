"""A small CLIP from nothing: image and text tower learn to agree on photos of simulated people.

It stands where OpenAI's CLIP stands in the paper, at a hundredth of the size, so that both stages can be
tried on a laptop: `skyreid model pretrain`. What it knows of people it knows from the simulation.

Source: the contrastive loss of CLIP (Radford et al. 2021, section 2.3), which paper section 4.1 starts from.
"""

import io
import math
import random
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int, UInt8
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from skyreid.checkpoint import provenance_of_this_run, write_checkpoint
from skyreid.clips.clip_loader import normalize
from skyreid.clips.frame_reading import resize
from skyreid.errors import CheckpointError
from skyreid.feeding import PAPER_CLIP_LENGTH, Feeding
from skyreid.files.config_json import to_json
from skyreid.models.identity_prompt import END, START
from skyreid.models.image_tower import ImageTowerConfig
from skyreid.models.platform_prompt import PlatformPromptConfig
from skyreid.models.text_tower import TextTowerConfig
from skyreid.models.tower_pair import BARE, TowerPair
from skyreid.models.vsla_clip import VslaClipConfig
from skyreid.processes.distributed import Precision, Processes
from skyreid.processes.progress import Progress, silent
from skyreid.simulation.captions import CAPTION_SEED, CaptionedCrop, draw_captioned_crops, sentence, vocabulary, words
from skyreid.tracklet import PLATFORMS, Platform

SMALL = VslaClipConfig(
    image=ImageTowerConfig(image_size=(64, 32), patch_size=8, stride=8, width=128, layers=4, adapters=BARE),
    text=TextTowerConfig(width=64, layers=2, context_length=48),
    embed_dim=128,
    platform_prompt=PlatformPromptConfig(depth=0),
)
PAD_PX = 3
"""Photos are moved by up to so many pixels, so that the tower does not rely on the box."""
LEAST_TEMPERATURE = 0.01
"""As in CLIP's own training."""


@dataclass(frozen=True, kw_only=True)
class PretrainingConfig:
    people: int = 6000
    """Identities; none of them is in any benchmark."""
    aerial_every: int = 10
    """Everybody is photographed from the ground, every so manieth person from a drone too: CLIP's own photos are
    mostly taken at eye level, and the drone's view is what adaptation has to learn."""
    epochs: int = 20
    """Passes over all photos."""
    batch_size: int = 256
    """Photos a step, all of different people."""
    peak: float = 1e-3
    """Highest learning rate; it warms up over the first tenth and falls along a cosine."""
    weight_decay: float = 0.05
    tell: float = 0.8
    """Chance of each phrase of a caption to be told."""
    seed: int = 0
    precision: Precision = "bfloat16"
    """Of the towers; half the time of float32, and no difference could be seen."""
    model: VslaClipConfig = field(default_factory=lambda: SMALL)


class _Sentences:
    """Captions to token numbers."""

    def __init__(self, context_length: int) -> None:
        self.words = (START, END, *vocabulary())
        self._numbers = {word: number for number, word in enumerate(self.words)}
        self._context_length = context_length

    def encode(self, texts: list[str]) -> tuple[Int[Tensor, "sentence token"], Int[Tensor, " sentence"]]:
        """Token numbers, filled up behind the end, and the lengths."""
        rows = [[self._numbers[word] for word in (START, *words(text), END)] for text in texts]
        lengths = torch.tensor([len(row) for row in rows])
        assert int(lengths.max()) <= self._context_length, "the captions outgrew the context"
        return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True), lengths


def pretrain(
    config: PretrainingConfig, out: Path, *, num_workers: int = 1, progress: Progress = silent
) -> dict[str, float]:
    """Take the photos, train, write a checkpoint folder that `pretrained` of a recipe can name.

    The same configuration gives the same photos and, on one machine, the same weights.

    Args:
        config: sizes and training.
        out: the folder to make; it must not exist.
        num_workers: processes that draw the photos.
        progress: told about each photo and each epoch.

    Returns:
        Loss of the last epoch, temperature, and the share of held-out photos whose own caption is the best of
        a batch ("retrieval").

    Raises:
        CheckpointError: `out` exists.
    """
    if out.exists():
        raise CheckpointError(f"{out} must not exist yet; remove it or give another folder")
    photos = draw_captioned_crops(
        people=config.people, aerial_every=config.aerial_every, num_workers=num_workers, progress=progress
    )
    frames = _frames(photos, config.model.image.image_size)
    sentences = _Sentences(config.model.text.context_length)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        pair = TowerPair(config.model, vocabulary=len(sentences.words), words=sentences.words)
    held_out = [position for position, photo in enumerate(photos) if photo.person > config.people * 0.95]
    shown = [position for position, photo in enumerate(photos) if photo.person <= config.people * 0.95]
    processes = Processes(precision=config.precision)
    metrics = _train(pair, config, processes, photos, frames, sentences, shown, progress)
    metrics["retrieval"] = _retrieval(pair, photos, frames, sentences, held_out)
    feeding = Feeding(clip_length=PAPER_CLIP_LENGTH, image_size=config.model.image.image_size, needs_platform=False)
    write_checkpoint(
        out,
        weights={name: tensor.half() for name, tensor in pair.state_dict().items()},
        config={
            "kind": "clip-pair",
            "model": to_json(config.model),
            "feeding": to_json(feeding),
            "vocabulary": len(sentences.words),
            "words": list(sentences.words),
            "pretraining": to_json(config),
        },
        provenance={
            **provenance_of_this_run(seed=config.seed, world_size=1, data_sha256=None),
            "photos": f"{len(photos)} simulated, world {CAPTION_SEED}",
        },
        metrics=metrics,
    )
    return metrics


def _frames(photos: list[CaptionedCrop], image_size: tuple[int, int]) -> UInt8[np.ndarray, "photo height width 3"]:
    pictures = (Image.open(io.BytesIO(photo.jpeg), formats=["JPEG"]) for photo in photos)
    return np.stack([resize(np.asarray(picture.convert("RGB")), image_size) for picture in pictures])


def _train(
    pair: TowerPair,
    config: PretrainingConfig,
    processes: Processes,
    photos: list[CaptionedCrop],
    frames: UInt8[np.ndarray, "photo height width 3"],
    sentences: _Sentences,
    shown: list[int],
    progress: Progress,
) -> dict[str, float]:
    rng = random.Random(config.seed)
    by_person: dict[int, list[int]] = {}
    for position in shown:
        by_person.setdefault(photos[position].person, []).append(position)
    scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
    decayed = [parameter for parameter in pair.parameters() if parameter.ndim > 1]
    others = [*(parameter for parameter in pair.parameters() if parameter.ndim <= 1), scale]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    )
    steps = config.epochs * (len(shown) // config.batch_size)
    step, loss_sum, count = 0, 0.0, 1
    pair.train()
    for epoch in range(1, config.epochs + 1):
        loss_sum, count = 0.0, 0
        for batch in batches(by_person, config.batch_size, rng):
            warm_up = min(1.0, (step + 1) / (0.1 * steps))
            rate = config.peak * warm_up * 0.5 * (1 + math.cos(math.pi * step / steps))
            for group in optimizer.param_groups:
                group["lr"] = rate
            moved = np.stack([_moved(frames[position], rng) for position in batch])
            texts = [_told(photos[position], config.tell, rng) for position in batch]
            with processes.mixed_precision():
                features = _encode(pair, moved, texts, sentences)
            images, told = (functional.normalize(feature.float()) for feature in features)
            logits = scale.exp() * images @ told.T
            targets = torch.arange(len(batch))
            loss = 0.5 * (functional.cross_entropy(logits, targets) + functional.cross_entropy(logits.T, targets))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                scale.clamp_(max=math.log(1 / LEAST_TEMPERATURE))
            step, loss_sum, count = step + 1, loss_sum + loss.item(), count + 1
        progress("pretrain", epoch, config.epochs, f"loss {loss_sum / count:.3f}")
    return {"loss": loss_sum / count, "temperature": (-scale).exp().item()}


def batches(by_person: dict[int, list[int]], size: int, rng: random.Random) -> list[list[int]]:
    """Photos in random order, nobody twice in a batch; an incomplete last batch is left out."""
    order = {person: rng.sample(positions, len(positions)) for person, positions in by_person.items()}
    dealt = []
    for turn in range(max(map(len, order.values()))):
        once = [positions[turn] for positions in order.values() if turn < len(positions)]
        rng.shuffle(once)
        dealt += [once[first : first + size] for first in range(0, len(once) - size + 1, size)]
    rng.shuffle(dealt)
    return dealt


def _moved(frame: UInt8[np.ndarray, "height width 3"], rng: random.Random) -> UInt8[np.ndarray, "height width 3"]:
    """Mirrored half of the time, and shifted."""
    if rng.random() < 0.5:
        frame = frame[:, ::-1]
    height, width = frame.shape[:2]
    padded = np.pad(frame, ((PAD_PX, PAD_PX), (PAD_PX, PAD_PX), (0, 0)), mode="edge")
    top, left = rng.randint(0, 2 * PAD_PX), rng.randint(0, 2 * PAD_PX)
    return padded[top : top + height, left : left + width]


def _told(photo: CaptionedCrop, tell: float, rng: random.Random) -> str:
    told = tuple(phrase for phrase in photo.phrases if rng.random() < tell) or photo.phrases[:1]
    return sentence(told, seen_from=photo.platform if rng.random() < tell else None)


def _encode(
    pair: TowerPair, frames: UInt8[np.ndarray, "photo height width 3"], texts: list[str], sentences: _Sentences
) -> tuple[Float[Tensor, "photo embed"], Float[Tensor, "photo embed"]]:
    """Features of photos and captions."""
    pixels = rearrange(torch.from_numpy(frames), "photo height width channel -> photo 1 channel height width")
    images = pair.encoder(normalize(pixels), torch.zeros(len(frames), dtype=torch.long)).joint
    tokens, lengths = sentences.encode(texts)
    return images, pair.text_tower(pair.token_embedding(tokens), lengths)


@torch.no_grad()
def _retrieval(
    pair: TowerPair,
    photos: list[CaptionedCrop],
    frames: UInt8[np.ndarray, "photo height width 3"],
    sentences: _Sentences,
    held_out: list[int],
) -> float:
    """Share of photos whose whole caption is nearest among those of 100 people never shown, by platform."""
    pair.eval()
    hits = []
    for platform in PLATFORMS:
        chosen = _one_each(photos, held_out, platform)
        texts = [sentence(photos[position].phrases) for position in chosen]
        images, told = _encode(pair, frames[chosen], texts, sentences)
        similarities = functional.normalize(images) @ functional.normalize(told).T
        hits.append(similarities.argmax(dim=1) == torch.arange(len(chosen)))
    return float(torch.cat(hits).float().mean())


def _one_each(photos: list[CaptionedCrop], held_out: list[int], platform: Platform) -> list[int]:
    first: dict[int, int] = {}
    for position in held_out:
        if photos[position].platform is platform:
            first.setdefault(photos[position].person, position)
    return list(first.values())[:100]
