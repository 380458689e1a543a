"""With weights copied across, the blocks of lesson 13 and the oracles of its checks equal PyTorch's own layers."""

import pytest
import torch
from torch import nn

from autograder.exercises import transformer_blocks as exercises
from autograder.lessons import lesson

BLOCKS = lesson("13_transformer_blocks")
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-11}
B, T, S, D, H, FF = 3, 5, 4, 12, 3, 20

both_dtypes = pytest.mark.parametrize("dtype", list(TOLERANCE), ids=["float32", "float64"])
both_norms = pytest.mark.parametrize("norm_first", [False, True], ids=["post-norm", "pre-norm"])
SOLUTION = {"EncoderBlock": BLOCKS.EncoderBlock, "DecoderBlock": BLOCKS.DecoderBlock}
SOLUTION |= {"LayerNorm": BLOCKS.LayerNorm, "MultiHeadAttention": BLOCKS.MultiHeadAttention}
SOLUTION |= {"PositionwiseFeedForward": BLOCKS.PositionwiseFeedForward}
ORACLE = {
    "LayerNorm": exercises.layer_norm.oracle,
    "MultiHeadAttention": exercises.attention.oracle,
    "PositionwiseFeedForward": exercises.feed_forward.oracle,
    "EncoderBlock": exercises.encoder_block.oracle,
    "DecoderBlock": exercises.decoder_block.oracle,
}
ours = pytest.mark.parametrize("ours", [SOLUTION, ORACLE], ids=["solution", "oracle"])


