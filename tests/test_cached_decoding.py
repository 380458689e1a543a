"""The key-value cache of lesson 14: the numbers of the uncached decoder, for less work, and fit for beam search."""

from functools import partial

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from autograder.lessons import lesson

FOURTEEN = lesson("14_transformer")
BOS, EOS = 1, 2


@pytest.fixture(params=[True, False], ids=["pre-norm", "post-norm"])
def model(request):
    torch.manual_seed(1)
    return FOURTEEN.Transformer(20, 24, 16, 4, 32, 2, norm_first=request.param).eval().requires_grad_(False)


@pytest.fixture
def source():
    return torch.tensor([[5, 6, 7, 8, 2], [9, 10, 2, 0, 0], [4, 2, 0, 0, 0]])


def cached_start(model, source):
    mask = (source != 0)[:, None, None, :]
    return FOURTEEN.start_cache(model, model.encode(source, mask), mask)


def uncached_step(model, tokens, state):
    memory, mask, past = state
    past = torch.cat([past, tokens[:, None]], dim=1)
    causal = torch.ones(past.shape[1], past.shape[1], dtype=torch.bool).tril()
    return model.decode(past, memory, causal, mask)[:, -1].log_softmax(-1), (memory, mask, past)


def uncached_start(model, source):
    mask = (source != 0)[:, None, None, :]
    return model.encode(source, mask), mask, source.new_zeros(len(source), 0)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_cached_equals_uncached(model, source, dtype, tolerance):
    model = model.to(dtype)
    target = torch.randint(3, 24, (3, 40), generator=torch.Generator().manual_seed(2))
    target[:, 0] = BOS
    expected = model(source, target).log_softmax(-1)
    state = cached_start(model, source)
    for t, tokens in enumerate(target.unbind(1)):
        log_probs, state = FOURTEEN.cached_step(model, tokens, state)
        torch.testing.assert_close(log_probs, expected[:, t], atol=tolerance, rtol=tolerance)
        assert state[0].shape[3] == t + 1


def test_the_work_for_a_token_does_not_grow_with_a_recomputation(model, source):
    state, work = cached_start(model, source), []
    for _ in range(65):
        with FlopCounterMode(display=False) as counter:
            _, state = FOURTEEN.cached_step(model, torch.tensor([5, 5, 5]), state)
        work.append(counter.get_total_flops())
    layers, batch, d_model = 2, 3, 16
    reading_the_cache = layers * batch * 2 * 2 * 64 * d_model
    assert work[64] - work[0] <= reading_the_cache


def test_beam_search_runs_on_it_unchanged(model, source):
    beam_search = lesson("12_beam_search").beam_search
    options = {"bos_id": BOS, "eos_id": EOS, "beam_size": 4, "max_len": 8, "alpha": 0.6}
    for row in source:
        one = row[None]
        fast = beam_search(partial(FOURTEEN.cached_step, model), cached_start(model, one), **options)
        slow = beam_search(partial(uncached_step, model), uncached_start(model, one), **options)
        assert [tokens for tokens, _ in fast] == [tokens for tokens, _ in slow]
        torch.testing.assert_close(
            torch.tensor([score for _, score in fast]), torch.tensor([score for _, score in slow]), atol=1e-5, rtol=1e-5
        )


def test_greedy_decoding_runs_on_it_unchanged(model, source):
    greedy_decode = lesson("09_seq2seq").greedy_decode
    fast = greedy_decode(partial(FOURTEEN.cached_step, model), cached_start(model, source), BOS, EOS, 12)
    slow = greedy_decode(partial(uncached_step, model), uncached_start(model, source), BOS, EOS, 12)
    assert torch.equal(fast, slow)
