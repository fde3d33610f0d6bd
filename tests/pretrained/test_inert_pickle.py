import builtins
import contextlib
import os
import pickle
import sys
from collections import OrderedDict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skyreid.errors import CheckpointError, UnsafeFileError
from skyreid.pretrained.inert_pickle import SKIPPED, StorageClaim, TensorClaim, read_inert
from tests.pretrained.archives import Call, Storage, pickled, tensor

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=10,
)


@settings(max_examples=40, deadline=None)
@given(PLAIN, st.sampled_from([2, 3, 4, 5]))
def test_plain_data_reads_as_pickle_reads_it(data, protocol):
    assert read_inert(pickle.dumps(data, protocol=protocol)) == data


def test_a_tensor_is_what_it_says_of_itself():
    tree = {"w": tensor(Storage(10**12, key="7", kind=torch.HalfStorage), 3, (2, 5), (0, 10**9))}
    claim = TensorClaim(StorageClaim("float16", 2, "7", 10**12), 3, (2, 5), (0, 10**9))
    assert read_inert(pickled(tree)) == {"w": claim}


def test_shared_parts_stay_shared():
    shared = {"a": 1}
    read = read_inert(pickle.dumps([shared, shared]))
    assert isinstance(read, list)
    assert read[0] is read[1]


def test_a_dict_that_holds_itself_can_be_read():
    tree = {}
    tree["self"] = tree
    read = read_inert(pickle.dumps(tree))
    assert isinstance(read, dict)
    assert read["self"] is read


def test_torch_s_metadata_of_a_state_dict_is_ignored():
    state = OrderedDict(epoch=1)
    state._metadata = {"": {"version": 1}}  # pyright: ignore[reportAttributeAccessIssue]
    assert read_inert(pickle.dumps(state, protocol=2)) == {"epoch": 1}


def test_known_training_leftovers_are_skipped():
    assert read_inert(pickle.dumps({"seen": {1, 2}}, protocol=2)) == {"seen": SKIPPED}


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (os.system, ("touch canary",), "posix.system"),
        (eval, ("open('canary', 'w')",), "__builtin__.eval"),
        (exec, ("open('canary', 'w')",), "__builtin__.exec"),
        (getattr, (builtins, "open"), "__builtin__.getattr"),
        (torch.load, ("canary",), "torch.serialization.load"),
        (torch.hub.load, ("canary", "canary"), "torch.hub.load"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_call_of_anything_else_is_refused_by_name_and_not_made(
    tmp_path, monkeypatch, function, arguments, name, protocol
):
    monkeypatch.chdir(tmp_path)
    if arguments[0] is builtins:
        arguments = ("builtins", arguments[1])
    name = name.replace("__builtin__", "builtins") if protocol == 4 else name
    with pytest.raises(UnsafeFileError, match=f"names '{name}', which weights are not made of; nothing was run"):
        read_inert(pickled({"w": Call(function, *arguments)}, protocol))
    assert list(tmp_path.iterdir()) == []


def test_a_class_is_refused_before_its_module_would_be_imported():
    program = b"\x80\x02cantigravity\nfly\n)R."
    with pytest.raises(UnsafeFileError, match=r"names 'antigravity\.fly'"):
        read_inert(program)
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("program", "opcode"),
    [
        (b"(ios\nsystem\n.", "i"),  # INST
        (b"(o.", "o"),  # OBJ
        (b"\x80\x02\x82\x01.", r"\\x82"),  # EXT1
        (b"S'text\\o'\n.", "S"),  # STRING
        (b"\x8d" + b"\xff" * 8, r"\\x8d"),  # BINUNICODE8 of 2**64 - 1 bytes
        (b"\xff", r"\\xff"),
    ],
)
def test_opcodes_that_weights_are_not_written_with_are_refused(program, opcode):
    with pytest.raises(
        UnsafeFileError, match=f"uses the pickle opcode b'{opcode}', which weights are not written with"
    ):
        read_inert(program)


@pytest.mark.parametrize(
    "tree",
    [
        Call(torch._utils._rebuild_parameter, os.sep, True, OrderedDict()),
        Call(OrderedDict, [("a", 1)]),
        Call(torch._utils._rebuild_tensor_v2, 1, 2, 3),
        Call(torch.FloatStorage, 10**12),
    ],
)
def test_known_names_are_refused_in_other_uses(tree):
    with pytest.raises(UnsafeFileError, match=r"calls .* in a way that weights are not written"):
        read_inert(pickled(tree))


@pytest.mark.parametrize(("size", "stride"), [((-1,), (1,)), ((2.0,), (1,)), ((2,), (True,)), (("2",), (1,))])
def test_sizes_that_are_no_sizes_are_refused(size, stride):
    with pytest.raises(UnsafeFileError, match="offset, size or stride is not a whole number from 0"):
        read_inert(pickled(tensor(Storage(2), 0, size, stride)))


def test_a_persistent_id_that_is_no_storage_is_refused():
    with pytest.raises(UnsafeFileError, match="refers to something outside the pickle"):
        read_inert(b"\x80\x02X\x04\x00\x00\x00fileQ.")


def test_a_memo_of_two_thousand_million_entries_costs_nothing():
    assert read_inert(b"\x80\x02Nr\xff\xff\xff\x7f.") is None


@pytest.mark.parametrize(
    "program", [b"", b"\x80\x02", b".", b"\x80\x02u.", b"\x80\x02]K\x01K\x02s.", b"\x80\x02h\x05."]
)
def test_a_garbled_pickle_is_an_error_of_the_file(program):
    with pytest.raises(CheckpointError, match="garbled"):
        read_inert(program)


@given(st.binary(max_size=200))
def test_noise_never_escapes(noise):
    with contextlib.suppress(CheckpointError):
        read_inert(b"\x80\x02" + noise)


def test_a_global_named_by_something_that_doubles_is_refused_at_once():
    """Kind 11-B4: a list that holds itself twice, sixty times over, has a name of 2**60 letters."""
    doubling = b"\x80\x04" + b"]\x94" + b"".join(b"](h%ch%ce\x94" % (n, n) for n in range(60))
    with pytest.raises(UnsafeFileError, match="from something other than two short texts"):
        read_inert(doubling + b"\x8c\x01x\x93.")
