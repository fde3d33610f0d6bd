import ast
import os
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

import skyreid.pretrained
from skyreid.errors import CheckpointError, UnsafeFileError
from skyreid.pretrained.foreign_state import read_untrusted_state
from tests.pretrained.archives import Call, write_archive

DTYPES = [torch.bfloat16, torch.float16, torch.float32, torch.float64, torch.int64, torch.uint8, torch.bool]
ANY_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)


@st.composite
def tensors(draw):
    size = draw(st.lists(st.integers(0, 4), max_size=3))
    values = torch.arange(torch.Size(size).numel()).reshape(size) - 3
    made = values.to(draw(st.sampled_from(DTYPES)))
    return draw(st.sampled_from([made, made.mT if made.ndim > 1 else made, torch.nn.Parameter(made.float())]))


@ANY_FOLDER
@given(state=st.dictionaries(st.sampled_from("abcdef"), tensors()), protocol=st.sampled_from([2, 4]))
def test_what_torch_saves_is_read_back(tmp_path, state, protocol):
    torch.save(state, tmp_path / "w.pt", pickle_protocol=protocol)
    read = read_untrusted_state(tmp_path / "w.pt").tensors
    assert read.keys() == state.keys()
    for name, expected in state.items():
        assert read[name].dtype == expected.dtype
        assert torch.equal(read[name], expected.detach())


def test_safetensors_are_read(tmp_path):
    save_file({"w": torch.arange(3.0)}, tmp_path / "w.safetensors")
    state = read_untrusted_state(tmp_path / "w.safetensors")
    assert torch.equal(state.tensors["w"], torch.arange(3.0))
    assert (state.origin, state.others) == (str(tmp_path / "w.safetensors"), ())


def test_levels_are_joined_by_dots_and_what_is_no_tensor_is_listed(tmp_path):
    torch.save({"model": {"layer": {"w": torch.zeros(2)}, "step": 3}, "epoch": 4}, tmp_path / "w.pt")
    whole = read_untrusted_state(tmp_path / "w.pt")
    assert (set(whole.tensors), set(whole.others)) == ({"model.layer.w"}, {"model.step", "epoch"})
    model = read_untrusted_state(tmp_path / "w.pt", landmark="layer.w")
    assert (set(model.tensors), model.others, model.beside) == ({"layer.w"}, ("step",), ("epoch",))


def test_a_file_that_would_run_a_command_is_refused_and_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"w": torch.zeros(2), "evil": Call(os.system, "touch canary")}, "evil.pt")
    with pytest.raises(UnsafeFileError, match=r"evil\.pt: names 'posix\.system', which weights are not made of"):
        read_untrusted_state(Path("evil.pt"))
    assert [file.name for file in tmp_path.iterdir()] == ["evil.pt"]


def test_ten_thousand_million_elements_in_two_kilobytes_are_refused(tmp_path):
    file = tmp_path / "bomb.pt"
    torch.save({"w": torch.zeros(1).expand(10**5, 10**5)}, file)
    assert file.stat().st_size < 2048
    with pytest.raises(UnsafeFileError, match=r"bomb\.pt: w claims 10000000000 elements, reaching to 1"):
        read_untrusted_state(file)


def test_dicts_that_multiply_are_refused(tmp_path):
    tree = {"w": 1}
    for _ in range(40):
        tree = {"a": tree, "b": tree}
    with pytest.raises(UnsafeFileError, match="holds more than 100000 names"):
        read_untrusted_state(write_archive(tmp_path / "w.pt", {"data.pkl": tree}))


def test_a_dict_inside_itself_is_refused(tmp_path):
    tree = {}
    tree["self"] = tree
    with pytest.raises(UnsafeFileError, match="a name that is not 512 printable ASCII characters at most"):
        read_untrusted_state(write_archive(tmp_path / "w.pt", {"data.pkl": tree}))


@pytest.mark.parametrize("name", ["\x1b[2Jcleared", "w\n", "gewicht\N{LATIN SMALL LETTER U WITH DIAERESIS}"])
@pytest.mark.parametrize("kind", ["pt", "safetensors"])
def test_names_that_would_write_on_the_terminal_are_refused(tmp_path, name, kind):
    file = tmp_path / f"w.{kind}"
    (torch.save if kind == "pt" else save_file)({name: torch.zeros(1)}, file)
    with pytest.raises(UnsafeFileError, match="printable ASCII"):
        read_untrusted_state(file)


def test_a_list_of_tensors_is_no_state(tmp_path):
    torch.save([torch.zeros(1)], tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match="holds no dict of tensors"):
        read_untrusted_state(tmp_path / "w.pt")


def test_a_file_of_an_older_torch_is_refused_with_the_remedy(tmp_path):
    torch.save({"w": torch.zeros(1)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointError, match=r"old\.pth: neither .* save.* anew: torch\.save\(torch\.load\(OLD"):
        read_untrusted_state(tmp_path / "old.pth")


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file: write or download it again"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n",
            "a Git LFS pointer: fetch the file",
        ),
        (
            b"\n<!DOCTYPE html><html><title>404</title></html>",
            "a web page: .*download the file",
        ),
    ],
)
def test_a_download_that_failed_is_called_so(tmp_path, suffix, content, message):
    """Kind C4: the remedy for files of an older PyTorch would lead astray."""
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=f"weights{suffix} must be a file of weights .*; it is {message}"):
        read_untrusted_state(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"absent\.pt must be a file of weights .*; nothing lies there"):
        read_untrusted_state(tmp_path / "absent.pt")


@pytest.mark.parametrize("kind", ["pt", "safetensors"])
def test_a_cut_file_is_refused_wherever_it_is_cut(tmp_path, kind):
    file = tmp_path / f"w.{kind}"
    (torch.save if kind == "pt" else save_file)({"w": torch.arange(40.0), "n": torch.tensor(1)}, file)
    content = file.read_bytes()
    for length in range(0, len(content), 7):
        file.write_bytes(content[:length])
        with pytest.raises(CheckpointError):
            read_untrusted_state(file)


@ANY_FOLDER
@given(data=st.data())
def test_a_damaged_archive_gives_its_tensors_or_a_refusal(tmp_path, data):
    file = tmp_path / "w.pt"
    torch.save({"w": torch.arange(4.0), "n": torch.tensor(1)}, file)
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content)
    try:
        read = read_untrusted_state(file).tensors
    except CheckpointError:
        return
    assert sum(tensor.numel() for tensor in read.values()) <= 5


def test_no_file_of_this_folder_can_run_a_pickle():
    runners = {"pickle", "load", "jit", "hub", "loads", "eval", "exec", "compile", "__import__", "import_module"}
    for file in Path(skyreid.pretrained.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            imported = {alias.name for alias in node.names} if isinstance(node, ast.Import | ast.ImportFrom) else set()
            used = {node.attr} if isinstance(node, ast.Attribute) else set()
            called = {node.id} if isinstance(node, ast.Name) else set()
            allowed = {"loads"} if file.name == "huggingface.py" else set()  # json.loads of config.json
            assert not (imported | used | called) & runners - allowed, (file.name, ast.unparse(node))


def test_torchscript_code_is_not_opened(known, tmp_path):
    """Rubbish in place of the archive's code changes nothing."""
    good, scripted = tmp_path / "good.pt", tmp_path / "scripted.pt"
    torch.save({"w": torch.arange(3.0)}, good)
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(scripted, "w") as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))
        target.writestr("good/code/__torch__/evil.py", b"import os; os.system('touch canary')")
    assert torch.equal(read_untrusted_state(scripted).tensors["w"], torch.arange(3.0))
