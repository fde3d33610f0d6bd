"""The weights that have a name here: who published them, where, how many bytes with which hash, under which licence.

Sizes and hashes stand in public records (Open Model Zoo's model.yml of 2023.0, the addresses of OpenAI's files,
releases of Megvii, OpenCV and torchvision). The hash decides what a file is, whatever address it came from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Use = Literal["detector", "encoder", "face model", "start of a training", "vocabulary"]
"""What reads them: `--detector`, `--model` and `--face-model` of `build` (and `embed`), `model import` and `train`,
`search --text`."""


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """One file, as its publisher put it into the world."""

    place: str
    """In the cache, and below a mirror: the publisher's name, and for Open Model Zoo the folders of its downloader."""
    address: str
    num_bytes: int
    digest: str
    """The algorithm of `hashlib` and the hexadecimal digits: `sha256:…`."""
    equivalents: tuple[str, ...] = ()
    """Digests of other exports of the same weights, which are taken too where somebody brings them; never fetched."""

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.place.rpartition("/")[2]


@dataclass(frozen=True, kw_only=True)
class PublishedWeights:
    """Weights that can be asked for by name."""

    what: str
    use: Use
    files: tuple[PublishedFile, ...]
    """The first is the one that is named to whoever opens them; the others lie beside it."""
    code_licence: str
    weights_licence: str
    good_for: str
    settings: str = ""
    """What follows the file where it is given to a command, such as `kind=yolox`."""

    @property
    def num_bytes(self) -> int:
        """Of all files."""
        return sum(file.num_bytes for file in self.files)


def _open_model_zoo(
    model: str, precision: str, *, num_bytes: tuple[int, int], sha384: tuple[str, str]
) -> tuple[PublishedFile, ...]:
    """Give the two files of a model of Open Model Zoo 2023.0: the graph and its weights."""
    below = f"{model}/{precision}/{model}"
    zoo = "https://storage.openvinotoolkit.org/repositories/open_model_zoo/2023.0/models_bin/1"
    return tuple(
        PublishedFile(
            place=f"intel/{below}{ending}", address=f"{zoo}/{below}{ending}", num_bytes=size, digest=f"sha384:{digest}"
        )
        for ending, size, digest in zip((".xml", ".bin"), num_bytes, sha384, strict=True)
    )


def _yolox(size: str, *, num_bytes: int, sha256: str, equivalents: tuple[str, ...] = ()) -> tuple[PublishedFile, ...]:
    address = f"https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/yolox_{size}.onnx"
    return (
        PublishedFile(
            place=f"yolox_{size}.onnx",
            address=address,
            num_bytes=num_bytes,
            digest=f"sha256:{sha256}",
            equivalents=equivalents,
        ),
    )


def _clip(file: str, *, num_bytes: int, sha256: str) -> tuple[PublishedFile, ...]:
    address = f"https://openaipublic.azureedge.net/clip/models/{sha256}/{file}"
    return (PublishedFile(place=file, address=address, num_bytes=num_bytes, digest=f"sha256:{sha256}"),)


_INTEL = {"code_licence": "Apache-2.0", "weights_licence": "Apache-2.0 (Intel, Open Model Zoo)"}
_MEGVII = {
    "code_licence": "Apache-2.0",
    "weights_licence": "none of their own: a release asset of the Apache-2.0 repository, trained on COCO",
}
_OPENAI = {"code_licence": "MIT", "weights_licence": "none of their own; OpenAI's model card asks for research use"}
_REAL_PEOPLE = (
    "people filmed from the ground, at any gate or street; from ground to drone it is a start, not the paper's method"
)

