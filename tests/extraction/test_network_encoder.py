"""Somebody's network embeds tracklets like a checkpoint, fed as it was declared, and what cannot be is refused."""

import hashlib
import json
import sys

import numpy as np
import pytest
from PIL import Image

import skyreid
from skyreid.datasets.manifest import write_manifest
from skyreid.errors import CheckpointError, SettingError, TableError
from skyreid.extraction.embed_folder import embed
from skyreid.extraction.loading import CuttingEmbedder, load
from skyreid.files.regular_file import file_sha256
from skyreid.retrieval.embedding_table import load_table, require_comparable
from skyreid.tracklet import Platform
from skyreid.weights.published_files import PUBLISHED, PublishedFile, PublishedWeights
from tests.extraction import networks

PLAIN = "colour=rgb,scale=1"
COLOURS = np.array([[[40, 80, 200]]], np.uint8)


def frame(colour=COLOURS, size=(8, 4)):
    return np.broadcast_to(colour, (*size, 3)).copy()


def unit(vector):
    return np.asarray(vector, np.float64) / np.linalg.norm(vector)


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("colour=rgb,scale=1", (40, 80, 200)),
        ("colour=bgr,scale=1", (200, 80, 40)),
        ("colour=rgb,scale=2", (20, 40, 100)),
        ("colour=rgb,scale=2,mean=10/0/0", (10, 40, 100)),
        ("colour=bgr,scale=2,mean=10/0/0,std=1/2/4", (90, 20, 5)),
    ],
)
def test_pictures_come_to_the_network_as_declared(tmp_path, declared, expected):
    """An oracle that needs no network: this one gives the mean of each channel as it comes."""
    path = networks.mean_colours(tmp_path / "net.onnx")
    (given,) = load(f"{path},{declared}").embed(frame()[None, None])
    np.testing.assert_allclose(given, unit(expected), atol=1e-5)


def test_a_tracklet_is_the_mean_over_the_unit_vectors_of_its_frames(tmp_path):
    embedder = load(f"{networks.mean_colours(tmp_path / 'net.onnx')},{PLAIN}")
    dark, bright = frame(np.uint8([[[1, 0, 0]]])), frame(np.uint8([[[0, 200, 0]]]))
    (embedded,) = embedder.embed_tracklets([[dark, bright, bright]])
    np.testing.assert_allclose(embedded, [1 / 3, 2 / 3, 0], atol=1e-6)
    (together,) = embedder.embed([[dark, bright, bright]])
    np.testing.assert_allclose(together, embedded, atol=1e-6)


def test_a_network_makes_tables_like_a_checkpoint(footage, tracklets, tmp_path):
    write_manifest(footage / "manifest.jsonl", tracklets)
    net = networks.random_network(tmp_path / "net.onnx")
    embed(footage, f"{net},colour=rgb,scale=255", tmp_path / "table.npz")
    table = load_table(tmp_path / "table.npz")
    assert table.model == file_sha256(net)
    assert table.feeding is not None
    assert table.feeding.in_words() == "clips of 1 frame (all-frames), 32 x 16 RGB"
    assert table.embeddings.shape == (len(tracklets), 16)
    cutting = CuttingEmbedder(f"{net},colour=rgb,scale=255")
    assert (cutting.model, cutting.feeding) == (table.model, table.feeding)
    crops = [cutting.kept(np.asarray(Image.open(one.path))) for one in tracklets[2].frames]
    np.testing.assert_allclose(cutting.embed(crops, Platform.GROUND), table.embeddings[2], atol=1e-6)


def test_tables_of_two_networks_or_of_two_declarations_are_not_compared(footage, tracklets, tmp_path):
    write_manifest(footage / "manifest.jsonl", tracklets)
    first, second = (networks.random_network(tmp_path / f"{seed}.onnx", seed=seed) for seed in (1, 2))
    tables = [embed(footage, f"{text},scale=255") for text in (f"{first},colour=rgb", f"{second},colour=rgb")]
    with pytest.raises(TableError, match="model"):
        require_comparable(*tables)
    with pytest.raises(TableError, match="colour order RGB and BGR"):
        require_comparable(tables[0], embed(footage, f"{first},colour=bgr,scale=255"))


