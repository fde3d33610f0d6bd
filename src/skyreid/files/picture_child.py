"""The process that decodes a picture of a stranger: it lowers its own rights, reads bytes, and gives pixels.

`picture_apart.py` starts it as `python -P -m skyreid.files.picture_child REQUEST` with the file on standard input. It
answers with a 4-byte big-endian length, JSON, and height x width x 3 bytes of RGB, or with a sentence why not.
"""

import json
import sys
from pathlib import PurePath

from PIL import Image

from skyreid.errors import MissingFrameError
from skyreid.files.picture_file import read_picture
from skyreid.processes.limits import lower_rights


def main() -> None:
    """Serve one request and leave."""
    request = json.loads(sys.argv[1])
    Image.init()  # what decodes is loaded before files can no longer be opened
    try:
        lower_rights(memory_bytes=request["memory_bytes"], cpu_s=request["cpu_s"], open_files=16)
        picture = read_picture(PurePath(request["name"]).name, content=sys.stdin.buffer.read())
        picture.thumbnail((request["max_side"], request["max_side"]), Image.Resampling.BICUBIC, reducing_gap=2.0)
        _send({"width": picture.width, "height": picture.height}, picture.tobytes())
    except MissingFrameError as refusal:
        _send({"error": str(refusal)})
    except MemoryError:
        _send({"error": f"{request['name']}: decoding needs more than {request['memory_bytes'] // 2**20} MiB"})
    except Exception as error:  # whatever a hostile file provokes: the caller gets a sentence, not a silence
        _send({"error": f"{request['name']}: the decoder failed: {type(error).__name__}: {error}"})


def _send(told: dict[str, object], pixels: bytes = b"") -> None:
    message = json.dumps(told).encode()
    sys.stdout.buffer.write(len(message).to_bytes(4, "big") + message + pixels)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
