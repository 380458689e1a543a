"""The probe: calls a student's function or module on one request and tells what came of it, as plain data.

It runs beside the student's code, in the sandbox or at the student's desk, and knows no answers. A request and an
observation are trees of `wire`.
"""

import contextlib
import io
import linecache
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable

from autograder import props, wire

PRINTED_AT_MOST = 2000
OURS = os.path.dirname(os.path.abspath(__file__))


class OutOfTime(BaseException):
    """Raised inside a student's call when its time is up."""


def prober(student: object) -> Callable[[dict], dict]:
    """A function that takes requests about `student`, one at a time, and returns observations."""
    last: list = []

    def ask(request: dict) -> dict:
        return observe(student, request, last)

    return ask


def observe(student: object, request: dict, last: list | None = None) -> dict:
    """What `student` does with one request. `last` carries the previous result, to see whether it is overwritten."""
    last = [] if last is None else last
    plan = {key: wire.decode(tree, tensors=True) for key, tree in request.items()}
    if plan["init"] is not None or plan["gradients"]:
        _seed_torch()
    printed = _Printed()
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            try:
                with time_limit(plan["seconds"]):
                    observation = _run(student, plan)
                if time.perf_counter() - began > plan["seconds"]:
                    raise OutOfTime
            except OutOfTime:
                observation = {"outcome": "timeout"}
            except (Exception, SystemExit, GeneratorExit) as error:
                observation = _raised(error)
            if observation["outcome"] == "returned":
                observation |= _after(plan, request, observation.pop("result"), last)
    observation["printed"] = printed.getvalue()
    observation["warnings"] = [
        f"{item.category.__name__}: {item.message}"[:300]
        for item in caught
        if issubclass(item.category, RuntimeWarning)
    ][:3]
    observation["seconds"] = {"float": (time.perf_counter() - began).hex()}
    return observation


def _run(student, plan) -> dict:
    if plan["init"] is None:
        subject, parameters = student, None
    else:
        init, init_kwargs = plan["init"]
        subject = student(*init, **init_kwargs)
        parameters = _load(subject, plan)
        if isinstance(parameters, str):
            return {"outcome": "parameters", "message": parameters}
    inputs = _floating(plan["calls"], []) if plan["gradients"] else []
    for tensor in inputs:
        tensor.requires_grad_(True)
    plan["built"] = calls = [(method, props.build(args), props.build(kwargs)) for method, args, kwargs in plan["calls"]]
    results = []
    for method, args, kwargs in calls:
        call = subject if method in ("__call__", "forward") else getattr(subject, method)
        results.append(call(*args, **kwargs))
    result = results if plan.get("many") else results[0] if results else None
    gradients = _gradients(result, inputs, parameters or {}) if plan["gradients"] else None
    return {"outcome": "returned", "result": result, "gradients": gradients}


def _after(plan, request, result, last) -> dict:
    """The result as a tree, which inputs were changed, and whether an earlier result was."""
    calls = wire.encode(plan["calls"])
    changed = []
    for number, (before, now) in enumerate(zip(request["calls"]["list"], calls["list"], strict=True)):
        for before_part, now_part in zip(before["tuple"][1:], now["tuple"][1:], strict=True):
            changed += _changed(before_part, now_part, number)
    value = wire.encode(result)
    stale = bool(last) and wire.encode(last[0]) != last[1]
    last[:] = [result, value]
    return {"value": value, "changed": changed, "stale": stale}


def _changed(before, now, number) -> list:
    """Positions (ints) and keywords (strings) of the arguments of a call that are not what they were."""
    if "dict" in before:
        return [key for (key, old), (_, new) in zip(before["dict"], now["dict"], strict=True) if old != new]
    return [i for i, (old, new) in enumerate(zip(before["tuple"], now["tuple"], strict=True)) if old != new]


