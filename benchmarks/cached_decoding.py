"""Time for one more token, with the key-value cache of lesson 14 and without it, by the number of tokens so far.

    python benchmarks/cached_decoding.py --figure cached_decoding.png --json cached_decoding.json

Uses the lesson's own Transformer with random weights: time does not depend on what the weights say. Cached and
uncached steps are timed in turns, so that other work on the machine falls on both; each number is the shortest of
--repeats. Prints a table with the difference of the two log-probabilities, which must be rounding only.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import torch

from autograder import lesson

FOURTEEN = lesson("14_transformer")


def seconds(function) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


@torch.no_grad()
def measure(model, length: int, source_length: int, repeats: int) -> dict:
    """Milliseconds of the step after `length` tokens, uncached and cached, and by how much the results differ."""
    generator = torch.Generator().manual_seed(length)
    vocab_size = model.tgt_embedding.num_embeddings
    source = torch.randint(3, vocab_size, (1, source_length), generator=generator)
    past = torch.randint(3, vocab_size, (1, length + 1), generator=generator)
    memory = model.encode(source)
    causal = torch.ones(length + 1, length + 1, dtype=torch.bool).tril()
    state = FOURTEEN.start_cache(model, memory)
    for tokens in past.unbind(1)[:-1]:
        _, state = FOURTEEN.cached_step(model, tokens, state)

    def uncached():
        return torch.log_softmax(model.decode(past, memory, causal)[:, -1], -1)

    def cached():
        return FOURTEEN.cached_step(model, past[:, -1], state)[0]

    difference = float((uncached() - cached()).abs().max())
    times = [(seconds(uncached), seconds(cached)) for _ in range(repeats)]
    slow, fast = (1000 * min(column) for column in zip(*times))
    cache = 1e-6 * sum(part.numel() * part.element_size() for part in state[:2])
    return {
        "tokens": length,
        "uncached_ms": round(slow, 3),
        "cached_ms": round(fast, 3),
        "ratio": round(slow / fast, 2),
        "difference": difference,
        "cache_megabytes": round(cache, 3),
    }


def draw(rows, path: Path):
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    lengths = [row["tokens"] for row in rows]
    figure, axes = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
    axes.plot(lengths, [row["uncached_ms"] for row in rows], "o-", color="#440154", label="uncached")
    axes.plot(lengths, [row["cached_ms"] for row in rows], "s--", color="#21918c", label="cached")
    axes.set(xscale="log", yscale="log", xlabel="tokens so far", ylabel="milliseconds", title="Time for one more token")
    axes.set_xticks(lengths, lengths)
    axes.minorticks_off()
    axes.legend()
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=int, nargs="+", default=[16, 32, 64, 128, 256, 512])
    parser.add_argument("--source", type=int, default=20, help="tokens of the source sentence")
    parser.add_argument("--d-model", type=int, default=128)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--d-ff", type=int, default=256)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--vocab", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    sizes = (options.vocab, options.vocab, options.d_model, options.heads, options.d_ff, options.layers)
    model = FOURTEEN.Transformer(*sizes).eval()
    about = {
        "threads": options.threads,
        "sizes": dict(zip(("source", "target", "d_model", "heads", "d_ff", "layers"), sizes)),
        "torch": torch.__version__,
        "machine": platform.machine(),
    }
    print(f"{about}\n\n| tokens so far | uncached, ms | cached, ms | ratio | largest difference | cache, MB |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    rows = []
    for length in options.lengths:
        row = measure(model, length, options.source, options.repeats)
        rows.append(row)
        print(
            f"| {length} | {row['uncached_ms']:.2f} | {row['cached_ms']:.2f} | {row['ratio']:.1f} | "
            f"{row['difference']:.1e} | {row['cache_megabytes']:.2f} |",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n")
    if options.figure:
        draw(rows, options.figure)


if __name__ == "__main__":
    main()
