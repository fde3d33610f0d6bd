"""Raw video to crops: `skyreid build` beside the loop that everybody writes with OpenCV.

    skyreid simulate --identities 5 --out world
    python benchmarks/building.py world

Both read the same videos and write a JPEG of every annotated person at every half second. Ours also decodes in a
process of its own with limits, masks faces and heads, filters, flushes to the disk and keeps a record that survives
a kill; what each of that costs can be read from the lines. Processor time of this process and its children.
"""

import argparse
import math
import shutil
import tempfile
from pathlib import Path

import cv2

from cpu_time import seconds_with_children
from skyreid.building.build import build
from skyreid.building.crops.face_mask import MaskingConfig
from skyreid.building.finder import read_annotated
from skyreid.building.sources import Source, read_sources
from skyreid.building.video.decode import frames, probe

INTERVAL_S = 0.5
JPEG_QUALITY = 95


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("world", type=Path, help="folder of skyreid simulate")
    sources = read_sources(parser.parse_args().world / "sources.json")
    cv2.setNumThreads(1)
    seconds = sum(probe(source.path).duration_s or 0 for source in sources)
    print(f"{len(sources)} videos, {seconds:.0f} s of 1280x720; processor seconds")
    with tempfile.TemporaryDirectory() as scratch:
        plain_out = Path(scratch) / "plain"
        plain, crops = seconds_with_children(lambda: sum(plain_loop(source, plain_out) for source in sources))
        print(f"{'OpenCV loop':34} {plain:7.2f}   {crops} crops")
        decoded, _ = seconds_with_children(lambda: sum(decode_only(source) for source in sources))
        print(f"{'ours, decoding alone':34} {decoded:7.2f}   {decoded / plain:5.2f} x")
        for name, masking in (
            ("ours, faces left", None),
            ("ours, faces found are masked", MaskingConfig(recognise_px_per_m=math.inf)),
            ("ours, faces and heads masked", MaskingConfig()),
        ):
            out = Path(scratch) / "ours"
            took, report = seconds_with_children(lambda masking=masking, out=out: build(sources, out, masking=masking))
            shutil.rmtree(out)
            print(f"{name:34} {took:7.2f}   {took / plain:5.2f} x   {sum(s.crops for s in report.sources)} crops")


def plain_loop(source: Source, out: Path) -> int:
    """Every frame decoded, every half second cropped; frames counted, as such loops do."""
    facts = probe(source.path)
    annotated = read_annotated(source, facts)
    assert annotated is not None and facts.frame_rate is not None
    boxes = annotated.frames
    step = round(INTERVAL_S * facts.frame_rate)
    video = cv2.VideoCapture(str(source.path))
    written = index = 0
    while True:
        is_read, frame = video.read()
        if not is_read:
            return written
        if index % step == 0:
            for person, (left, top, right, bottom) in boxes.get(index, {}).items():
                folder = out / source.name / str(person)
                folder.mkdir(parents=True, exist_ok=True)
                crop = frame[int(top) : int(bottom) + 1, int(left) : int(right) + 1]
                cv2.imwrite(str(folder / f"{index:06d}.jpg"), crop, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
                written += 1
        index += 1


def decode_only(source: Source) -> int:
    return sum(1 for _ in frames(source.path, interval_s=INTERVAL_S))


if __name__ == "__main__":
    main()
