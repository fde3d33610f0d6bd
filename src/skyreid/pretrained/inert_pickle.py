"""A pickle read as data: nothing that it names is imported, looked up or called.

PyTorch files are pickles, and a pickle is a program. `torch.load(weights_only=True)` runs it in a
guarded machine whose guard was passed twice (CVE-2025-32434, CVE-2026-24747), and which builds
whatever tensor the program claims: 1.5 KB are enough for 10 000 000 000 elements. An unpickler with
an overridden `find_class` still runs the C machine, where one opcode can claim gigabytes of memo.

So this is a machine of our own, for the forty opcodes that weights are written with. Its values are
plain data, `TensorClaim`s (what a tensor says of itself, before anybody believes it) and `SKIPPED`.
A global is a name, compared with the few below; there is no way from a name to a function.
"""

import io
import pickletools
from dataclasses import dataclass
from typing import Final

from skyreid.errors import CheckpointError, UnsafeFileError

STORAGES = {
    "torch.BFloat16Storage": ("bfloat16", 2),
    "torch.HalfStorage": ("float16", 2),
    "torch.FloatStorage": ("float32", 4),
    "torch.DoubleStorage": ("float64", 8),
    "torch.BoolStorage": ("bool", 1),
    "torch.ByteStorage": ("uint8", 1),
    "torch.CharStorage": ("int8", 1),
    "torch.ShortStorage": ("int16", 2),
    "torch.IntStorage": ("int32", 4),
    "torch.LongStorage": ("int64", 8),
}
"""What PyTorch calls the numbers of a storage, and the bytes of one."""
TENSOR = "torch._utils._rebuild_tensor_v2"
PARAMETER = "torch._utils._rebuild_parameter"
DICT = "collections.OrderedDict"
MODULE_PREFIX = "__torch__."
"""Classes of a TorchScript archive: a module, whose state follows as a dict."""
SKIPPABLE = {
    "yacs.config.CfgNode": "the settings in a ViFi-CLIP checkpoint",
    "__builtin__.set": "inside those settings",
    "argparse.Namespace": "the options of a training program",
    "pytorch_lightning.utilities.parsing.AttributeDict": "the settings in a Lightning checkpoint",
    "lightning_fabric.utilities.data.AttributeDict": "the same, since Lightning 2",
    "lightning.fabric.utilities.data.AttributeDict": "the same, of the package lightning",
    "pathlib.PosixPath": "a folder in those settings",
    "pathlib._local.PosixPath": "the same, since Python 3.13",
    "torch.device": "where a training ran",
    "torch.torch_version.TorchVersion": "with which PyTorch",
    "numpy.core.multiarray.scalar": "a score",
    "numpy._core.multiarray.scalar": "a score",
    "numpy.dtype": "the type of a score",
    "_codecs.encode": "the bytes of a score",
}
"""Objects that training programs leave beside the weights, and what they are. Read as nothing."""

MAX_NAME_LENGTH = 512
"""Characters of a global's name."""

LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES"),
}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
UNDERSTOOD = {
    *LITERALS,
    *CONSTANTS,
    *TUPLES,
    *("PROTO", "FRAME", "STOP", "MARK", "TUPLE"),
    *("EMPTY_DICT", "EMPTY_LIST", "EMPTY_SET", "APPEND", "APPENDS", "ADDITEMS", "SETITEM", "SETITEMS"),
    *("BINPUT", "LONG_BINPUT", "MEMOIZE", "BINGET", "LONG_BINGET"),
    *("GLOBAL", "STACK_GLOBAL", "BINPERSID", "REDUCE", "NEWOBJ", "BUILD"),
}
OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes if opcode.name in UNDERSTOOD}


@dataclass(frozen=True, slots=True)
class StorageClaim:
    """A run of numbers that should lie in the archive under `key`."""

    dtype: str
    """As PyTorch calls it: "float32"."""
    itemsize: int
    """Bytes of a number."""
    key: str
    numel: int

    @property
    def num_bytes(self) -> int:
        """Of the whole storage."""
        return self.numel * self.itemsize


@dataclass(frozen=True, slots=True)
class TensorClaim:
    """A view of a storage as the file describes it, in elements; every field may be a lie."""

    storage: StorageClaim
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class ModuleState(dict[str, object]):
    """Attributes of a TorchScript module."""


class _Skipped:
    """Stands for an object that was not built."""


SKIPPED: Final = _Skipped()


@dataclass(frozen=True, slots=True)
class _Name:
    """A global, as the text it is."""

    full: str


def read_inert(pickled: bytes) -> object:
    """Read a pickle into dicts, lists, plain values, `ModuleState`s, `TensorClaim`s and `SKIPPED`.

    Raises:
        UnsafeFileError: it names something that weights are not made of, or uses an opcode that
            weights are not written with.
        CheckpointError: it is cut or garbled.
    """
    try:
        return _Machine().run(pickled)
    except CheckpointError:
        raise
    # What pickletools raises on noise, and what a stack that runs dry raises.
    except (ValueError, LookupError, TypeError) as error:
        raise CheckpointError(f"the pickle inside is cut or garbled ({error})") from error


