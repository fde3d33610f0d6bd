"""Real footage through the whole path, by the commands a user types."""

import json

import numpy as np
import pytest
from safetensors.torch import save_file

from skyreid.cli import main
from skyreid.retrieval.embedding_table import load_table
from tests.reference.stored_cases import find_case


@pytest.mark.footage
@pytest.mark.slow  # two videos of 3072x1728
def test_two_cameras_are_built_embedded_ranked_and_scored(footage_dir, tmp_path, capsys):
    folder = footage_dir / "cross_view_soccer"
    save_file(dict(find_case("micro", None).weights), tmp_path / "release.safetensors")
    assert main(["model", "import", "release", f"{tmp_path}/release.safetensors", "--out", f"{tmp_path}/model"]) == 0
    sources = [
        f"--source={folder}/cam_{side}.mp4,platform=ground,camera={side},annotations={folder}/gt_{side}.txt,identities=shared"
        for side in ("left", "right")
    ]
    assert main(["build", *sources, "--out", f"{tmp_path}/tracklets"]) == 0
    for side in ("left", "right"):
        embed = ["embed", f"{tmp_path}/tracklets", "--model", f"{tmp_path}/model", "--camera", side]
        assert main([*embed, "--out", f"{tmp_path}/{side}.npz"]) == 0
    left, right = (load_table(tmp_path / f"{side}.npz") for side in ("left", "right"))
    assert set(left.pids) == set(right.pids) == set(range(1, 12))
    assert (set(left.camids), set(right.camids)) == ({0}, {1})
    capsys.readouterr()
    tables = [f"{tmp_path}/left.npz", f"{tmp_path}/right.npz"]
    assert main(["evaluate", "tables", *tables, "--protocol", "cross-camera", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["queries"] == len(left)
    assert scores["queries_without_match"] == 0
    assert 1 / len(right) < scores["mAP"] <= 1
    query = str(left.tracklet_ids[0])
    page = tmp_path / "results.html"
    assert main(["search", f"{tmp_path}/left.npz", "--query", query, "-k", "5", "--out", str(page)]) == 0
    assert page.read_text().count("data:image/jpeg;base64,") == 6
    assert np.isfinite(left.embeddings).all()