PUBLISHED: Mapping[str, PublishedWeights] = {
    "yolox-nano": PublishedWeights(
        what="YOLOX-Nano, finds people (COCO), 416 x 416",
        use="detector",
        files=_yolox(
            "nano",
            num_bytes=3_659_407,
            sha256="c789161ed43c8269fcd4e67c67eeeb4e80c622da2eb296a20bc6007bd18a0b7d",
            # Kazuhito00/YOLOX-ONNX-TFLite-Sample, model/yolox_nano.onnx.
            equivalents=("sha256:695e750a5d5754bb5a8d5325643b59282191a7e7a564e435a415fd3c578eab14",),
        ),
        settings="kind=yolox",
        good_for="people standing or walking (its maker: COCO AP 25.8 %, 1.1 GFLOP a picture)",
        **_MEGVII,
    ),
    "yolox-tiny": PublishedWeights(
        what="YOLOX-Tiny, finds people (COCO), 416 x 416",
        use="detector",
        files=_yolox(
            "tiny",
            num_bytes=20_219_662,
            sha256="427cc366d34e27ff7a03e2899b5e3671425c262ea2291f88bb942bc1cc70b0f7",
        ),
        settings="kind=yolox",
        good_for="people standing or walking (its maker: COCO AP 32.8 %, 6.5 GFLOP a picture)",
        **_MEGVII,
    ),
    "yolox-s": PublishedWeights(
        what="YOLOX-S, finds people (COCO), 640 x 640",
        use="detector",
        files=_yolox(
            "s",
            num_bytes=35_858_002,
            sha256="c5c2d13e59ae883e6af3b45daea64af4833a4951c92d116ec270d9ddbe998063",
        ),
        settings="kind=yolox",
        good_for="people standing or walking, smaller ones too (its maker: COCO AP 40.5 %, 26.8 GFLOP a picture)",
        **_MEGVII,
    ),
    "person-detection-0203": PublishedWeights(
        what="MobileNetV2 and ATSS, finds people, 864 x 480",
        use="detector",
        files=_open_model_zoo(
            "person-detection-0203",
            "FP16",
            num_bytes=(1_216_181, 3_902_528),
            sha384=(
                "086b17b4fc8b5454e4c892bbc26cdd120b517f89a86eab7ba6bb2a0e4ed5437cd011e65c299b89346f62538cbcc7b735",
                "906e38b168001ab43117c6cc5a737e5d596d4aae441ca93dc5ea22411d6808fb63c61666bc626411c6cc60fd603ebab8",
            ),
        ),
        settings="kind=atss",
        good_for="people seen from a camera on a wall (its maker: AP 40.8 % on pictures of its own, 6.5 GFLOP a "
        "picture); run by OpenVINO (skyreid[openvino])",
        **_INTEL,
    ),
    "person-reid-0277": PublishedWeights(
        what="OmniScaleNet with linear context transform, tells people apart, 256 x 128; 2.1 M parameters",
        use="encoder",
        files=_open_model_zoo(
            "person-reidentification-retail-0277",
            "FP16",
            num_bytes=(616_140, 4_178_806),
            sha384=(
                "554b403108fea776cb54c971c4c8acfaaeaae3884b5945eefbcbad8b9ed3c84f0382cb72c666c02c07129826a668d79e",
                "0466aa71c44a14aa902a609c6500f4bc087cabbfa09c1e5bfb309f0a7e89fcdd9971e0359663e31803e3611bfa4d2353",
            ),
        ),
        settings="size=256x128,colour=bgr,scale=1",
        good_for=f"{_REAL_PEOPLE} (its maker: Market-1501 rank-1 96.2 %, mAP 87.7 %)",
        **_INTEL,
    ),
    "person-reid-0286": PublishedWeights(
        what="OmniScaleNet of medium size, tells people apart, 256 x 128; 1.2 M parameters",
        use="encoder",
        files=_open_model_zoo(
            "person-reidentification-retail-0286",
            "FP16",
            num_bytes=(611_793, 2_453_724),
            sha384=(
                "8bee621289b7b8f29ffdaf1eb86af4f0b9bd3077d134676f2f53c5fd86f9103405a2ce5c605f548ae9261dead48849e2",
                "5c53f14f0bf4c9f7cc779a0e3dd424e6226b45954706aecde9056858e1469538091d16a1763f968955f86aabf1c4f42a",
            ),
        ),
        settings="size=256x128,colour=bgr,scale=1",
        good_for=_REAL_PEOPLE,
        **_INTEL,
    ),
    "person-reid-0287": PublishedWeights(
        what="OmniScaleNet of small size, tells people apart, 256 x 128; 0.6 M parameters",
        use="encoder",
        files=_open_model_zoo(
            "person-reidentification-retail-0287",
            "FP16",
            num_bytes=(614_946, 1_181_124),
            sha384=(
                "922cc5560fa298a9f02cac5bad5cbeeaee2a913ec435ae6f446d0c783936598b333c017ce1a702b605c2fd7fa33a6ee7",
                "ad86ea0b8661e43b01482fef63b2fe423ec9df8e55f6283f28c01094223f7731e4d60de5700036e6a2df7ebae0f5012d",
            ),
        ),
        settings="size=256x128,colour=bgr,scale=1",
        good_for=_REAL_PEOPLE,
        **_INTEL,
    ),
    "yunet": PublishedWeights(
        what="YuNet (2023mar), finds faces to be covered",
        use="face model",
        files=(
            PublishedFile(
                place="face_detection_yunet_2023mar.onnx",
                address="https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/face_detection_yunet/"
                "face_detection_yunet_2023mar.onnx",
                num_bytes=232_589,
                digest="sha256:8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
            ),
        ),
        good_for="covering faces that OpenCV's built-in detector of near, frontal ones misses",
        code_licence="MIT",
        weights_licence="MIT",
    ),
    "face-detection-retail-0005": PublishedWeights(
        what="SqueezeNet and SSD, finds faces, 300 x 300",
        use="face model",
        files=_open_model_zoo(
            "face-detection-retail-0005",
            "FP16",
            num_bytes=(224_397, 2_041_626),
            sha384=(
                "ab274f1c676d239ce312b88c6b6ef146310afcec555123b9a964bc6bcbbfe88a1d15467b3079e9fb3ca8074087501d67",
                "e745bb7f1dc4a6ab8df277f406f1ac42303d579b5fd049928ddcfb8082760d648d50f0b870f959d828abac63d2df3288",
            ),
        ),
        good_for="faces near the camera, in profile too; run by OpenVINO (skyreid[openvino])",
        **_INTEL,
    ),
    "clip-vit-b-16": PublishedWeights(
        what="OpenAI's CLIP, ViT-B/16: what the paper's models start from",
        use="start of a training",
        files=_clip(
            "ViT-B-16.pt",
            num_bytes=350_837_078,
            sha256="5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f",
        ),
        good_for="'skyreid model import openai clip-vit-b-16 --out FOLDER', then 'skyreid train'",
        **_OPENAI,
    ),
    "clip-vit-l-14": PublishedWeights(
        what="OpenAI's CLIP, ViT-L/14",
        use="start of a training",
        files=_clip(
            "ViT-L-14.pt",
            num_bytes=932_768_134,
            sha256="b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836",
        ),
        good_for="'skyreid model import openai clip-vit-l-14 --out FOLDER'",
        **_OPENAI,
    ),
    "resnet50-v1": PublishedWeights(
        what="torchvision's ResNet-50 (IMAGENET1K_V1): what most methods of the comparison start from",
        use="start of a training",
        files=(
            PublishedFile(
                place="resnet50-0676ba61.pth",
                address="https://download.pytorch.org/models/resnet50-0676ba61.pth",
                num_bytes=102_530_333,
                digest="sha256:0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
            ),
        ),
        good_for="the setting --pretrained of those methods: the path that 'skyreid weights path resnet50-v1' prints",
        code_licence="BSD-3-Clause",
        weights_licence="BSD-3-Clause (torchvision); trained on ImageNet, whose pictures are for research",
    ),
    "clip-vocabulary": PublishedWeights(
        what="CLIP's byte pairs, by which it reads a text",
        use="vocabulary",
        files=(
            PublishedFile(
                place="bpe_simple_vocab_16e6.txt.gz",
                address="https://raw.githubusercontent.com/openai/CLIP/main/clip/bpe_simple_vocab_16e6.txt.gz",
                num_bytes=1_356_917,
                digest="sha256:924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a",
            ),
        ),
        good_for="search --text with a model that began as one of OpenAI's; the wheel of open_clip_torch holds it too",
        code_licence="MIT",
        weights_licence="MIT (OpenAI)",
    ),
}
"""By name."""