def test_a_card_beside_the_file_declares_and_the_text_overrides_it(tmp_path):
    path = networks.mean_colours(tmp_path / "net.onnx", size=("height", "width"))
    (tmp_path / "net.json").write_text(json.dumps({"size": [6, 3], "colour": "bgr", "scale": 1}))
    np.testing.assert_allclose(load(str(path)).embed(frame()[None, None])[0], unit((200, 80, 40)), atol=1e-5)
    turned = load(f"{path},colour=rgb")
    assert turned.feeding.image_size == (6, 3)
    np.testing.assert_allclose(turned.embed(frame()[None, None])[0], unit((40, 80, 200)), atol=1e-5)


def test_the_declaration_is_held_against_what_the_networks_own_program_gave(tmp_path):
    path = networks.mean_colours(tmp_path / "net.onnx")
    Image.fromarray(frame()).save(tmp_path / "person.png")
    card = {"colour": "bgr", "scale": 1, "check": {"picture": "person.png", "embedding": [200.0, 80.0, 40.0]}}
    (tmp_path / "net.json").write_text(json.dumps(card))
    assert load(str(path)).embed_dim == 3
    with pytest.raises(CheckpointError, match=r"another embedding of person\.png than its card holds \(cosine 0\.\d+"):
        load(f"{path},colour=rgb")
    card["check"]["picture"] = "../person.png"
    (tmp_path / "net.json").write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match=r"the picture of its card must lie beside it; got '\.\./person\.png'"):
        load(str(path))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ("", "colour is missing (rgb or bgr)"),
        (",colour=rgb", "scale is missing (255 or 1: what pixels of 0 to 255 are divided by)"),
        (",colour=grey,scale=1", "colour: must be one of rgb, bgr; got 'grey'"),
        (",colour=rgb,scale=0", "scale is a positive number, 255 or 1 for most networks; got 0.0"),
        (",colour=rgb,scale=big", "scale is a number; got 'big'"),
        (",colour=rgb,scale=1,std=1/0/1", "positive std"),
        (",colour=rgb,scale=1,mean=0.5", "mean is three numbers with slashes between them"),
        (",colour=rgb,scale=1,size=256", "size is height x width, such as 256x128; got '256'"),
        (",colour=rgb,scale=1,size=16x8", "takes pictures of 8x4, height x width; size=16x8 was asked for"),
        (",colour=rgb,scale=1,output=other", "has no output 'other'; its outputs: embedding float32[1, 3]"),
        (
            ",colour=rgb,scale=1,padding=2",
            "an encoder has the keys size, colour, scale, mean, std, output; got 'padding'",
        ),
    ],
)
def test_a_declaration_that_cannot_be_is_refused(tmp_path, settings, reason):
    path = networks.mean_colours(tmp_path / "net.onnx")
    with pytest.raises((SettingError, CheckpointError)) as refused:
        load(f"{path}{settings}")
    assert reason in str(refused.value)


def test_a_network_that_gives_no_vector_for_one_picture_is_refused(tmp_path):
    cases = {
        "gives embedding float32[1, 3, 2, 2] for a picture, where a vector belongs": networks.mean_colours(
            tmp_path / "map.onnx", dim=12, output_shape=[1, 3, 2, 2]
        ),
        "the first side open or 1; this one takes picture float32[4, 3, 8, 4]": networks.mean_colours(
            tmp_path / "four.onnx", batch=4
        ),
        "has several outputs, colours float32[1, 3], opposite float32[1, 3]; say which": networks.two_outputs(
            tmp_path / "two.onnx"
        ),
        "takes pictures of any size; say which one (size=256x128)": networks.mean_colours(
            tmp_path / "open.onnx", size=("height", "width")
        ),
    }
    with pytest.raises(CheckpointError, match=r"missing\.onnx: there is no such file$"):
        load(str(tmp_path / "missing.onnx"))
    for reason, path in cases.items():
        with pytest.raises((SettingError, CheckpointError)) as refused:
            load(f"{path},{PLAIN}")
        assert reason in str(refused.value)
    black = load(f"{networks.mean_colours(tmp_path / 'net.onnx')},{PLAIN}")
    with pytest.raises(CheckpointError, match=r"gives a vector of length 0\.0 for a picture$"):
        black.embed(np.zeros((1, 1, 8, 4, 3), np.uint8))