def randomize(module, dtype):
    """New values for every parameter, biases and norms too."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
    return module.to(dtype)


def attention_pairs(mine, theirs):
    """(stacked parameters of ours, parameter of theirs)."""
    return [
        ([mine.w_q.weight, mine.w_k.weight, mine.w_v.weight], theirs.in_proj_weight),
        ([mine.w_q.bias, mine.w_k.bias, mine.w_v.bias], theirs.in_proj_bias),
        ([mine.w_o.weight], theirs.out_proj.weight),
        ([mine.w_o.bias], theirs.out_proj.bias),
    ]


def same_names(mine, theirs):
    return [([parameter], dict(theirs.named_parameters())[name]) for name, parameter in mine.named_parameters()]


def block_pairs(mine, theirs):
    pairs = attention_pairs(mine.self_attention, theirs.self_attn)
    if hasattr(mine, "cross_attention"):
        pairs += attention_pairs(mine.cross_attention, theirs.multihead_attn) + same_names(mine.norm3, theirs.norm3)
    for name in ("norm1", "norm2"):
        pairs += same_names(getattr(mine, name), getattr(theirs, name))
    for name in ("linear1", "linear2"):
        pairs += same_names(getattr(mine.feed_forward, name), getattr(theirs, name))
    return pairs


def copy_across(pairs):
    with torch.no_grad():
        for parts, parameter in pairs:
            parameter.copy_(torch.cat(list(parts)))


def assert_same(mine, theirs, pairs, mine_inputs, their_inputs, dtype, read=None):
    """Outputs, and gradients for inputs and parameters, agree; `read` says which outputs are looked at."""
    close = {"atol": TOLERANCE[dtype], "rtol": TOLERANCE[dtype]}
    read = torch.ones(mine.shape[:-1], dtype=torch.bool) if read is None else read
    torch.testing.assert_close(mine[read], theirs[read], **close)
    weight = torch.cos(torch.arange(mine.numel(), dtype=dtype)).view(mine.shape) * read[..., None]
    torch.autograd.backward((mine * weight).sum())
    torch.autograd.backward((theirs * weight).sum())
    for a, b in zip(mine_inputs, their_inputs, strict=True):
        torch.testing.assert_close(a.grad, b.grad, atol=10 * close["atol"], rtol=10 * close["rtol"])
    for parts, parameter in pairs:
        torch.testing.assert_close(
            torch.cat([part.grad for part in parts]), parameter.grad, atol=10 * close["atol"], rtol=10 * close["rtol"]
        )


def inputs(dtype, *lengths):
    generator = torch.Generator().manual_seed(2)
    drawn = [torch.randn(B, length, D, generator=generator).to(dtype) for length in lengths]
    return [x.clone().requires_grad_() for x in drawn], [x.clone().requires_grad_() for x in drawn]


def padding(length):
    return torch.arange(length) < torch.tensor([length, length - 2, 1])[:, None]


def causal(length):
    return torch.ones(length, length, dtype=torch.bool).tril()


@ours
@both_dtypes
@pytest.mark.parametrize("eps", [1e-5, 0.1])
def test_layer_norm(ours, dtype, eps):
    mine, theirs = randomize(ours["LayerNorm"](D, eps=eps), dtype), nn.LayerNorm(D, eps=eps, dtype=dtype)
    pairs = same_names(mine, theirs)
    copy_across(pairs)
    (x,), (y,) = inputs(dtype, T)
    assert_same(mine(x), theirs(y), pairs, [x], [y], dtype)


@ours
@both_dtypes
@pytest.mark.parametrize("masked", ["nothing", "padding", "causal", "causal and padding"])
def test_attention(ours, dtype, masked):
    mine = randomize(ours["MultiHeadAttention"](D, H), dtype)
    theirs = nn.MultiheadAttention(D, H, batch_first=True, dtype=dtype)
    pairs = attention_pairs(mine, theirs)
    copy_across(pairs)
    length = T if "causal" in masked else S
    (q, k, v), (q2, k2, v2) = inputs(dtype, T, length, length)
    mask, options = None, {}
    if "padding" in masked:
        mask = padding(length)[:, None, None, :]
        options["key_padding_mask"] = ~padding(length)
    if "causal" in masked:
        mask = causal(T) if mask is None else causal(T) & mask
        options["attn_mask"] = ~causal(T)
    output, weights = mine(q, k, v, mask)
    expected, expected_weights = theirs(q2, k2, v2, average_attn_weights=False, **options)
    torch.testing.assert_close(weights, expected_weights, atol=TOLERANCE[dtype], rtol=TOLERANCE[dtype])
    assert_same(output, expected, pairs, [q, k, v], [q2, k2, v2], dtype)


@ours
@both_dtypes
def test_attention_equals_the_fused_function_on_empty_rows(ours, dtype):
    mine = randomize(ours["MultiHeadAttention"](D, H), dtype)
    (q, k), _ = inputs(dtype, T, S)
    mask = padding(S)[:, None, None, :].clone()
    mask[2] = False
    output, weights = mine(q, k, k, mask)
    heads = [
        linear(x).unflatten(-1, (H, -1)).transpose(1, 2) for linear, x in ((mine.w_q, q), (mine.w_k, k), (mine.w_v, k))
    ]
    context = nn.functional.scaled_dot_product_attention(*heads, attn_mask=mask)
    torch.testing.assert_close(output, mine.w_o(context.transpose(1, 2).flatten(2)))
    assert not weights[2].any()
    output.sum().backward()
    assert torch.isfinite(q.grad).all()
    assert not q.grad[2].any()


@ours
@both_dtypes
@both_norms
@pytest.mark.parametrize("masked", ["nothing", "padding", "causal", "causal and padding"])
def test_encoder_block(ours, dtype, norm_first, masked):
    mine = randomize(ours["EncoderBlock"](D, H, FF, norm_first=norm_first), dtype)
    theirs = nn.TransformerEncoderLayer(D, H, FF, dropout=0.0, batch_first=True, norm_first=norm_first, dtype=dtype)
    pairs = block_pairs(mine, theirs)
    copy_across(pairs)
    (x,), (y,) = inputs(dtype, T)
    mask, options, read = None, {}, None
    if "padding" in masked:
        read = padding(T)
        mask = read[:, None, None, :]
        options["src_key_padding_mask"] = ~read
    if "causal" in masked:
        mask = causal(T) if mask is None else causal(T) & mask
        options["src_mask"] = ~causal(T)
    assert_same(mine(x, mask), theirs(y, **options), pairs, [x], [y], dtype, read)


@ours
@both_dtypes
@both_norms
@pytest.mark.parametrize("self_masked", [False, True], ids=["no self mask", "causal"])
@pytest.mark.parametrize("memory_masked", [False, True], ids=["no memory mask", "padding"])
def test_decoder_block(ours, dtype, norm_first, self_masked, memory_masked):
    mine = randomize(ours["DecoderBlock"](D, H, FF, norm_first=norm_first), dtype)
    theirs = nn.TransformerDecoderLayer(D, H, FF, dropout=0.0, batch_first=True, norm_first=norm_first, dtype=dtype)
    pairs = block_pairs(mine, theirs)
    copy_across(pairs)
    (x, memory), (y, memory2) = inputs(dtype, T, S)
    output = mine(
        x,
        memory,
        causal(T) if self_masked else None,
        padding(S)[:, None, None, :] if memory_masked else None,
    )
    expected = theirs(
        y,
        memory2,
        tgt_mask=~causal(T) if self_masked else None,
        memory_key_padding_mask=~padding(S) if memory_masked else None,
    )
    assert_same(output, expected, pairs, [x, memory], [y, memory2], dtype)