def _load(subject, plan):
    """Give the module its parameter values; a sentence if its names or shapes are not the expected ones."""
    import torch

    if not isinstance(subject, torch.nn.Module):
        return f"it is no torch.nn.Module but of type {type(subject).__name__}"
    own = dict(subject.named_parameters(remove_duplicate=False))
    wanted = plan["parameters"]
    if wanted is not None:
        problem = _compare_parameters(own, wanted)
        if problem:
            return problem
        with torch.no_grad():
            for name, value in wanted.items():
                own[name].copy_(value)
    subject.to(getattr(torch, plan["dtype"]))
    subject.train(plan["train"])
    return dict(subject.named_parameters(remove_duplicate=False))


def _compare_parameters(own, wanted) -> str | None:
    missing = [name for name in wanted if name not in own]
    extra = [name for name in own if name not in wanted]
    if missing:
        found = ", ".join(own) or "none"
        return f"the parameter `{missing[0]}` is missing (yours are: {found})"
    if extra:
        return f"there is a parameter too many, `{extra[0]}`"
    for name, value in wanted.items():
        if own[name].shape != value.shape:
            return f"the parameter `{name}` has shape {tuple(own[name].shape)}, expected {tuple(value.shape)}"
    return None


def _floating(value, found):
    """The floating tensors in nested arguments, in order."""
    torch = sys.modules["torch"]
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        found.append(value)
    elif isinstance(value, dict):
        for item in value.values():
            _floating(item, found)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _floating(item, found)
    return found


def _gradients(result, inputs, parameters) -> dict:
    """Gradients of sum(output * c) for fixed, irregular c: for the inputs in order and the parameters by name."""
    import torch

    total = torch.zeros((), dtype=torch.float64)
    for part in _floating(result, []):
        weights = torch.cos(1.0 + 0.7 * torch.arange(part.numel(), dtype=torch.float64)).reshape(part.shape)
        total = total + (part * weights.to(part.dtype)).sum().double()
    targets = inputs + list(parameters.values())
    flows = total.requires_grad
    found = torch.autograd.grad(total, targets, allow_unused=True) if flows else [None] * len(targets)
    for tensor in inputs:
        tensor.requires_grad_(False)
    filled = [torch.zeros_like(t) if g is None else g for t, g in zip(targets, found, strict=True)]
    names = [f"input {i}" for i in range(len(inputs))] + list(parameters)
    return wire.encode(dict(zip(names, filled, strict=True)))


def _raised(error) -> dict:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not _is_ours(f.filename)]
    where = None
    students = [f for f in frames if "site-packages" not in f.filename and not f.filename.startswith(sys.base_prefix)]
    if students:
        text = students[-1].line or linecache.getline(students[-1].filename, students[-1].lineno or 0)
        where = [students[-1].lineno, text.strip()[:200]]
    return {
        "outcome": "raised",
        "type": type(error).__name__[:100],
        "bases": [base.__name__[:100] for base in type(error).__mro__][:20],
        "message": _text(error)[:500],
        "where": where,
    }


def _is_ours(filename: str) -> bool:
    return os.path.dirname(os.path.abspath(filename)) == OURS


def _text(error) -> str:
    try:
        return str(error)
    except Exception:
        return "(its message cannot be shown)"


def _seed_torch():
    import torch

    torch.manual_seed(0)


class _Printed(io.StringIO):
    """Keeps the first characters that a student's code prints."""

    def write(self, text):
        room = PRINTED_AT_MOST - self.tell()
        if room > 0:
            super().write(text[:room])
        return len(text)


@contextlib.contextmanager
def time_limit(seconds: float):
    """Raise OutOfTime inside the block after `seconds`, again and again should the block swallow it."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        with _time_limit_by_thread(seconds):
            yield
        return

    def expire(signum, frame):
        raise OutOfTime

    former = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.2)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


@contextlib.contextmanager
def _time_limit_by_thread(seconds: float):
    import ctypes

    thread = threading.get_ident()
    done = threading.Event()

    def expire():
        wait = seconds
        while not done.wait(wait):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(OutOfTime))
            wait = 0.2

    timer = threading.Thread(target=expire, daemon=True)
    timer.start()
    try:
        yield
    finally:
        done.set()
        timer.join()
