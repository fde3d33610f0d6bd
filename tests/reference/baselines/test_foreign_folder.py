"""A folder of someone else's, with a map and names of its own: the checker compares it, and sees what differs.

The training outputs of GRL and STMN are not stored in the repository. Here their heads are computed once more, one
clip and one slot at a time, and written as their stored outputs would be.
"""

import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from einops import reduce
from torch import nn
from torch.nn import functional

from tests.reference.baselines import parity
from tests.reference.baselines.recipe import direction, drawn_clips
from tests.reference.baselines.stored_outputs import IN_REPOSITORY, StoredOutputs, find_stored
from tests.reference.comparison import assert_all_close

SIZE = (64, 32)


class Nothing(nn.Module):
    """Stands where a head stood, so that a forward pass leaves the head alone."""

    def forward(self, *given):
        return reduce(given[0], "row ... channel -> row channel", "mean")


def without_heads(model, *heads):
    """Take heads out of a model; they are computed by hand."""
    taken = {head: getattr(model, head) for head in heads}
    for head in heads:
        setattr(model, head, Nothing())
    return taken


def normed(rows, norm):
    """Normalise a batch and move the statistics, as training does."""
    return functional.batch_norm(rows, norm.running_mean, norm.running_var, norm.weight, norm.bias, training=True)


def pooled(frames, head):
    """Pool clips of frames, [clip, frame, channel]."""
    rows = frames.flatten(0, 1)
    queries = functional.normalize(normed(head.query(rows), head.query_norm)).unflatten(0, frames.shape[:2])
    keys = functional.normalize(normed(head.key(rows), head.key_norm)).unflatten(0, frames.shape[:2])
    clips = []
    for query, key, own in zip(queries, keys, frames, strict=True):
        looked = [sum(weight * frame for weight, frame in zip((key @ q).softmax(0), own, strict=True)) for q in query]
        clips.append(functional.normalize(sum(looked), dim=0))
    return torch.stack(clips)


def verified(probes, gallery, head):
    pairs = torch.stack([(probe - other) ** 2 for probe in probes for other in gallery])
    return head.classifier(normed(pairs, head.norm))


def grl_outputs(model, clips):
    heads = without_heads(model, "pooling", "verification", "uncorrelated_verification")
    outputs = model(clips)
    frames, feature = outputs["frame_features"], outputs["uncorrelated_feature"]
    probes, gallery = pooled(frames[[0, 2]], heads["pooling"]), pooled(frames[[1, 3]], heads["pooling"])
    return heads, {
        "x_uncorr": feature,
        "x_corr": frames,
        "ver_corr": verified(probes, gallery, heads["verification"]),
        "ver_uncorr": verified(feature[[0, 2]], feature[[1, 3]], heads["uncorrelated_verification"]),
        "siam_corr": torch.cat([probes, gallery]),
        "siam_uncorr": feature[[0, 2, 1, 3]],
    }


def spread(attention):
    """Of a memory: by how much the attention to a slot falls short of 0.3 between its extremes."""
    short = [(slot.min() - slot.max() + 0.3).clamp(min=0) for slot in attention.T]
    return sum(short) / len(short)


def stmn_outputs(model, clips):
    heads = without_heads(model, "frame_classifier", "classifier", "frame_neck", "neck")
    outputs = model(clips)
    frames = outputs["frame_features"].flatten(0, 1)
    return heads, {
        "val_s": frames,
        "val_t": outputs["raw_feature"],
        "val_s_cls": normed(frames, heads["frame_neck"]) @ heads["frame_classifier"].weight.T,
        "val_t_cls": normed(outputs["raw_feature"], heads["neck"]) @ heads["classifier"].weight.T,
        "smem_loss": spread(outputs["spatial_attention"]),
        "tmem_loss": spread(outputs["temporal_attention"]),
    }


OUTPUTS = {"grl": grl_outputs, "stmn": stmn_outputs}


def small(method: str) -> StoredOutputs:
    """The description of a method in the repository, with smaller frames."""
    stored = find_stored(method)
    shape = (*stored.spec["input_shape"][:-2], *SIZE)
    crc = zlib.crc32(drawn_clips(stored.spec["input_seed"], shape).tobytes())
    return replace(stored, spec=stored.spec | {"input_shape": shape, "input_crc32": crc})


