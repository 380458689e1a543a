"""The engine: what a check says to a student whose function misbehaves, and what crosses between probe and judge."""

import contextlib
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch
from torch import nn

from autograder import wire
from autograder.exercise import Exercise, case, module
from autograder.html import render
from autograder.judge import Lost, judge
from autograder.probe import prober
from autograder.wire import Opaque, Prop, Tensor, WireError


@pytest.fixture
def mean() -> Exercise:
    exercise = Exercise("mean", lesson="00_welcome", seconds=0.3)

    @exercise.reference
    def _(x, axis=-1):
        return x.mean(axis)

    @exercise.aspect("values", points=2)
    def _(rng):
        yield case("a matrix", rng.normal(size=(3, 5)))
        yield case("another matrix", rng.normal(size=(3, 5)))
        yield case("axis 0", rng.normal(size=(3, 5)), axis=0).because("each column has its own mean")

    @exercise.aspect("float32", points=1)
    def _(rng):
        yield case("float32", rng.normal(size=(3, 5)).astype(np.float32))

    @exercise.aspect("purity", points=1, purity=True)
    def _(rng):
        yield case("once more", rng.normal(size=(4, 2)))

    @exercise.misconception("the sum is not divided by the count", hint="Divide.")
    def _(x, axis=-1):
        return x.sum(axis)

    return exercise


def right(x, axis=-1):
    return x.mean(axis)


def raises(x, axis=-1):
    return x.mean(axis) + undefined  # noqa: F821


def loops(x, axis=-1):
    while True:
        with contextlib.suppress(Exception):
            time.sleep(0.01)


def swallows(x, axis=-1):
    for _ in range(10):
        with contextlib.suppress(BaseException):
            time.sleep(1)


def nothing(x, axis=-1):
    x.mean(axis)


def a_list(x, axis=-1):
    return x.mean(axis).tolist()


def wrong_shape(x, axis=-1):
    return np.asarray(x.mean(axis, keepdims=True))


def double(x, axis=-1):
    return x.astype(np.float64).mean(axis)


def subclass(x, axis=-1):
    return np.ma.masked_array(x.mean(axis))


def not_numbers(x, axis=-1):
    return x.mean(axis) * np.nan


def exits(x, axis=-1):
    sys.exit(0)


MESSAGES = [
    (raises, "NameError. At your line"),
    (loops, "did not finish within the limit of 0.3 seconds"),
    (swallows, "did not finish within the limit of 0.3 seconds"),
    (nothing, "returns None"),
    (a_list, "It returned a list of 3; a numpy.ndarray of shape (3,) was expected"),
    (wrong_shape, "shape (3, 1); (3,) was expected"),
    (double, "dtype float64; float32 was expected"),
    (subclass, "MaskedArray"),
    (not_numbers, "It has NaN where a number was expected"),
    (exits, "It raised SystemExit"),
]


@pytest.mark.parametrize(("student", "sentence"), MESSAGES, ids=[student.__name__ for student, _ in MESSAGES])
def test_each_fault_gets_its_sentence(mean, student, sentence):
    report = judge(mean, 1, prober(student))
    assert not report.passed
    assert sentence in str(report)
    assert "autograder/" not in str(report)


def test_a_right_answer_passes_and_printing_is_only_noted(mean):
    def chatty(x, axis=-1):
        print("working on it")
        return x.mean(axis)

    assert judge(mean, 1, prober(right)).passed
    report = judge(mean, 1, prober(chatty))
    assert report.passed
    assert "prints" in report.notes[0]


@pytest.mark.parametrize("fault", ["changes its input", "keeps one buffer", "warns"])
def test_misbehavior_costs_the_purity_aspect_alone(mean, fault):
    buffer = {}

    def student(x, axis=-1):
        answer = x.mean(axis)
        if fault == "changes its input":
            x += 1
        elif fault == "keeps one buffer":
            kept = buffer.setdefault((answer.shape, answer.dtype), np.empty_like(answer))
            kept[...] = answer
            return kept
        else:
            np.ones(1) / 0
        return answer

    report = judge(mean, 1, prober(student))
    assert [aspect.passed for aspect in report.aspects] == [True, True, False]
    assert {"changes": "`x`", "keeps": "earlier", "warns": "RuntimeWarning"}[fault.split()[0]] in str(report)


def test_a_misconception_is_named_and_the_reason_given(mean):
    report = judge(mean, 1, prober(lambda x, axis=-1: x.sum(axis)))
    assert report.misconception == "the sum is not divided by the count"
    assert report.score == 0
    report = judge(mean, 1, prober(lambda x, axis=-1: x.mean(-1)))
    assert report.misconception is None
    assert "each column has its own mean" in str(report)


def test_hidden_cases_are_not_told(mean):
    seen = []

    def hard_coded(x, axis=-1):
        seen.append(x.copy())
        if len(seen) > 5:
            raise ValueError(str(x.tolist()))
        return x.mean(axis)

    report = judge(mean, 77, prober(hard_coded), show_hidden=False)
    assert not report.passed
    for x in seen[5:]:
        assert f"{x.flat[0]:.4f}" not in str(report)
        assert repr(float(x.flat[0])) not in str(report)


