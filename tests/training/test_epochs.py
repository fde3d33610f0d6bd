"""The epochs of a stage: which are run, what is logged, when the state is kept."""

import json

import pytest
import torch

from skyreid.training.epochs import Epochs


class Kept:
    """What a run told to whom, in order."""

    def __init__(self):
        self.states = []
        self.reports = []

    def keep(self, epoch, steps):
        self.states.append((epoch, steps))

    def progress(self, task, done, total, note=""):
        self.reports.append((task, done, total, note))


def make_epochs(kept, *, log_dir=None, finished=0, steps=0, total=3, steps_between_waits=1):
    return Epochs(
        stage=2,
        total=total,
        finished=finished,
        steps=steps,
        steps_per_epoch=2,
        log_dir=log_dir,
        keep=kept.keep,
        progress=kept.progress,
        steps_between_waits=steps_between_waits,
    )


def run(epochs):
    seen = []
    for epoch in epochs:
        seen.append(epoch)
        for step in range(2):
            epochs.report({"a": torch.tensor(float(epoch)), "b": torch.tensor(0.5 * step)})
    return seen


def test_every_epoch_is_run_once_and_its_state_kept_after_it():
    kept = Kept()
    assert run(make_epochs(kept)) == [1, 2, 3]
    assert kept.states == [(1, 2), (2, 4), (3, 6)]


def test_a_resumed_stage_goes_on_with_the_first_unfinished_epoch_and_the_next_step():
    kept = Kept()
    assert run(make_epochs(kept, finished=1, steps=2)) == [2, 3]
    assert kept.states == [(2, 4), (3, 6)]
    assert [done for _, done, _, _ in kept.reports] == [3, 4, 5, 6]


def test_a_finished_stage_runs_no_epoch():
    kept = Kept()
    assert run(make_epochs(kept, finished=3, steps=6)) == []
    assert kept.states == []


def test_an_epoch_that_fails_is_not_kept(tmp_path):
    kept = Kept()
    epochs = make_epochs(kept, log_dir=tmp_path)
    with pytest.raises(RuntimeError, match="stop"):
        for epoch in epochs:
            epochs.report({"a": torch.tensor(1.0)})
            if epoch == 2:
                raise RuntimeError("stop")
    assert kept.states == [(1, 1)]


def test_every_step_is_one_line_with_every_loss_and_their_sum(tmp_path):
    run(make_epochs(Kept(), log_dir=tmp_path, total=1))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines == [
        {"stage": 2, "step": 1, "loss": 1.0, "a": 1.0, "b": 0.0},
        {"stage": 2, "step": 2, "loss": 1.5, "a": 1.0, "b": 0.5},
    ]


def test_whoever_waits_is_told_every_step_and_how_many_there_will_be():
    kept = Kept()
    run(make_epochs(kept, total=1))
    assert kept.reports == [("stage 2", 1, 2, "loss 1.000"), ("stage 2", 2, 2, "loss 1.500")]


def test_more_steps_than_foreseen_never_exceed_the_total():
    kept = Kept()
    epochs = make_epochs(kept, total=1)
    for _ in epochs:
        for _ in range(5):
            epochs.report({"a": torch.tensor(1.0)})
    assert all(done <= total for _, done, total, _ in kept.reports)


def test_a_process_that_does_not_write_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(make_epochs(Kept(), log_dir=None))
    assert not any(tmp_path.iterdir())


def test_steps_that_are_read_together_are_logged_as_if_each_were_read_and_before_the_state_is_kept(tmp_path):
    one_by_one, together = Kept(), Kept()
    run(make_epochs(one_by_one, log_dir=tmp_path / "one", total=2))
    epochs = make_epochs(together, log_dir=tmp_path / "three", total=2, steps_between_waits=3)
    told = [len(together.reports) for _ in epochs for step in range(2) if not epochs.report(losses_of(step))]
    assert told == [0, 0, 2, 2]
    assert together.states == one_by_one.states
    assert len(together.reports) == len(one_by_one.reports) == 4
    lines = [(tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("one", "three")]
    assert [json.loads(line)["step"] for line in lines[1]] == [json.loads(line)["step"] for line in lines[0]]


def losses_of(step):
    return {"a": torch.tensor(1.0, requires_grad=True), "b": torch.tensor(0.5 * step)}
