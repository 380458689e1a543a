"""Callables that a case can hand to a student's function, each built from plain data.

They run beside the student's code and know no answers. `build(prop)` finds the builder by the prop's kind.
"""

import operator
from collections.abc import Callable

from autograder.wire import Prop

BUILDERS: dict[str, Callable] = {}


def builder(function: Callable) -> Callable:
    """Register a builder under its own name: keyword arguments are the prop's plain data."""
    BUILDERS[function.__name__] = function
    return function


def build(value):
    """`value` with every Prop in it, however nested, replaced by the callable that it stands for."""
    if isinstance(value, Prop):
        return BUILDERS[value.kind](**build(value.data))
    if isinstance(value, (list, tuple)):
        items = [build(item) for item in value]
        return value if all(map(operator.is_, items, value)) else type(value)(items)
    if isinstance(value, dict):
        items = {key: build(item) for key, item in value.items()}
        return value if all(items[key] is value[key] for key in value) else items
    return value


@builder
def source(text: str, name: str) -> Callable:
    """The function `name` that the source `text` defines, with `np` at hand."""
    import numpy as np

    namespace = {"np": np, "__name__": "implementation"}
    exec(compile(text, "<implementation>", "exec"), namespace)
    return namespace[name]


@builder
def elementwise(power: float, scale: float) -> Callable:
    """f(x) = scale * sum(|x| ** power)."""
    import numpy as np

    return lambda x: scale * np.sum(np.abs(x) ** power)


@builder
def markov_step(table) -> Callable:
    """A decoding step whose next token depends on the last one only: log P(next | token) is a row of `table` (V, V).

    step(tokens (N,), state (N, ...)) -> (log_probs (N, V), state), the state unchanged.
    """
    return lambda tokens, state: (table[tokens], state)


@builder
def table_step(table) -> Callable:
    """A decoding step that knows its row and its position, so that a state that is lost or mixed up shows.

    table (R, L, V, V): log P(next | row, position, last token). step(tokens (N,) int64, state) -> (log_probs (N, V),
    state). The state is one tensor (N, 2) of rows and positions, or a tuple, nested or not, whose first two tensors
    (N,) are these; more may follow. The positions come back one higher. Other tokens than (N,) int64: ValueError.
    """

    def step(tokens, state):
        leaves = list(_leaves(state))
        rows, positions = state.T if len(leaves) == 1 else leaves[:2]
        if tokens.shape != rows.shape or str(tokens.dtype) != "torch.int64":
            given = f"{tuple(tokens.shape)} {str(tokens.dtype).removeprefix('torch.')}"
            raise ValueError(f"step got tokens {given}, expected {tuple(rows.shape)} int64")
        place = positions.long().clamp(max=table.shape[1] - 1)
        return table[rows.long(), place, tokens], _advanced(state, leaves)

    return step


def _leaves(state):
    """The tensors in a nested tuple, in order."""
    if isinstance(state, (list, tuple)):
        for item in state:
            yield from _leaves(item)
    else:
        yield state


def _advanced(state, leaves):
    """A state whose positions are one higher."""
    if len(leaves) == 1:
        return state + state.new_tensor([0, 1])
    if isinstance(state, (list, tuple)):
        return tuple(_advanced(item, leaves) for item in state)
    return state + 1 if state is leaves[1] else state
