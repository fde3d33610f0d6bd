"""One small CLIP, its inputs and its outputs, for every format."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from tests.pretrained.reference_clip import SIDE, ReferenceClip, make_reference_clip


@dataclass(frozen=True)
class Known:
    """A CLIP and what it computes for given inputs."""

    clip: ReferenceClip
    frames: Tensor
    tokens: Tensor
    image_features: Tensor
    text_features: Tensor

    @property
    def state(self) -> dict[str, Tensor]:
        return self.clip.state_dict()

    def assert_computed_by(self, pair, *, atol=1e-5):
        """Our towers give the same features from the same inputs (one frame is a clip of one)."""
        with torch.no_grad():
            image = pair.encoder(self.frames[:, None], torch.zeros(len(self.frames), dtype=torch.int64)).joint
            text = pair.text_tower(pair.token_embedding(self.tokens))
        torch.testing.assert_close(image, self.image_features, rtol=0, atol=atol)
        torch.testing.assert_close(text, self.text_features, rtol=0, atol=atol)


@pytest.fixture(scope="session")
def known() -> Known:
    clip = make_reference_clip()
    generator = torch.Generator().manual_seed(6)
    frames = torch.randn(3, 3, SIDE, SIDE, generator=generator)
    tokens = torch.randint(1, 49406, (4, 7), generator=generator)
    tokens[:, 0], tokens[:, -1] = 49406, 49407
    image, text = clip(frames, tokens)
    return Known(clip, frames, tokens, image, text)