def test_a_lost_probe_earns_nothing_more(mean):
    ask = prober(right)
    calls = []

    def dies(request):
        calls.append(request)
        if len(calls) > 2:
            raise Lost("The process ended.")
        return ask(request)

    report = judge(mean, 1, dies)
    assert report.score == 0
    assert len(calls) == 3
    assert "The process ended." in str(report)


@pytest.mark.parametrize(
    "reply", [None, [], {"outcome": 3}, {"outcome": "passed"}, {"outcome": "returned", "value": []}]
)
def test_malformed_observations_earn_nothing(mean, reply):
    assert judge(mean, 1, lambda request: reply).score == 0


def test_time_limit_works_outside_the_main_thread(mean):
    found = []
    thread = threading.Thread(target=lambda: found.append(judge(mean, 1, prober(loops))))
    thread.start()
    thread.join()
    assert "did not finish" in str(found[0])


VALUES = [
    None,
    True,
    -3,
    2.5,
    float("inf"),
    "text",
    [1, (2, "x")],
    {"a": 1, 2: [None]},
    np.arange(6.0).reshape(2, 3),
    np.float32(1.5),
    np.array([True, False]),
    Prop("source", text="", power=2.0, scale=np.ones(2)),
]


@pytest.mark.parametrize("value", VALUES, ids=[str(value)[:20] for value in VALUES])
def test_plain_data_comes_back(value):
    back = wire.decode(wire.loads(wire.dumps(wire.encode(value))))
    assert type(back) is type(value)
    if isinstance(value, Prop):
        assert back.kind == value.kind
        np.testing.assert_equal(back.data, value.data)
    else:
        np.testing.assert_equal(back, value)


def test_strides_survive_and_tensors_come_as_tensors_or_arrays():
    array = np.arange(12.0).reshape(3, 4).T
    back = wire.decode(wire.encode(array))
    assert not back.flags.c_contiguous
    np.testing.assert_array_equal(back, array)
    tensor = torch.arange(6).reshape(2, 3).T
    assert isinstance(wire.decode(wire.encode(tensor)), Tensor)
    again = wire.decode(wire.encode(tensor), tensors=True)
    assert torch.equal(again, tensor)
    assert not again.is_contiguous()


def test_everything_else_is_only_named():
    assert wire.decode(wire.encode(object())) == Opaque("object")
    assert isinstance(wire.decode(wire.encode(np.array([object()]))), Opaque)


def deep(n):
    tree = None
    for _ in range(n):
        tree = {"list": [tree]}
    return tree


BAD = [
    {"array": "AAAA"},
    {"array": 3},
    {"float": "x"},
    {"list": 3},
    {"dict": [[1]]},
    {"dict": [[{"list": []}, 1]]},
    {"unknown": 1},
    {},
    [],
    1.5,
    deep(100),
    {"list": [1] * 300_000},
]


@pytest.mark.parametrize("tree", BAD, ids=[str(tree)[:30] for tree in BAD])
def test_malformed_trees_are_refused(tree):
    with pytest.raises(WireError):
        wire.decode(tree)


def test_an_array_that_lies_about_its_size_is_refused():
    import base64

    tree = wire.encode(np.zeros(3))
    data = base64.b64decode(tree["array"]).replace(b"(3,), }", b"(3000000000,), }")
    with pytest.raises(WireError):
        wire.decode({"array": base64.b64encode(data).decode()})
    with pytest.raises(WireError):
        wire.loads(b"[" * 100_000)
    with pytest.raises(WireError):
        wire.loads(b" " * 100, max_bytes=10)


class Scale(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return x * self.weight


@pytest.fixture
def scale() -> Exercise:
    exercise = Exercise("Scale", lesson="13_transformer_blocks", seconds=5)
    exercise.reference(Scale)

    @exercise.aspect("values", points=1)
    def _(rng):
        yield module("float64", init=(4,), args=(torch.tensor(rng.normal(size=(2, 4))),), rng=rng)

    @exercise.aspect("gradients", points=1)
    def _(rng):
        x = torch.tensor(rng.normal(size=(2, 4)), dtype=torch.float32)
        yield module("float32", init=(4,), args=(x,), rng=rng, dtype="float32").gradients()

    return exercise


class Detached(Scale):
    def forward(self, x):
        return x * self.weight.detach()


class Renamed(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(size))


class Transposed(Scale):
    def __init__(self, size):
        super().__init__((1, size))


def test_modules_are_checked_by_parameters_values_and_gradients(scale):
    assert judge(scale, 1, prober(Scale)).passed
    report = judge(scale, 1, prober(Detached))
    assert [aspect.passed for aspect in report.aspects] == [True, False]
    assert "The gradient for `weight`" in str(report)
    assert "`weight` is missing (yours are: gain)" in str(judge(scale, 1, prober(Renamed)))
    assert "has shape (1, 4), expected (4,)" in str(judge(scale, 1, prober(Transposed)))
    assert "no torch.nn.Module" in str(judge(scale, 1, prober(lambda size: 3)))


def test_html_report_escapes_and_has_roles(mean):
    def student(x, axis=-1):
        raise ValueError("<script>alert(1)</script>")

    html = render(judge(mean, 1, prober(student)))
    assert "<script>" not in html
    assert 'role="region"' in html
    assert 'scope="row"' in html


def test_import_is_light():
    code = "import autograder, sys; assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
