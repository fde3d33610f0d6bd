"""Files in torchvision's format, made by torch: the names are torchvision's, written out here."""

from collections.abc import Iterator, Mapping

import pytest
import torch
from torch import nn

from skyreid.baselines.baseline import Baseline, PositionTable, PublishedNames
from skyreid.baselines.resnet50_frames import ResNet50Frames, resnet50_names
from skyreid.errors import CheckpointError
from skyreid.pretrained.assembling import resize_position_table
from skyreid.pretrained.imagenet import load_imagenet

BLOCKS = {1: (64, 3), 2: (128, 4), 3: (256, 6), 4: (512, 3)}


class BackboneAlone(Baseline):
    """What `load_imagenet` needs of a method: the backbone, and a part that ImageNet knows nothing of."""

    def __init__(self):
        super().__init__()
        self.backbone = ResNet50Frames()
        self.classifier = nn.Linear(2048, 3)

    def forward(self, frames, platforms=None):
        raise NotImplementedError

    def losses(self, outputs: Mapping[str, torch.Tensor], labels):
        raise NotImplementedError

    def published_names(self):
        return resnet50_names(lambda name: (f"backbone.{name}",))


class TableAlone(BackboneAlone):
    """A position table on another grid, twice."""

    def __init__(self):
        Baseline.__init__(self)
        self.one, self.other = (nn.Parameter(torch.zeros(1, 7, 4)) for _ in range(2))

    def published_names(self):
        table = PositionTable(name="pos_embed", grid=(4, 4), target=(3, 2))
        return PublishedNames(targets={"pos_embed": ("one", "other")}, position_table=table)


def torchvision_shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    def norm(name, channels):
        for part in ("weight", "bias", "running_mean", "running_var"):
            yield f"{name}.{part}", (channels,)
        yield f"{name}.num_batches_tracked", ()

    yield "conv1.weight", (64, 3, 7, 7)
    yield from norm("bn1", 64)
    channels = 64
    for stage, (width, blocks) in BLOCKS.items():
        for block in range(blocks):
            prefix = f"layer{stage}.{block}"
            sizes = [(width, channels, 1, 1), (width, width, 3, 3), (4 * width, width, 1, 1)]
            for number, size in enumerate(sizes, start=1):
                yield f"{prefix}.conv{number}.weight", size
                yield from norm(f"{prefix}.bn{number}", size[0])
            if block == 0:
                yield f"{prefix}.downsample.0.weight", (4 * width, channels, 1, 1)
                yield from norm(f"{prefix}.downsample.1", 4 * width)
            channels = 4 * width
    yield "fc.weight", (1000, 2048)
    yield "fc.bias", (1000,)


@pytest.fixture(scope="module")
def published():
    return {
        name: torch.full(shape, float(number)) if shape else torch.tensor(number)
        for number, (name, shape) in enumerate(torchvision_shapes())
    }


@pytest.fixture(scope="module")
def method():
    return BackboneAlone()


def test_torchvision_s_file_has_the_size_that_it_is_known_for(published):
    assert sum(t.numel() for name, t in published.items() if name.endswith(("weight", "bias"))) == 25_557_032


@pytest.mark.parametrize("counters", [True, False])
def test_every_tensor_stands_in_its_place_and_the_rest_keeps_its_start(method, published, counters, tmp_path):
    state = {name: t for name, t in published.items() if counters or "num_batches" not in name}
    torch.save(state, tmp_path / "resnet50.pth")
    start = method.classifier.weight.clone()
    report = load_imagenet(method, tmp_path / "resnet50.pth")
    ours = method.state_dict()
    for name, tensor in published.items():
        if not name.startswith("fc.") and "num_batches" not in name:
            assert torch.equal(ours[f"backbone.{name}"], tensor)
    assert torch.equal(method.classifier.weight, start)
    assert report.mapped == 53 * 5
    assert len(report.dropped) == 2 + (53 if counters else 0)
    assert len(report.sha256) == 64


def test_missing_and_unexpected_keys_are_listed_and_nothing_is_changed(method, published, tmp_path):
    state = {name: t for name, t in published.items() if name != "layer4.2.conv3.weight"}
    torch.save(state | {"layer5.0.conv1.weight": torch.zeros(1)}, tmp_path / "w.pth")
    before = {name: tensor.clone() for name, tensor in method.state_dict().items()}
    message = r"1 missing: layer4\.2\.conv3\.weight; 1 unexpected: layer5\.0\.conv1\.weight"
    with pytest.raises(CheckpointError, match=message):
        load_imagenet(method, tmp_path / "w.pth")
    assert all(torch.equal(tensor, before[name]) for name, tensor in method.state_dict().items())


def test_a_shape_that_does_not_fit_is_refused(method, published, tmp_path):
    torch.save(published | {"conv1.weight": torch.zeros(64, 1, 7, 7)}, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"backbone\.conv1\.weight has shape \[64, 1, 7, 7\]"):
        load_imagenet(method, tmp_path / "w.pth")


def test_a_position_table_is_resized_and_copied_to_every_place(tmp_path):
    table = torch.randn(1, 17, 4, generator=torch.Generator().manual_seed(0))
    torch.save({"pos_embed": table}, tmp_path / "vit.pth")
    method = TableAlone()
    load_imagenet(method, tmp_path / "vit.pth")
    expected = resize_position_table(table[0], grid=(4, 4), target=(3, 2))[None]
    assert torch.equal(method.one, expected)
    assert torch.equal(method.other, expected)
    assert method.one.data_ptr() != method.other.data_ptr()


def test_a_position_table_of_another_grid_is_refused(tmp_path):
    torch.save({"pos_embed": torch.zeros(1, 26, 4)}, tmp_path / "vit.pth")
    with pytest.raises(CheckpointError, match=r"pos_embed must have shape \[1, 17, dim\]; got \[1, 26, 4\]"):
        load_imagenet(TableAlone(), tmp_path / "vit.pth")
