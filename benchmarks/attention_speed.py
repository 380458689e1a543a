"""Our MultiHeadAttention (lesson 13) against torch.nn.MultiheadAttention and scaled_dot_product_attention.

    python benchmarks/attention_speed.py --json attention_speed.json

Self-attention with the same parameters in each of four forms:
  ours              lesson 13: returns the weights of every head
  ours on sdpa      the same projections, the middle by torch.nn.functional.scaled_dot_product_attention: no weights
  nn, with weights  torch.nn.MultiheadAttention(need_weights=True, average_attn_weights=False)
  nn, no weights    torch.nn.MultiheadAttention(need_weights=False)
Times are the shortest of --repeats, taken in turns in one process, and given as ratios to ours, so that they can be
compared between machines. Memory is what PyTorch allocates at its highest point during forward and backward, beyond
what there was before, from the profiler's list of allocations. Forward alone runs without gradients.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.profiler import ProfilerActivity, profile

from autograder import lesson

MultiHeadAttention = lesson("13_transformer_blocks").MultiHeadAttention


def forms(d_model: int, n_heads: int, mask: torch.Tensor | None) -> dict:
    """Functions of x (B, T, d_model) that return the output alone, by name, all with the same parameters."""
    ours = MultiHeadAttention(d_model, n_heads)
    theirs = nn.MultiheadAttention(d_model, n_heads, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.w_q.weight, ours.w_k.weight, ours.w_v.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.w_q.bias, ours.w_k.bias, ours.w_v.bias]))
        theirs.out_proj.load_state_dict(ours.w_o.state_dict())
    hidden = None if mask is None else ~mask

    def on_sdpa(x):
        q, k, v = (w(x).unflatten(-1, (n_heads, -1)).transpose(1, 2) for w in (ours.w_q, ours.w_k, ours.w_v))
        context = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return ours.w_o(context.transpose(1, 2).flatten(2))

    def with_weights(x):
        return theirs(x, x, x, attn_mask=hidden, average_attn_weights=False)[0]

    return {
        "ours": lambda x: ours(x, x, x, mask)[0],
        "ours on sdpa": on_sdpa,
        "nn, with weights": with_weights,
        "nn, no weights": lambda x: theirs(x, x, x, attn_mask=hidden, need_weights=False)[0],
    }


def forward(form, x):
    with torch.no_grad():
        form(x)


def both(form, x):
    form(x.requires_grad_()).sum().backward()
    x.grad = None


def seconds(function, form, x) -> float:
    began = time.perf_counter()
    function(form, x)
    return time.perf_counter() - began


def peak_megabytes(form, x) -> float:
    """The most that is allocated at one time in forward and backward."""
    both(form, x)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        both(form, x)
    held = highest = 0
    for event in recorded.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            highest = max(highest, held)
    return highest / 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=int, nargs="+", default=[32, 128, 512, 1024])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--d-model", type=int, default=128)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--causal", action="store_true", help="with a causal mask")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    print(
        f"batch {options.batch}, d_model {options.d_model}, {options.heads} heads, causal mask: {options.causal}, ",
        end="",
    )
    print(f"{options.threads} thread(s), torch {torch.__version__}; times and memory as ratios to ours\n")
    print("| tokens | form | forward, ms | ratio | forward and backward, ms | ratio | peak memory, MB | ratio |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    rows = []
    for length in options.lengths:
        mask = torch.ones(length, length, dtype=torch.bool).tril() if options.causal else None
        named = forms(options.d_model, options.heads, mask)
        x = torch.randn(options.batch, length, options.d_model)
        reference = named["ours"](x)
        times = {name: ([], []) for name in named}
        for form in named.values():
            torch.testing.assert_close(form(x), reference, atol=1e-4, rtol=1e-4)
        for _ in range(options.repeats):
            for name, form in named.items():
                times[name][0].append(seconds(forward, form, x.detach()))
                times[name][1].append(seconds(both, form, x.detach()))
        base = None
        for name, form in named.items():
            found = [1000 * min(times[name][0]), 1000 * min(times[name][1]), peak_megabytes(form, x.detach())]
            base = base or found
            ratios = [value / first for value, first in zip(found, base)]
            rows.append({"tokens": length, "form": name, "forward_ms": found[0], "both_ms": found[1]})
            rows[-1] |= {"megabytes": found[2], "ratios": [round(ratio, 3) for ratio in ratios]}
            cells = " | ".join(f"{value:.2f} | {ratio:.2f}" for value, ratio in zip(found, ratios))
            print(f"| {length} | {name} | {cells} |", flush=True)
    if options.json:
        about = {key: value for key, value in vars(options).items() if key != "json"}
        about |= {"torch": torch.__version__, "machine": platform.machine()}
        options.json.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
