"""PyTorch archives written by hand, so that they can claim what torch.save never would."""

import io
import pickle
import zipfile
from collections import OrderedDict

import torch


class Storage:
    """A storage that a pickle refers to, with the length that it claims."""

    def __init__(self, numel, key="0", kind=torch.FloatStorage):
        self.persistent_id = ("storage", kind, key, "cpu", numel)


class Call:
    """What unpickles as `function(*arguments)` in a machine that calls."""

    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


def tensor(storage, offset, size, stride):
    return Call(torch._utils._rebuild_tensor_v2, storage, offset, size, stride, False, OrderedDict())


def pickled(tree, protocol=2):
    class Pickler(pickle.Pickler):
        def persistent_id(self, thing):
            return thing.persistent_id if isinstance(thing, Storage) else None

    content = io.BytesIO()
    Pickler(content, protocol=protocol).dump(tree)
    return content.getvalue()


def write_archive(file, entries, *, compression=zipfile.ZIP_STORED):
    """Write entries below the top folder; a `data.pkl` that is no bytes yet is pickled."""
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(f"weights/{name}", content if isinstance(content, bytes) else pickled(content))
    return file
