"""The training loop that lessons share: batches by length, learning-rate decay, clipping, the quick switch."""

import itertools

import numpy as np
import pytest
import torch

from autograder import training
from autograder.props import build
from autograder.wire import Prop

LENGTHS = [(i * 7 % 31 + 1, i * 5 % 13 + 1) for i in range(500)]


@pytest.fixture(autouse=True)
def _in_full(monkeypatch):
    monkeypatch.delenv("ATTN_QUICK", raising=False)


def line_batches(seed=0):
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield torch.randn(16, 3, generator=generator)


def line_loss(model, x):
    return ((model(x)[:, 0] - x.sum(1)) ** 2).mean()


def line():
    training.seed_everything(3)
    return torch.nn.Linear(3, 1)


@pytest.mark.parametrize("options", [{}, {"max_tokens": 200}, {"seed": None}, {"pool": 2}, {"batch_size": 7}])
def test_batches_hold_every_item_once(options):
    batches = list(training.batches_by_length(LENGTHS, **options))
    assert sorted(itertools.chain(*batches)) == list(range(len(LENGTHS)))
    assert all(len(batch) <= options.get("batch_size", 64) for batch in batches)
    if "max_tokens" in options:
        assert all(len(batch) * max(max(LENGTHS[i]) for i in batch) <= 200 for batch in batches)


def test_batches_are_similar_in_length_and_depend_on_the_seed():
    first, again, other = (list(training.batches_by_length(LENGTHS, 20, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert np.mean([np.ptp([LENGTHS[i][0] for i in batch]) for batch in first]) < 4
    assert first != sorted(first, key=lambda batch: LENGTHS[batch[0]])


def test_a_very_long_item_is_a_batch_of_its_own():
    assert [2] in list(training.batches_by_length([3, 4, 500, 2], 64, max_tokens=20))


def test_endless_shuffles_each_pass_anew():
    items = list(range(40))
    stream = training.endless(items, list, [1] * 40, batch_size=20, seed=4)
    passes = [[*next(stream), *next(stream)] for _ in range(3)]
    assert all(sorted(each) == items for each in passes)
    assert passes[0] != passes[1] != passes[2]


def test_fit_learns_and_reports(capsys):
    model = line()
    history = training.fit(
        model,
        line_loss,
        line_batches(),
        steps=200,
        learning_rate=0.05,
        evaluate=lambda model: 0.25,
        evaluate_every=80,
    )
    assert history.losses[-1] < 1e-3 < history.losses[0]
    assert history.evaluations == [(80, 0.25), (160, 0.25), (200, 0.25)]
    assert history.steps == len(history.losses) == len(history.norms) == 200
    assert not model.training
    assert "held out" in capsys.readouterr().out


def test_fit_is_reproducible():
    runs = [training.fit(line(), line_loss, line_batches(), steps=30, show=False).losses for _ in range(2)]
    assert runs[0] == runs[1]


def test_learning_rate_falls_to_zero_over_the_last_part():
    rates = []

    class Spy(torch.optim.SGD):
        def step(self, closure=None):
            rates.append(self.param_groups[0]["lr"])

    model = line()
    training.fit(model, line_loss, line_batches(), steps=10, learning_rate=2.0, optimizer=Spy(model.parameters(), lr=1))
    assert rates == pytest.approx([2, 2, 2, 2, 2, 2, 1.6, 1.2, 0.8, 0.4])
    rates.clear()
    options = {"learning_rate": lambda step: 1 / step, "decay": 0, "optimizer": Spy(model.parameters(), lr=1)}
    training.fit(model, line_loss, line_batches(), steps=4, show=False, **options)
    assert rates == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])


def test_clipping_by_a_function_replaces_the_gradients():
    model = line()
    before = [p.detach().clone() for p in model.parameters()]
    history = training.fit(
        model,
        line_loss,
        line_batches(),
        steps=3,
        clip=lambda gradients: ([torch.zeros_like(g) for g in gradients], 7.0),
        show=False,
    )
    assert history.norms == [7.0] * 3
    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))


def test_a_budget_in_minutes_ends_the_run():
    history = training.fit(line(), line_loss, line_batches(), minutes=0.005, show=False)
    assert 0.3 <= history.seconds < 5
    with pytest.raises(ValueError, match="steps, minutes"):
        training.fit(line(), line_loss, line_batches())


def test_quick_shortens(monkeypatch, capsys):
    assert training.budget(1000, 10) == 1000
    monkeypatch.setenv("ATTN_QUICK", "1")
    assert training.quick()
    assert training.budget(1000, 10) == 10
    assert training.fit(line(), line_loss, line_batches(), steps=500).steps == training.QUICK_STEPS
    assert "mean nothing" in capsys.readouterr().out


def test_smoothed_is_a_running_mean():
    history = training.History(losses=[4.0, 2.0, 6.0, 0.0])
    assert history.smoothed(2).tolist() == [4.0, 3.0, 4.0, 3.0]


@pytest.mark.parametrize("nested", [False, True])
def test_table_step_follows_row_and_position(nested):
    table = torch.arange(2 * 3 * 4 * 4.0).reshape(2, 3, 4, 4)
    rows, positions = torch.tensor([1, 0, 1]), torch.tensor([0, 2, 1])
    state = ((rows, (positions,)), torch.ones(3)) if nested else torch.stack([rows, positions], 1)
    tokens = torch.tensor([3, 0, 2])
    step = build(Prop("table_step", table=table))
    log_probs, state = step(tokens, state)
    assert torch.equal(log_probs, table[rows, positions, tokens])
    moved = state[0][1][0] if nested else state[:, 1]
    assert moved.tolist() == [1, 3, 2]
    with pytest.raises(ValueError, match="int64"):
        step(tokens.int(), state)
