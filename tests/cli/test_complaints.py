"""A command line that is none is answered in one line."""

import pytest

from skyreid.cli import main

TRAIN = "train vsla-clip-small"


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        (
            "search a.npz --query t --out page.html --to arial",
            "--to must be aerial, ground or any; got 'arial' (did you mean 'aerial'?) (skyreid search --help)",
        ),
        (
            "embed a --model m --out t.npz --sampling al-frames",
            "--sampling must be all-consecutive, all-frames, begin-chunk, begin-stride or one-clip; got 'al-frames' "
            "(did you mean 'all-frames'?) (skyreid embed --help)",
        ),
        (
            "model import openia a.pt --out m",
            "format must be openai, huggingface, open_clip, vifi or release; got 'openia' (did you mean 'openai'?) "
            "(skyreid model import --help)",
        ),
        (
            "search a.npz --qury t",
            "skyreid search has no option --qury (did you mean '--query'?); it needs --out (skyreid search --help)",
        ),
        (
            "evaluate r --rot d",
            "skyreid evaluate has no option --rot (did you mean '--root'?) (skyreid evaluate --help)",
        ),
        (
            "model export a b --out c",
            "skyreid model export takes no further word; got 'b' (skyreid model export --help)",
        ),
        ("evaluate tables a b", "skyreid evaluate tables needs --protocol (skyreid evaluate tables --help)"),
        (
            "search",
            "skyreid search needs PATH (what `skyreid embed` wrote, in one file or many) and --out "
            "(skyreid search --help)",
        ),
        (
            "telemetry",
            "skyreid telemetry needs PATH (a video with what lies beside or inside it, subtitles as .SRT, a table of a "
            "flight as .csv, a picture, or a folder of pictures) (skyreid telemetry --help)",
        ),
        (
            "weights get",
            "skyreid weights get needs NAME (one of `skyreid weights list`, such as yolox-s) "
            "(skyreid weights get --help)",
        ),
        ("build --out b --model", "--model needs a value (skyreid build --help)"),
        ("build --out b --interval-s ten", "--interval-s must be a number; got 'ten' (skyreid build --help)"),
        (
            f"{TRAIN} --stage1.batch-siez 8",
            f"skyreid {TRAIN} has no option --stage1.batch-siez (did you mean '--stage1.batch-size'?) "
            f"(skyreid {TRAIN} --help)",
        ),
        (
            f"{TRAIN} --stage1.batch-size x",
            f"--stage1.batch-size must be a whole number; got 'x' (skyreid {TRAIN} --help)",
        ),
        (f"{TRAIN} --stage1.batch-size 1", f"stage1.batch_size must be at least 2; got 1 (skyreid {TRAIN} --help)"),
        (
            f"{TRAIN} --model.image.adapters.intra-frame x",
            f"--model.image.adapters.intra-frame takes INT; got 'x' (skyreid {TRAIN} --help)",
        ),
    ],
)
@pytest.mark.parametrize("columns", ["40", "200"])
def test_what_came_what_is_taken_and_the_nearest_spelling_stand_in_one_line(
    capsys, monkeypatch, columns, given, answer
):
    monkeypatch.setenv("COLUMNS", columns)
    assert main(given.split()) == 2
    assert tuple(capsys.readouterr()) == ("", f"error: {answer}\n")
