"""What the lessons that train share: batches by length, one training loop, a progress bar, a live curve.

Nothing here is graded, and nothing here knows a lesson: padding, losses and clipping are passed in.

Set the environment variable ATTN_QUICK=1 to shorten every training to QUICK_STEPS steps (to see whether a
lesson runs at all: its numbers and figures then mean nothing). `quick()` says whether it is set.
"""

import os
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from tqdm import tqdm

QUICK_STEPS = 20
REDRAW_SECONDS = 2.0


def quick() -> bool:
    """True where ATTN_QUICK asks for shortened training."""
    return os.environ.get("ATTN_QUICK", "") not in ("", "0")


def budget(full: int, short: int) -> int:
    """`full` of something (steps, pairs, seeds), or `short` of it where ATTN_QUICK is set."""
    return min(full, short) if quick() else full


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and PyTorch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    torch.manual_seed(seed)


def batches_by_length(
    lengths: Sequence,
    batch_size: int = 64,
    seed: int | tuple | None = 0,
    max_tokens: int | None = None,
    pool: int = 50,
) -> Iterator[list[int]]:
    """One pass over the items as lists of indices, similar lengths together, so that little is padding.

    lengths: one number per item, or one tuple per item (source length, target length). The items are
    shuffled, cut into pools of `pool` batches, sorted inside each pool and cut into batches, which come in
    random order. With max_tokens, a batch also has at most that many cells, padding included.
    seed: an int or ints; None for no shuffling, short to long (for evaluation).
    """
    rng = np.random.default_rng(seed)
    order = list(range(len(lengths))) if seed is None else rng.permutation(len(lengths)).tolist()
    pool_size = max(len(order), 1) if seed is None else pool * batch_size
    batches = []
    for start in range(0, len(order), pool_size):
        batch, longest = [], 0
        for index in sorted(order[start : start + pool_size], key=lambda i: lengths[i]):
            length = int(np.max(lengths[index]))
            full = len(batch) == batch_size
            if max_tokens is not None and max(longest, length) * (len(batch) + 1) > max_tokens:
                full = True
            if full and batch:
                batches.append(batch)
                batch, longest = [], 0
            batch.append(index)
            longest = max(longest, length)
        if batch:
            batches.append(batch)
    if seed is not None:
        rng.shuffle(batches)
    yield from batches


def endless(
    items: Sequence, collate: Callable, lengths: Sequence, batch_size: int = 64, seed: int = 0, **options
) -> Iterator:
    """Pass after pass of `collate([items of one batch])`, a new order in each pass. The arguments of
    `batches_by_length` go through."""
    epoch = 0
    while True:
        for batch in batches_by_length(lengths, batch_size, seed=(seed, epoch), **options):
            yield collate([items[i] for i in batch])
        epoch += 1


@dataclass
class History:
    """What a run leaves: each step's loss and gradient norm, `(step, value)` of each evaluation, the time."""

    losses: list[float] = field(default_factory=list)
    evaluations: list[tuple[int, float]] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    seconds: float = 0.0
    steps: int = 0

    def smoothed(self, width: int = 25) -> np.ndarray:
        """The running mean of the losses over up to `width` steps."""
        losses = np.asarray(self.losses, dtype=float)
        total = np.cumsum(np.concatenate([[0.0], losses]))
        stop = np.arange(1, len(losses) + 1)
        start = np.maximum(stop - width, 0)
        return (total[stop] - total[start]) / (stop - start)


