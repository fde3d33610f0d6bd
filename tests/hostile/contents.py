"""What lies in a folder, so that two runs of a command can be compared: bytes, or what they say.

A few files hold times and random names, which differ from run to run: of those, everything else is compared.
"""

import json
import struct

import torch
from tensorboardX.proto.event_pb2 import Event, SessionLog

from skyreid.datasets.manifest import read_manifest


def content(place, *, without=None):
    """Every file but one by its name; the files of TensorBoard of one stage by the name of their folder."""
    files = [path for path in sorted(place.rglob("*")) if path.is_file() and path != without]
    found = {str(path.relative_to(place)): _SAID.get(path.name, _bytes)(path) for path in files if not _is_log(path)}
    logs = {path.parent for path in files if _is_log(path)}
    return found | {str(folder.relative_to(place)): _shown(folder) for folder in logs}


def differing(left, right):
    """The names under which two contents are not the same."""
    return sorted(name for name in {**left, **right} if left.get(name, "absent") != right.get(name, "absent"))


def _bytes(path):
    return path.read_bytes()


def _state(path):
    """The values: PyTorch packs equal texts once or twice."""
    return _plain(torch.load(path, weights_only=True))


def _plain(value):
    if isinstance(value, torch.Tensor):
        return str(value.dtype), tuple(value.shape), value.numpy().tobytes()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _provenance(path):
    """Without the commit, which may change while the suite runs."""
    return {key: value for key, value in json.loads(path.read_text()).items() if key not in ("commit", "dirty")}


def _decisions(path):
    """Without their random names and times."""
    events = [json.loads(line) for line in path.read_text().splitlines()]
    return [{key: value for key, value in event.items() if key not in ("event", "time")} for event in events]


def _manifest(path):
    """Without the hash of the decisions, and so without its own."""
    manifest = read_manifest(path)
    return {key: value for key, value in manifest.info.items() if key != "links"}, manifest.tracklets


_SAID = {
    "state.pt": _state,
    "stage1_features.pt": _state,
    "provenance.json": _provenance,
    "links.jsonl": _decisions,
    "manifest.jsonl": _manifest,
}


def _is_log(path):
    return path.name.startswith("events") and "events" in path.parts


def _shown(folder):
    """What TensorBoard shows: a process that starts again at a step hides what was logged from there on."""
    histories = [list(_events(path.read_bytes())) for path in folder.iterdir()]
    shown = {}
    for event in (event for history in sorted(histories, key=_began) for event in history):
        if event.session_log.status == SessionLog.START:
            shown = {place: value for place, value in shown.items() if place[1] < event.step}
        shown.update({(value.tag, event.step): value.simple_value for value in event.summary.value})
    return shown


def _began(history):
    return history[0].wall_time if history else 0.0


def _events(content):
    """Length, its sum, the event, its sum (TFRecord); a piece at the end is what a killed process left."""
    place = 0
    while place + 12 <= len(content):
        (size,) = struct.unpack_from("<Q", content, place)
        if place + 16 + size > len(content):
            return
        yield Event.FromString(content[place + 12 : place + 12 + size])
        place += 16 + size
