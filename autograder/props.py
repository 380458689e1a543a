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