class _Machine:
    def __init__(self) -> None:
        self.stack: list[object] = []
        self.marks: list[list[object]] = []
        self.memo: dict[object, object] = {}

    def run(self, pickled: bytes) -> object:
        file = io.BytesIO(pickled)
        while code := file.read(1):
            opcode = OPCODES.get(code.decode("latin-1"))
            if opcode is None:  # refused before an argument is read
                raise UnsafeFileError(f"uses the pickle opcode {code!r}, which weights are not written with")
            if opcode.name == "STOP":
                return self.stack.pop()
            if opcode.name == "GLOBAL":  # pickletools would undo escapes in it, which nobody writes
                self.stack.append(_name(_line(file), _line(file)))
            else:
                self.step(opcode.name, opcode.arg.reader(file) if opcode.arg is not None else None)
        raise CheckpointError("the pickle inside is cut or garbled (it has no end)")

    def step(self, opcode: str, argument: object) -> None:
        if opcode in LITERALS:
            self.stack.append(argument)
        elif opcode in CONSTANTS:
            self.stack.append(CONSTANTS[opcode])
        elif opcode in TUPLES:
            items = [self.stack.pop() for _ in range(TUPLES[opcode])]
            self.stack.append(tuple(reversed(items)))
        else:
            self.build(opcode, argument)

    def build(self, opcode: str, argument: object) -> None:
        stack = self.stack
        match opcode:
            case "PROTO" | "FRAME":
                pass
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_SET":
                stack.append(SKIPPED)
            case "MARK":
                self.marks.append(stack)
                self.stack = []
            case "TUPLE":
                items = self.pop_mark()
                self.stack.append(tuple(items))
            case "APPEND":
                _extend(stack[-2], [stack.pop()])
            case "APPENDS" | "ADDITEMS":
                items = self.pop_mark()
                _extend(self.stack[-1], items)
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                _set_items(stack[-1], [key, value])
            case "SETITEMS":
                items = self.pop_mark()
                _set_items(self.stack[-1], items)
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self.memo[argument])
            case "STACK_GLOBAL":
                name, module = stack.pop(), stack.pop()
                stack.append(_name(module, name))
            case "BINPERSID":
                stack.append(_storage_claim(stack.pop()))
            case "REDUCE" | "NEWOBJ":
                arguments, name = stack.pop(), stack.pop()
                stack.append(_instance(name, arguments))
            case "BUILD":
                _set_state(stack[-2], stack.pop())

    def pop_mark(self) -> list[object]:
        items, self.stack = self.stack, self.marks.pop()
        return items


def _line(file: io.BytesIO) -> str:
    return file.readline().removesuffix(b"\n").decode()


def _name(module: object, name: object) -> _Name:
    # Texts only: whatever else can hold itself twice, and twice again, and its words double each time.
    if not isinstance(module, str) or not isinstance(name, str) or len(module) + len(name) > MAX_NAME_LENGTH:
        raise UnsafeFileError("builds the name of a global from something other than two short texts")
    full = f"{module}.{name}"
    known = full in STORAGES or full in SKIPPABLE or full in (TENSOR, PARAMETER, DICT)
    if not known and not full.startswith(MODULE_PREFIX):
        raise UnsafeFileError(
            f"names {full!r:.200}, which weights are not made of; nothing was run. If you trust the file, "
            "save its weights alone, as safetensors, with the program that wrote it"
        )
    return _Name(full)


def _instance(name: object, arguments: object) -> object:
    """Give the data that a call would have made; nothing is called."""
    match name, arguments:
        case _Name(full), tuple() if full.startswith(MODULE_PREFIX):
            return ModuleState()
        case _Name(full), tuple() if full in SKIPPABLE:
            return SKIPPED
        case _Name(full), () if full == DICT:
            return {}
        case _Name(full), (TensorClaim() as claim, bool(), _) if full == PARAMETER:
            return claim
        case _Name(full), (StorageClaim() as storage, offset, tuple(size), tuple(stride), *_) if full == TENSOR:
            (start,) = _whole_numbers((offset,))
            return TensorClaim(storage, start, _whole_numbers(size), _whole_numbers(stride))
    called = name.full if isinstance(name, _Name) else type(name).__name__
    raise UnsafeFileError(f"calls {called:.200} in a way that weights are not written")


def _whole_numbers(numbers: tuple[object, ...]) -> tuple[int, ...]:
    whole = tuple(number for number in numbers if type(number) is int and number >= 0)
    if len(whole) < len(numbers):
        raise UnsafeFileError("describes a tensor whose offset, size or stride is not a whole number from 0")
    return whole


def _storage_claim(persistent_id: object) -> StorageClaim:
    match persistent_id:
        case ("storage", _Name(kind), str(key), str(), int(numel)) if kind in STORAGES and numel >= 0:
            return StorageClaim(*STORAGES[kind], key, numel)
    raise UnsafeFileError("refers to something outside the pickle that is no tensor storage")


def _extend(target: object, items: list[object]) -> None:
    if isinstance(target, list):
        target.extend(items)
    elif target is not SKIPPED:
        raise CheckpointError("the pickle inside is garbled: it appends to what is no list")


def _set_items(target: object, items: list[object]) -> None:
    if target is SKIPPED:
        return
    if not isinstance(target, dict):
        raise CheckpointError("the pickle inside is garbled: it sets items of what is no dict")
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Optimizers number their entries. Whatever else a key is, it names no weight.
        target[str(key) if isinstance(key, str | int) else f"({type(key).__name__})"] = value


def _set_state(target: object, state: object) -> None:
    """Give a module its attributes. An OrderedDict's state (torch's _metadata) holds no weights."""
    if isinstance(target, ModuleState) and isinstance(state, dict):
        target.update(state)
