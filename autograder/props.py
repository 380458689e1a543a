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


@builder
def history_step(table) -> Callable:
    """A decoding step whose answer depends on all that its hypothesis has read, kept in each tensor of the state.

    table (R, V, V): log P(next | row, last token). Each tensor of the state, whatever its shape after the first axis,
    takes in the token that is read; the row is the sum of their last entries, modulo R. So a state, or a part of it,
    that does not follow its hypothesis shows. step(tokens (N,) int64, state) -> (log_probs (N, V), state), the state
    a tensor or a (nested) tuple of tensors whose first axis is N. Other tokens, or an axis that is not N: ValueError.
    """

    def step(tokens, state):
        leaves = list(_leaves(state))
        if tokens.dim() != 1 or str(tokens.dtype) != "torch.int64":
            given = f"{tuple(tokens.shape)} {str(tokens.dtype).removeprefix('torch.')}"
            raise ValueError(f"step got tokens {given}, expected (N,) int64")
        sizes = [tuple(leaf.shape) for leaf in leaves if leaf.dim() == 0 or leaf.shape[0] != len(tokens)]
        if sizes:
            raise ValueError(f"step got {len(tokens)} tokens and a state of shape {sizes[0]}; their first axes differ")
        rows = sum(leaf.reshape(len(tokens), -1)[:, -1].long() for leaf in leaves) % len(table)
        return table[rows, tokens], _reading(state, tokens, len(table), iter(range(2, 2 + len(leaves))))

    return step


def _reading(state, tokens, rows, factors):
    """The state after these tokens: each tensor takes them in with a factor of its own."""
    if isinstance(state, (list, tuple)):
        return tuple(_reading(item, tokens, rows, factors) for item in state)
    read = tokens.reshape(-1, *[1] * (state.dim() - 1)).to(state.dtype)
    return (state * next(factors) + read + 1) % rows


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


@builder
def transformer_decoder(parameters: dict, n_heads: int, norm_first: bool):
    """What a Transformer has for decoding, without its decode method, in eval mode and with these parameters.

    `tgt_embedding`, `decoder` (the blocks of lesson 13) and `decoder_norm`; sizes are those of the parameters.
    """
    import torch
    from torch import nn

    from autograder import lesson

    blocks = lesson("13_transformer_blocks")
    vocab_size, d_model = parameters["tgt_embedding.weight"].shape
    d_ff = parameters["decoder.0.feed_forward.linear1.weight"].shape[0]
    n_layers = len({name.split(".")[1] for name in parameters if name.startswith("decoder.")})
    parts = nn.Module()
    parts.tgt_embedding = nn.Embedding(vocab_size, d_model)
    parts.decoder = nn.ModuleList(
        blocks.DecoderBlock(d_model, n_heads, d_ff, norm_first=norm_first) for _ in range(n_layers)
    )
    parts.decoder_norm = blocks.LayerNorm(d_model) if norm_first else nn.Identity()
    parts.to(parameters["tgt_embedding.weight"].dtype).load_state_dict(parameters)
    torch.manual_seed(0)
    return parts.requires_grad_(False).eval()