def fit(
    model: torch.nn.Module,
    loss_fn: Callable,
    batches: Iterable,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    learning_rate: float | Callable[[int], float] = 1e-3,
    decay: float = 0.5,
    clip: Callable | float | None = 1.0,
    optimizer: torch.optim.Optimizer | None = None,
    evaluate: Callable | None = None,
    evaluate_every: int | None = None,
    title: str = "training",
    show: bool = True,
) -> History:
    """Train `model` until `steps` steps or `minutes` minutes are used, whichever comes first.

    loss_fn(model, batch) returns a scalar to minimize. learning_rate is a number, or a function of the step
    (from 1). Over the last part `decay` of the run it falls in a straight line to 0; decay=0 keeps it.
    clip: the largest global gradient norm, or a function `list of gradients -> (clipped gradients, norm)`,
    such as `lambda grads: clip_by_global_norm(grads, 1.0)`, or None. optimizer: Adam unless given.
    evaluate(model) returns a number to draw beside the loss; it is called in eval mode without gradients,
    every `evaluate_every` steps and at the end. The model comes back in eval mode.
    """
    if steps is None and minutes is None:
        raise ValueError("fit needs steps, minutes or both, was given neither")
    if quick():
        steps = min(steps or QUICK_STEPS, QUICK_STEPS)
        print(f"ATTN_QUICK is set: {steps} steps only, so the numbers and figures that follow mean nothing.")
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = optimizer or torch.optim.Adam(parameters)
    rate = learning_rate if callable(learning_rate) else lambda step: learning_rate
    history = History()
    model.train()
    started = time.perf_counter()
    spent = 0.0
    with _display(title, steps, minutes, show) as display:
        for step, batch in enumerate(batches, start=1):
            done = max((step - 1) / steps if steps else 0.0, spent / (60 * minutes) if minutes else 0.0)
            for group in optimizer.param_groups:
                group["lr"] = rate(step) * (min(1.0, (1 - done) / decay) if decay else 1.0)
            optimizer.zero_grad(set_to_none=True)
            loss = loss_fn(model, batch)
            loss.backward()
            if clip is not None:
                history.norms.append(float(_clip(parameters, clip)))
            optimizer.step()
            history.losses.append(loss.item())
            history.steps = step
            spent = time.perf_counter() - started
            last = step == steps or (minutes is not None and spent >= 60 * minutes)
            if evaluate is not None and (last or (evaluate_every and step % evaluate_every == 0)):
                history.evaluations.append((step, float(_evaluate(model, evaluate))))
            display(history, spent, last)
            if last:
                break
    history.seconds = time.perf_counter() - started
    model.eval()
    return history


def _clip(parameters, clip):
    parameters = [p for p in parameters if p.grad is not None]
    if not callable(clip):
        return torch.nn.utils.clip_grad_norm_(parameters, clip)
    clipped, norm = clip([p.grad for p in parameters])
    for parameter, gradient in zip(parameters, clipped, strict=True):
        parameter.grad = gradient
    return norm


def _evaluate(model, evaluate):
    model.eval()
    with torch.no_grad():
        value = evaluate(model)
    model.train()
    return value


def in_notebook() -> bool:
    """True in a Jupyter kernel."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return type(get_ipython()).__name__ == "ZMQInteractiveShell"


@contextmanager
def _display(title, steps, minutes, show):
    """A function (history, spent, last) that shows where a run stands."""
    if not show:
        yield lambda history, spent, last: None
    elif in_notebook():
        yield _notebook_display(title, steps, minutes)
    else:
        with tqdm(total=steps, desc=title, mininterval=1.0, file=sys.stdout, dynamic_ncols=True) as bar:

            def update(history, spent, last):
                bar.set_postfix(_postfix(history), refresh=False)
                bar.update()

            yield update


def _postfix(history):
    postfix = {"loss": f"{np.mean(history.losses[-25:]):.3f}"}
    if history.evaluations:
        postfix["held out"] = f"{history.evaluations[-1][1]:.3f}"
    return postfix


def _notebook_display(title, steps, minutes):
    """One line and one figure, both replaced in place, so that the saved notebook holds one of each."""
    import matplotlib.pyplot as plt
    from IPython.display import display

    line = display({"text/plain": title}, raw=True, display_id=True)
    figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
    plt.close(figure)
    picture = display(figure, display_id=True)
    drawn = {"line": 0.0, "figure": 0.0}

    def update(history, spent, last):
        if last or spent - drawn["line"] > REDRAW_SECONDS / 4:
            drawn["line"] = spent
            postfix = ", ".join(f"{name} {value}" for name, value in _postfix(history).items())
            meter = tqdm.format_meter(history.steps, steps, spent, ncols=100, prefix=title, postfix=postfix)
            line.update({"text/plain": meter}, raw=True)
        if last or spent - drawn["figure"] > REDRAW_SECONDS:
            drawn["figure"] = spent
            draw_curve(history, axes, title)
            picture.update(figure)

    return update


def draw_curve(history: History, axes, title: str = "training") -> None:
    """Draw a run's training loss, and its evaluations if there are any, into `axes`."""
    axes.clear()
    steps = np.arange(1, len(history.losses) + 1)
    every = max(1, len(steps) // 1000)
    axes.plot(steps[::every], np.asarray(history.losses)[::every], color="0.8", linewidth=0.8)
    axes.plot(steps[::every], history.smoothed()[::every], color="#31688e", label="training")
    if history.evaluations:
        axes.plot(*zip(*history.evaluations, strict=True), "o--", color="black", markersize=4, label="held out")
        axes.legend(loc="upper right")
    axes.set(title=f"{title}: loss", xlabel="step", ylabel="loss")
    if history.losses and min(history.losses) > 0:
        axes.set_yscale("log")
