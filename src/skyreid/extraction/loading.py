"""A checkpoint folder to something that embeds clips; needs no training data and no GPU."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float32, UInt8
from torch import Tensor

from skyreid.baselines.baseline import Baseline
from skyreid.baselines.building import BaselineModel, build_baseline
from skyreid.checkpoint import build_to_fit, read_checkpoint
from skyreid.clips.frame_bank import resize
from skyreid.clips.normalization import normalize
from skyreid.config_json import Json, from_json
from skyreid.errors import CheckpointError, SettingError
from skyreid.extraction.embed_tracklets import ExtractionConfig, needs_platform
from skyreid.feeding import PAPER_CLIP_LENGTH, Feeding, feeding_differences
from skyreid.models.platform_prompt import UNKNOWN_PLATFORM
from skyreid.models.vsla_clip import VideoEncoder, VslaClipConfig
from skyreid.tracklet import Platform

logger = logging.getLogger(__name__)

TRAINING_ONLY = {
    "vsla-clip": ("head_final.", "head_joint.", "identity_prompt.", "text_tower."),
    "clip-pair": ("text_tower.", "token_embedding."),
}
"""Kinds of checkpoint that hold a CLIP image tower, and their parts that an embedding never touches."""
BASELINE = "baseline"
"""The kind of a method of the comparison."""


class ClipEmbedder:
    """An encoder with its preprocessing: bytes in, embeddings out.

    Args:
        encoder: what embeds.
        feeding: how it wants to be fed.
    """

    def __init__(self, encoder: VideoEncoder | Baseline, feeding: Feeding) -> None:
        self.encoder = encoder.eval()
        self.feeding = feeding

    @property
    def embed_dim(self) -> int:
        """Length of one embedding."""
        return self.encoder.embed_dim

    @torch.inference_mode()
    def embed(
        self,
        frames: UInt8[Tensor, "clip frame 3 height width"] | UInt8[np.ndarray, "clip frame 3 height width"],
        platforms: Sequence[Platform | str] | None = None,
    ) -> Float32[Tensor, "clip embed"]:
        """Embed clips of RGB frames of any size and any number.

        Args:
            frames: resized (bicubic) to what the model was trained on when they differ.
            platforms: one for each clip, "ground" or "aerial"; None = nobody knows, and a model that is told the
                platform uses the mean over them (a log message says so).

        Returns:
            Un-normalised embeddings, on the CPU; compare them by cosine.

        Raises:
            SettingError: frames of another type or layout, an unknown platform, or not one for each clip.
        """
        sized = _at_size(_checked(frames), self.encoder.image_size)
        numbers = self._platform_numbers(platforms, len(frames))
        device = next(self.encoder.parameters()).device
        pixels = normalize(sized.to(device), self.feeding.normalization)
        return self.encoder.embed(pixels, numbers.to(device)).float().cpu()

    def _platform_numbers(self, platforms: Sequence[Platform | str] | None, clips: int) -> Tensor:
        if platforms is None:
            if self.feeding.needs_platform:
                logger.warning("platform unknown for %d clips: the mean over the platforms is used", clips)
            return torch.full((clips,), UNKNOWN_PLATFORM)
        if isinstance(platforms, str) or len(platforms) != clips:
            raise SettingError(f"one platform for each of {clips} clips; got {platforms!r}")
        known = [platform.value for platform in Platform]
        if unknown := [platform for platform in platforms if platform not in known]:
            raise SettingError(f"a platform is one of {', '.join(known)}; got {unknown[0]!r}")
        return torch.tensor([Platform(platform).number for platform in platforms], dtype=torch.long)


def load(folder: Path | str, *, device: torch.device | str = "cpu") -> ClipEmbedder:
    """Load a checkpoint folder for embedding.

    Raises:
        CheckpointError: not a checkpoint, or keys missing or left over (they are listed).
    """
    checkpoint = read_checkpoint(Path(folder))
    kind, clip_length = checkpoint.config.get("kind"), PAPER_CLIP_LENGTH
    if kind == BASELINE:
        model = from_json(BaselineModel, checkpoint.config.get("model"), where=f"{folder}: model")
        encoder = build_to_fit(lambda: build_baseline(model), checkpoint.weights, origin=str(folder))
        clip_length = model.frames
    elif isinstance(kind, str) and kind in TRAINING_ONLY:
        config = from_json(VslaClipConfig, checkpoint.config.get("model"), where=f"{folder}: model")
        wanted = {
            key.removeprefix("encoder."): tensor
            for key, tensor in checkpoint.weights.items()
            if not key.startswith(TRAINING_ONLY[kind])
        }
        encoder = build_to_fit(lambda: VideoEncoder(config), wanted, origin=str(folder))
    else:
        raise CheckpointError(f"{folder}: kind must be one of {', '.join((*TRAINING_ONLY, BASELINE))}; got {kind!r}")
    feeding = _feeding(checkpoint.config, encoder, clip_length=clip_length, origin=str(folder))
    return ClipEmbedder(encoder.to(device), feeding)


def _feeding(config: Mapping[str, Json], encoder: VideoEncoder | Baseline, *, clip_length: int, origin: str) -> Feeding:
    """Read how a checkpoint wants to be fed, or say what is assumed of one that does not tell: `clip_length` frames."""
    if "feeding" in config:
        feeding = from_json(Feeding, config["feeding"], where=f"{origin}: feeding")
        rebuilt = replace(feeding, image_size=encoder.image_size, needs_platform=needs_platform(encoder))
        if feeding != rebuilt:
            raise CheckpointError(
                f"{origin}: what it says of its feeding contradicts its model: "
                + "; ".join(feeding_differences(feeding, rebuilt))
            )
        return feeding
    training = config.get("training")
    tested = training.get("extraction") if isinstance(training, dict) else None
    if tested is None:
        extraction = ExtractionConfig(clip_length=clip_length)
    else:
        extraction = from_json(ExtractionConfig, tested, where=f"{origin}: training.extraction")
    feeding = extraction.feeding_of(encoder)
    logger.warning(
        "%s does not say how it wants to be fed, as checkpoints of earlier versions; %s: %s, ImageNet's mean and "
        "standard deviation",
        origin,
        "assumed" if tested is None else "taken from the settings of its training",
        feeding.in_words(),
    )
    return feeding


def _checked(
    frames: UInt8[Tensor, "clip frame 3 height width"] | UInt8[np.ndarray, "clip frame 3 height width"],
) -> UInt8[Tensor, "clip frame 3 height width"]:
    """Refuse what the annotations refuse; they are checked in tests only."""
    if isinstance(frames, np.ndarray):
        # A copy, since PyTorch takes neither a read-only array (Pillow's) nor a mirrored view.
        frames = torch.from_numpy(np.array(frames, order="C"))
    if frames.dtype != torch.uint8 or frames.dim() != 5 or frames.shape[2] != 3 or frames.numel() == 0:
        raise SettingError(
            "frames must be uint8 RGB of the shape [clip, frame, 3, height, width], no side 0; "
            f"got {str(frames.dtype).removeprefix('torch.')} of the shape {list(frames.shape)}"
        )
    return frames


def _at_size(
    frames: UInt8[Tensor, "clip frame 3 height width"], image_size: tuple[int, int]
) -> UInt8[Tensor, "clip frame 3 tall wide"]:
    if tuple(frames.shape[-2:]) == image_size:
        return frames
    clips = frames.shape[0]
    images = rearrange(frames.cpu().numpy(), "clip frame channel height width -> (clip frame) height width channel")
    resized = np.stack([resize(np.ascontiguousarray(image), image_size) for image in images])
    return rearrange(
        torch.from_numpy(resized), "(clip frame) height width channel -> clip frame channel height width", clip=clips
    )
