"""MGH: a clip as graphs of body strips, coarse to fine, whose nodes look up their like in the frames around.

Source: Y. Yan et al., Learning Multi-Granular Hypergraphs for Video-Based Person Re-Identification,
CVPR 2020, in the form that was released. Original: daodaofr/hypergraph_reid, no licence; written anew
from a description of what it computes.

Every frame is cut into 2, 4 and 8 strips. A strip is joined with the mean of the two strips within three
frames that are most like it, twice; the mean over all strips of a clip describes it at that granularity,
beside the mean of the whole map.

Deviation: the paper weighs hyperedges by attention and keeps the granularities apart by a loss on their
mutual information; the release has neither, nor have we. `MghConfig` has the released quirks that can be
turned off. A node is kept from being its own neighbour by its number, not by its rank: the same but for the
order of equals.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from einops import rearrange, reduce
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from skyreid.baselines.baseline import PAPER_SIZE, Baseline, Preset, PublishedNames, refuse_other_clips
from skyreid.baselines.parts import NonLocal, make_classifier, make_neck
from skyreid.baselines.resnet50_frames import Place, ResNet50Config, ResNet50Frames, map_size, resnet50_names
from skyreid.errors import SettingError
from skyreid.losses import TripletConfig, batch_hard_triplet

FEATURE = 2048
STRIPS = (2, 4, 8)
NODE_FEATURE = 1024
FRAMES_AROUND = 3
NEIGHBOURS = 2
SMALLEST_CLIP = 2
LABEL_SMOOTHING = 0.1
TRIPLET = TripletConfig(margin=0.3, form="hinge", distance="euclidean")


@dataclass(frozen=True, kw_only=True)
class MghConfig:
    num_classes: int
    """Training identities."""
    image_size: tuple[int, int] = PAPER_SIZE
    """(height, width) of the frames; the rows of the last feature map must fall into 8 equal strips."""
    stem_relu: bool = False
    """ReLU behind the first normalisation, as ResNet-50 has it; it was released without."""
    unused_members: bool = True
    """Members that the release builds and nothing reads: a classifier. With them the released weights all
    have a place and the parameters are as many."""

    def __post_init__(self) -> None:
        rows, _ = map_size(self.image_size, 4)
        if rows % max(STRIPS):
            raise SettingError(
                f"mgh: the rows of the last feature map must fall into {max(STRIPS)} equal strips; "
                f"got {rows} rows from image_size={self.image_size}; take a height that is a multiple of 128"
            )


class Mgh(Baseline):
    """Clips of any length from 2 frames on, of the size that it was built for."""

    training_only = ("classifiers.", "unused.")

    def __init__(self, config: MghConfig) -> None:
        super().__init__()
        self.image_size = config.image_size
        dims = (FEATURE, *(NODE_FEATURE for _ in STRIPS))
        self.embed_dim = sum(dims)

        def non_local(place: Place) -> nn.Module | None:
            if place.stage in (2, 3) and place.block % 2 == 1:
                return NonLocal(place.channels, over_time=False)
            return None

        self.backbone = ResNet50Frames(ResNet50Config(stem_relu=config.stem_relu), after_block=non_local)
        self.whole_norm = nn.BatchNorm1d(FEATURE)
        self.graphs = nn.ModuleList(StripGraph(num_strips) for num_strips in STRIPS)
        self.neck = make_neck(self.embed_dim, trains_bias=True)
        self.classifiers = nn.ModuleList(make_classifier(dim, config.num_classes, bias=True) for dim in dims)
        self.unused = nn.ModuleDict()
        if config.unused_members:
            self.unused["classifier"] = make_classifier(NODE_FEATURE, config.num_classes, bias=True)

    def forward(
        self, frames: Float[Tensor, "clip frame channel height width"], platforms: Int[Tensor, " clip"] | None = None
    ) -> dict[str, Tensor]:
        num_frames = frames.shape[1]
        _refuse_short_clips(num_frames)
        refuse_other_clips("mgh", frames, frames=num_frames, image_size=self.image_size)
        features = rearrange(
            self.backbone(rearrange(frames, "clip frame c h w -> (clip frame) c h w"), num_frames),
            "(clip frame) channel height width -> clip frame channel height width",
            frame=num_frames,
        )
        whole = self.whole_norm(functional.normalize(features.mean(dim=(1, 3, 4))).relu())
        raw_feature = torch.cat([whole, *(graph(features) for graph in self.graphs)], dim=1)
        feature = self.neck(raw_feature)
        if self.training:
            return {"raw_feature": raw_feature, "logits": self._classify(feature)}
        return {"embedding": feature}

    def _classify(self, feature: Float[Tensor, "clip dim"]) -> Float[Tensor, "clip part class"]:
        """Classify the whole and each granularity by its own slice of the feature."""
        slices = feature.split([FEATURE, *(NODE_FEATURE for _ in STRIPS)], dim=1)
        return torch.stack([head(part) for head, part in zip(self.classifiers, slices, strict=True)], dim=1)

    def losses(self, outputs: Mapping[str, Tensor], labels: Int[Tensor, " clip"]) -> dict[str, Float[Tensor, ""]]:
        identity = [
            functional.cross_entropy(logits, labels, label_smoothing=LABEL_SMOOTHING)
            for logits in outputs["logits"].unbind(dim=1)
        ]
        return {
            "identity": torch.stack(identity).sum(),
            "triplet": batch_hard_triplet(outputs["raw_feature"], labels, TRIPLET),
        }

    def published_names(self) -> PublishedNames:
        return resnet50_names(lambda name: (f"backbone.{name}",))


def build_mgh(
    *, num_classes: int, frames: int, preset: Preset = "release", image_size: tuple[int, int] = PAPER_SIZE
) -> Mgh:
    """MGH; clips of any length from 2 frames on, so `frames` changes nothing else."""
    _refuse_short_clips(frames)
    is_clean = preset == "clean"
    return Mgh(
        MghConfig(num_classes=num_classes, image_size=image_size, stem_relu=is_clean, unused_members=not is_clean)
    )


def _refuse_short_clips(num_frames: int) -> None:
    if num_frames < SMALLEST_CLIP:
        raise SettingError(
            f"mgh: a clip has at least {SMALLEST_CLIP} frames, so that a node has {NEIGHBOURS} neighbours; "
            f"got {num_frames}"
        )


class StripGraph(nn.Module):
    """The description of a clip by strips of one granularity."""

    def __init__(self, num_strips: int) -> None:
        super().__init__()
        self.num_strips = num_strips
        self.layers = nn.ModuleList([NeighbourLayer(FEATURE, NODE_FEATURE), NeighbourLayer(NODE_FEATURE, NODE_FEATURE)])

    def forward(self, features: Float[Tensor, "clip frame channel height width"]) -> Float[Tensor, "clip dim"]:
        nodes = reduce(
            features,
            "clip frame channel (strip row) width -> clip (frame strip) channel",
            "mean",
            strip=self.num_strips,
        )
        frame_of_node = torch.arange(nodes.shape[1], device=nodes.device) // self.num_strips
        for layer in self.layers:
            nodes = layer(nodes, frame_of_node)
        return nodes.mean(dim=1)


class NeighbourLayer(nn.Module):
    """A layer of the graph: a node beside the mean of the nodes most like it."""

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.own = nn.Linear(in_dim, out_dim // 2)
        self.neighbours = nn.Linear(in_dim, out_dim // 2)
        self.norm = nn.BatchNorm1d(out_dim)

    def forward(
        self, nodes: Float[Tensor, "clip node dim"], frame_of_node: Int[Tensor, " node"]
    ) -> Float[Tensor, "clip node out_dim"]:
        joined = torch.cat([self.own(nodes), self.neighbours(_mean_of_nearest(nodes, frame_of_node))], dim=-1)
        active = functional.normalize(joined, dim=-1).relu()
        return rearrange(
            self.norm(rearrange(active, "clip node dim -> clip dim node")), "clip dim node -> clip node dim"
        )


def _mean_of_nearest(
    nodes: Float[Tensor, "clip node dim"], frame_of_node: Int[Tensor, " node"]
) -> Float[Tensor, "clip node dim"]:
    """For every node the mean of the others, from its own frame and those around, that point most its way."""
    directions = functional.normalize(nodes.detach(), dim=-1)
    similarity = directions @ directions.mT
    is_far = (frame_of_node[:, None] - frame_of_node[None, :]).abs() > FRAMES_AROUND
    itself = torch.eye(frame_of_node.shape[0], dtype=torch.bool, device=nodes.device)
    nearest = similarity.masked_fill(is_far | itself, -torch.inf).topk(NEIGHBOURS, dim=-1).indices
    clip = torch.arange(nodes.shape[0], device=nodes.device)[:, None, None]
    return nodes[clip, nearest].mean(dim=2)  # [clip, node, neighbour, dim] before the mean