def write_folder(folder: Path, method: str) -> None:
    """Compute a method's training outputs by hand, and write them as the original's are written."""
    stored = small(method)
    model = stored.model().train()
    heads, outputs = OUTPUTS[method](model, stored.clips())
    probes = {name: torch.from_numpy(direction(f"loss:{name}", tuple(out.shape))) for name, out in outputs.items()}
    loss = sum((out * probes[name]).sum() / out.numel() ** 0.5 for name, out in outputs.items())
    loss.backward()
    named = dict(model.named_parameters()) | {
        f"{head}.{name}": parameter for head, module in heads.items() for name, parameter in module.named_parameters()
    }
    statistics = dict(model.named_buffers()) | {
        f"{head}.{name}": buffer for head, module in heads.items() for name, buffer in module.named_buffers()
    }
    gradients = {stored.stored_name(name): p.grad.numpy() for name, p in named.items() if p.grad is not None}
    buffers = {stored.stored_name(name): float(b.norm()) for name, b in statistics.items() if "running" in name}
    arrays = {f"train/{name}": out.detach().numpy() for name, out in (outputs | {"loss": loss}).items()}
    arrays |= {"grad/names": np.array(list(gradients)), "buf/names": np.array(list(buffers))}
    arrays["grad/norm"] = np.array([np.linalg.norm(gradient) for gradient in gradients.values()])
    arrays["grad/dot"] = np.array(
        [(g.reshape(-1) * direction(f"grad:{name}", (g.size,))).sum() / g.size**0.5 for name, g in gradients.items()]
    )
    arrays["buf/norm_after_one_train_forward"] = np.array(list(buffers.values()))
    (folder / method).mkdir(parents=True)
    np.savez(folder / method / "expected_f64.npz", **arrays)
    (folder / method / "spec.json").write_text(json.dumps(stored.spec))


@pytest.mark.slow  # 55 and 90 million weights are drawn three times
@pytest.mark.parametrize("method", OUTPUTS)
def test_training_outputs_of_a_folder_are_compared_by_their_names(method, tmp_path):
    write_folder(tmp_path, method)
    found = list(parity.training(find_stored(method, tmp_path)))
    names = {comparison.name for comparison in found}
    assert {f"train/{name}" for name in find_stored(method).names["train"]} < names
    assert sum(name.startswith("grad/") for name in names) > 100
    assert_all_close(found)


@pytest.mark.slow
def test_an_output_in_another_order_is_seen(tmp_path):
    write_folder(tmp_path, "grl")
    names = find_stored("grl").names
    own = names | {"train": names["train"] | {"siam_corr": "pooled_feature"}}  # in pairs, not probes first
    (tmp_path / "grl" / "names.json").write_text(json.dumps(own))
    found = {comparison.name: comparison for comparison in parity.training(find_stored("grl", tmp_path))}
    assert not found["train/siam_corr"].is_close
    assert found["train/ver_corr"].is_close


def test_a_folder_s_own_map_and_description_go_before_the_repository_s(tmp_path):
    (tmp_path / "grl").mkdir()
    assert find_stored("grl", tmp_path).names == find_stored("grl").names
    (tmp_path / "grl" / "names.json").write_text('{"baseline": "grl"}')
    (tmp_path / "grl" / "spec.json").write_text('{"num_classes": 3}')
    stored = find_stored("grl", tmp_path)
    assert (stored.folder, stored.names, stored.spec) == (
        tmp_path / "grl",
        {"baseline": "grl"},
        {"num_classes": 3},
    )


@pytest.mark.parametrize(
    ("pattern", "order"),
    [("(pair two) dim -> (two pair) dim", [0, 2, 1, 3]), ("clip dim -> clip dim", [0, 1, 2, 3])],
)
def test_a_pattern_may_name_the_clips_and_a_pair(pattern, order):
    features = torch.arange(8.0).reshape(4, 2)
    arranged = find_stored("grl").arranged({"pooled_feature": features}, ["pooled_feature", pattern])
    assert torch.equal(arranged, features[order])


def test_labels_are_one_person_s_unless_the_map_has_some():
    stored = StoredOutputs(IN_REPOSITORY / "grl", {}, find_stored("grl").spec)
    assert stored.labels().tolist() == [0, 0, 0, 0]
    assert replace(stored, names={"labels": [1, 1, 2, 2]}).labels().tolist() == [1, 1, 2, 2]
