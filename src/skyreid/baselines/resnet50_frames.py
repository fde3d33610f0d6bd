"""ResNet-50 over frames, with the places where the methods of the comparison put their own parts.

Source: K. He et al., Deep Residual Learning for Image Recognition, CVPR 2016, in the variant whose
3 x 3 convolution carries the stride; parameters are named as torchvision names them. The 3-D backbones
of the methods are this network: their kernels are 1 frame long, so a clip is a batch of frames, and
batch normalisation over clips, frames and positions is the ordinary one.

Deviation: the last stage keeps its stride at 1, as all of the methods do.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from skyreid.baselines.baseline import PublishedNames

EXPANSION = 4
STAGE_BLOCKS = (3, 4, 6, 3)
STAGE_WIDTHS = (64, 128, 256, 512)
STAGE_STRIDES = (1, 2, 2, 1)
CLASSIFIER = {f"fc.{name}": "the classifier of ImageNet" for name in ("weight", "bias")}


class Place(NamedTuple):
    """A place in the network where a method may put a part."""

    stage: int
    """1 to 4, torchvision's `layer1` to `layer4`."""
    block: int
    """From 0."""
    channels: int
    """Of the features that stand there."""


PartMaker = Callable[[Place], nn.Module | None]
"""Makes the part of a place, or None. A part is called with features [image, channel, height, width],
the frames of a clip side by side, and the number of frames a clip; it gives features of the same shape."""


def no_part(place: Place) -> nn.Module | None:
    """Leave every place empty."""
    return None


@dataclass(frozen=True, kw_only=True)
class ResNet50Config:
    has_last_stage: bool = True
    """False for a method that builds its own copies of stage 4."""
    stem_relu: bool = True
    """ReLU after the first normalisation; MGH and STMN were released without."""
    stem_pool_padding: int = 1
    """Of the 3 x 3 max-pool; SINet was released with 0."""
    conv_bias: bool = False
    """Biases on all convolutions, which SINet was released with; ImageNet weights have none for them."""


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolution beside a short cut.

    Args:
        in_channels: channels that come in.
        width: channels of the 3 x 3 convolution; four times as many leave.
        stride: of the 3 x 3 convolution and of the short cut.
        conv_bias: convolutions have biases.
        final_relu: ReLU at the end.
        after_conv2: what stands between the 3 x 3 convolution and its normalisation.
        after_block: what stands after the block.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        stride: int = 1,
        conv_bias: bool = False,
        final_relu: bool = True,
        after_conv2: nn.Module | None = None,
        after_block: nn.Module | None = None,
    ) -> None:
        super().__init__()
        out_channels = EXPANSION * width
        self.conv1 = _convolution(in_channels, width, 1, bias=conv_bias)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _convolution(width, width, 3, stride=stride, bias=conv_bias)
        self.after_conv2 = after_conv2
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = _convolution(width, out_channels, 1, bias=conv_bias)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU()
        self.downsample = (
            nn.Sequential(
                _convolution(in_channels, out_channels, 1, stride=stride, bias=conv_bias),
                nn.BatchNorm2d(out_channels),
            )
            if stride != 1 or in_channels != out_channels
            else None
        )
        self.final_relu = final_relu
        self.after_block = after_block

    def forward(
        self, features: Float[Tensor, "image channel height width"], num_frames: int
    ) -> Float[Tensor, "image out_channel out_height out_width"]:
        inner = self.conv2(self.relu(self.bn1(self.conv1(features))))
        if self.after_conv2 is not None:
            inner = self.after_conv2(inner, num_frames)
        inner = self.bn3(self.conv3(self.relu(self.bn2(inner))))
        out = inner + (features if self.downsample is None else self.downsample(features))
        if self.final_relu:
            out = self.relu(out)
        return out if self.after_block is None else self.after_block(out, num_frames)


class ResNetStage(nn.ModuleList):
    """Blocks one after the other."""

    def forward(
        self, features: Float[Tensor, "image channel height width"], num_frames: int
    ) -> Float[Tensor, "image out_channel out_height out_width"]:
        for block in self:
            features = block(features, num_frames)
        return features