def test_an_output_may_be_chosen_and_be_a_map_of_one_pixel(tmp_path):
    two = networks.two_outputs(tmp_path / "two.onnx")
    np.testing.assert_allclose(
        load(f"{two},{PLAIN},output=opposite").embed(frame()[None, None])[0], unit((-40, -80, -200)), atol=1e-5
    )
    pixel = networks.mean_colours(tmp_path / "pixel.onnx", output_shape=[1, 3, 1, 1])
    np.testing.assert_allclose(load(f"{pixel},{PLAIN}").embed(frame()[None, None])[0], unit((40, 80, 200)), atol=1e-5)


def test_published_weights_are_loaded_by_their_name(tmp_path, monkeypatch):
    path = networks.mean_colours(tmp_path / "published.onnx")
    file = PublishedFile(
        place="published.onnx",
        address="https://publisher.invalid/published.onnx",
        num_bytes=path.stat().st_size,
        digest=f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}",
    )
    entry = PublishedWeights(
        what="",
        use="encoder",
        files=(file,),
        code_licence="MIT",
        weights_licence="MIT",
        good_for="",
        settings="colour=bgr,scale=1",
    )
    monkeypatch.setitem(PUBLISHED, "mean-colours", entry)
    monkeypatch.setenv("SKYREID_CACHE", str(tmp_path))
    assert skyreid.load("mean-colours").feeding.colour_order == "BGR"


@pytest.mark.parametrize(
    ("ending", "needed", "extra"), [("onnx", "onnxruntime", "onnx"), ("xml", "openvino", "openvino")]
)
def test_without_the_extra_one_line_says_what_to_install(tmp_path, monkeypatch, ending, needed, extra):
    (tmp_path / f"net.{ending}").write_bytes(b"")
    monkeypatch.setitem(sys.modules, needed, None)
    with pytest.raises(
        SettingError, match=rf"needs {needed}, which is not installed; pip install 'skyreid\[{extra}\]'$"
    ):
        load(f"{tmp_path}/net.{ending},{PLAIN}")


@pytest.fixture
def both_forms(tmp_path):
    """One network of random numbers as ONNX and as OpenVINO's IR."""
    openvino = pytest.importorskip("openvino")
    onnx = networks.random_network(tmp_path / "net.onnx")
    openvino.save_model(openvino.Core().read_model(onnx), tmp_path / "net.xml", compress_to_fp16=False)
    return onnx, tmp_path / "net.xml"


def test_openvino_and_onnx_give_the_same_vectors(both_forms, tmp_path):
    crops = np.random.default_rng(0).integers(0, 256, (6, 1, 32, 16, 3), dtype=np.uint8)
    onnx, openvino = (load(f"{path},colour=bgr,scale=255").embed(crops).numpy() for path in both_forms)
    np.testing.assert_allclose(openvino, onnx, atol=1e-5)
    back = networks.openvino_as_onnx(both_forms[1], tmp_path / "back.onnx")
    np.testing.assert_allclose(load(f"{back},colour=bgr,scale=255").embed(crops), onnx, atol=1e-5)


@pytest.mark.footage
@pytest.mark.models
@pytest.mark.slow  # two films of 3072x1728
def test_openvino_and_onnx_rank_real_people_alike(footage_dir, models_dir, tmp_path):
    """Issue 13, line 5, with Intel's own network and with the same written as ONNX."""
    pytest.importorskip("openvino")
    folder, name = footage_dir / "cross_view_soccer", "person-reidentification-retail-0287"
    sources = [
        f"{folder}/cam_{side}.mp4,platform={platform},camera={side},annotations={folder}/gt_{side}.txt,identities=shared"
        for side, platform in (("left", "ground"), ("right", "aerial"))
    ]
    skyreid.build(sources, tmp_path / "built")
    xml = models_dir / f"intel/{name}/FP16/{name}.xml"
    forms = (xml, networks.openvino_as_onnx(xml, tmp_path / "net.onnx"))
    first, second = (embed(tmp_path / "built", f"{form},size=256x128,colour=bgr,scale=1") for form in forms)
    np.testing.assert_allclose(first.embeddings, second.embeddings, atol=1e-5)
    orders = [np.argsort(-(unit_rows @ unit_rows.T), axis=1) for unit_rows in map(_unit_rows, (first, second))]
    np.testing.assert_array_equal(*orders)


def _unit_rows(table):
    return table.embeddings / np.linalg.norm(table.embeddings, axis=1, keepdims=True)