def make_stage(
    stage: int,
    *,
    conv_bias: bool = False,
    last_relu: bool = True,
    after_conv2: PartMaker = no_part,
    after_block: PartMaker = no_part,
) -> ResNetStage:
    """Build stage 1 to 4 with random weights; `last_relu`: the last block ends with ReLU."""
    width, blocks = STAGE_WIDTHS[stage - 1], STAGE_BLOCKS[stage - 1]
    before = STAGE_WIDTHS[0] if stage == 1 else EXPANSION * STAGE_WIDTHS[stage - 2]
    return ResNetStage(
        Bottleneck(
            EXPANSION * width if block else before,
            width,
            stride=1 if block else STAGE_STRIDES[stage - 1],
            conv_bias=conv_bias,
            final_relu=last_relu or block < blocks - 1,
            after_conv2=after_conv2(Place(stage, block, width)),
            after_block=after_block(Place(stage, block, EXPANSION * width)),
        )
        for block in range(blocks)
    )


class ResNet50Frames(nn.Module):
    """The stem and the stages, each of which can also be called alone.

    Args:
        config: in what the network differs between the methods.
        after_conv2: makes what stands after the 3 x 3 convolution of a block.
        after_block: makes what stands after a block.
    """

    def __init__(
        self,
        config: ResNet50Config | None = None,
        *,
        after_conv2: PartMaker = no_part,
        after_block: PartMaker = no_part,
    ) -> None:
        super().__init__()
        config = config or ResNet50Config()
        self.conv1 = _convolution(3, STAGE_WIDTHS[0], 7, stride=2, bias=config.conv_bias)
        self.bn1 = nn.BatchNorm2d(STAGE_WIDTHS[0])
        self.relu = nn.ReLU() if config.stem_relu else nn.Identity()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=config.stem_pool_padding)

        def stage(number: int) -> ResNetStage:
            return make_stage(number, conv_bias=config.conv_bias, after_conv2=after_conv2, after_block=after_block)

        self.layer1, self.layer2, self.layer3 = stage(1), stage(2), stage(3)
        self.layer4 = stage(4) if config.has_last_stage else None

    def stem(
        self, images: Float[Tensor, "image channel height width"]
    ) -> Float[Tensor, "image out_channel out_height out_width"]:
        """Everything before stage 1."""
        return self.maxpool(self.relu(self.bn1(self.conv1(images))))

    def forward(
        self, images: Float[Tensor, "image channel height width"], num_frames: int
    ) -> Float[Tensor, "image out_channel out_height out_width"]:
        """Frames of clips, side by side, to the features of the last stage.

        Args:
            images: the frames, those of a clip next to each other.
            num_frames: frames a clip.
        """
        features = self.stem(images)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            if stage is not None:
                features = stage(features, num_frames)
        return features


def map_size(image_size: tuple[int, int], stage: int, *, stem_pool_padding: int = 1) -> tuple[int, int]:
    """(height, width) of the features that leave a stage; stage 0 is the stem."""

    def after_stage(side: int) -> int:
        side = (side - 1) // 2 + 1
        side = (side + 2 * stem_pool_padding - 3) // 2 + 1
        for stride in STAGE_STRIDES[:stage]:
            side = (side - 1) // stride + 1
        return side

    return after_stage(image_size[0]), after_stage(image_size[1])


def resnet50_names(places: Callable[[str], tuple[str, ...]]) -> PublishedNames:
    """Torchvision's names of ResNet-50 and where they belong.

    Args:
        places: gives the method's names for torchvision's, such as `layer4.0.conv1.weight`.
    """
    names = list(_torchvision_names())
    counters = {name.replace("running_mean", "num_batches_tracked") for name in names if "running_mean" in name}
    return PublishedNames(
        targets={name: places(name) for name in names},
        dropped=CLASSIFIER | dict.fromkeys(sorted(counters), "a count of batches, which nothing reads"),
    )


def _torchvision_names() -> Iterator[str]:
    def convolution(conv: str, norm: str) -> Iterator[str]:
        yield f"{conv}.weight"
        for name in ("weight", "bias", "running_mean", "running_var"):
            yield f"{norm}.{name}"

    yield from convolution("conv1", "bn1")
    for stage, blocks in enumerate(STAGE_BLOCKS, start=1):
        for block in range(blocks):
            prefix = f"layer{stage}.{block}"
            for number in (1, 2, 3):
                yield from convolution(f"{prefix}.conv{number}", f"{prefix}.bn{number}")
            if block == 0:
                yield from convolution(f"{prefix}.downsample.0", f"{prefix}.downsample.1")


def _convolution(in_channels: int, out_channels: int, size: int, *, stride: int = 1, bias: bool) -> nn.Conv2d:
    convolution = nn.Conv2d(in_channels, out_channels, size, stride=stride, padding=size // 2, bias=bias)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return convolution
