"""The experiments of lesson 14: Transformers and the Bahdanau model on the same sentences, with the same budget.

    python benchmarks/transformer_experiments.py --minutes 2 --seeds 0 1 2

Each run trains from scratch on one thread until it has used its minutes of processor time (not of the clock, so that
other work on the machine costs nothing), translates the held-out sentences greedily, and is stored at once in --out.
Runs that are stored already are not repeated; with another budget, give another --out. The lesson draws the file.
"""

import argparse
import json
import math
import time
from functools import partial
from pathlib import Path

import torch
from course_datasets import load

from autograder.lessons import lesson
from autograder.training import batches_by_length, endless, fit, seed_everything

PAD, BOS, EOS = 0, 1, 2
OUT = Path(__file__).parent.parent / "datasets" / "results" / "transformer.json"
D_MODEL, HEADS, D_FF, LAYERS, WARMUP, SMOOTHING = 128, 4, 256, 2, 300, 0.1
EMBED, HIDDEN, ATTENTION = 96, 192, 128
TRANSFORMER = {"norm_first": True, "positions": True, "warmup": True, "smoothing": SMOOTHING}
RUNS = {
    "Bahdanau (bidirectional GRU)": None,
    "Transformer": TRANSFORMER,
    "Transformer, no positions": {**TRANSFORMER, "positions": False},
    "Transformer, no warm-up": {**TRANSFORMER, "warmup": False},
    "Transformer, no label smoothing": {**TRANSFORMER, "smoothing": 0.0},
    "Transformer, post-norm": {**TRANSFORMER, "norm_first": False},
    "Transformer, post-norm, no warm-up": {**TRANSFORMER, "norm_first": False, "warmup": False},
}


class Data:
    """Sentences as ids: the same for every run."""

    def __init__(self, size: int):
        self.words = lesson("08_sequences")
        data = load("sentences", size=size, valid_size=500, test_size=500, seed=0)
        pairs = data.tokens("train")
        self.test = data.tokens("test")
        self.source_vocab = self.words.build_vocab([source for source, _ in pairs])
        self.target_vocab = self.words.build_vocab([target for _, target in pairs])
        encode = self.words.encode
        self.train = [(encode(s, self.source_vocab), encode(t, self.target_vocab, bos=True)) for s, t in pairs]

    def collate(self, items):
        """(source, source lengths, decoder input, decoder target)"""
        source, lengths = self.words.pad_batch([s for s, _ in items])
        target, _ = self.words.pad_batch([t for _, t in items])
        return (source, lengths, *self.words.teacher_forcing(target))

    def batches(self, seed: int):
        sizes = [(len(s), len(t)) for s, t in self.train]
        return endless(self.train, self.collate, sizes, batch_size=64, seed=seed)


class Bahdanau(torch.nn.Module):
    """The model of lesson 10: encoder, attention, decoder, with dropout on the annotations as the only regularizer."""

    def __init__(self, source_size: int, target_size: int):
        super().__init__()
        self.encoder = lesson("09_seq2seq").Encoder(source_size, EMBED, HIDDEN)
        self.decoder = lesson("10_bahdanau").BahdanauDecoder(target_size, EMBED, HIDDEN, 2 * HIDDEN, ATTENTION)

    def forward(self, source, lengths, decoder_input):
        annotations, state = self.encoder(source, lengths)
        return self.decoder(decoder_input, state, annotations, source != PAD)[0]

    def start(self, source, lengths):
        annotations, state = self.encoder(source, lengths)
        return state, annotations, source != PAD

    def step(self, tokens, state):
        hidden, annotations, mask = state
        logits, hidden, _ = self.decoder.step(tokens, hidden, annotations, mask)
        return logits.log_softmax(-1), (hidden, annotations, mask)


class CachedTransformer:
    """Decodes a Transformer with the cache of lesson 14."""

    def __init__(self, model):
        self.model, self.lesson = model, lesson("14_transformer")

    def start(self, source, lengths):
        mask = (source != PAD)[:, None, None, :]
        return self.lesson.start_cache(self.model, self.model.encode(source, mask), mask)

    def step(self, tokens, state):
        return self.lesson.cached_step(self.model, tokens, state)


class WithoutPositions(CachedTransformer):
    """The cache of the lesson adds positions; a model without them decodes by running the decoder again."""

    def start(self, source, lengths):
        mask = (source != PAD)[:, None, None, :]
        return self.model.encode(source, mask), mask, source.new_zeros(len(source), 0)

    def step(self, tokens, state):
        memory, mask, past = state
        past = torch.cat([past, tokens[:, None]], dim=1)
        causal = torch.ones(past.shape[1], past.shape[1], dtype=torch.bool).tril()
        logits = self.model.decode(past, memory, causal, mask)[:, -1]
        return logits.log_softmax(-1), (memory, mask, past)


def build(settings: dict | None, data: Data):
    """(model, loss function, learning rate by step, optimizer, decoder) of a run."""
    source_size, target_size = len(data.source_vocab), len(data.target_vocab)
    if settings is None:
        model = Bahdanau(source_size, target_size)
        loss = lesson("09_seq2seq").sequence_loss
        rate, optimizer, decoder = (lambda step: 2e-3), torch.optim.Adam(model.parameters()), model
    else:
        fourteen = lesson("14_transformer")
        options = {key: settings[key] for key in ("norm_first", "positions")}
        model = fourteen.Transformer(source_size, target_size, D_MODEL, HEADS, D_FF, LAYERS, dropout=0.1, **options)
        loss = partial(fourteen.label_smoothed_loss, smoothing=settings["smoothing"])
        peak = fourteen.noam_rate(WARMUP, D_MODEL, WARMUP)
        rate = (lambda step: fourteen.noam_rate(step, D_MODEL, WARMUP)) if settings["warmup"] else lambda step: peak
        optimizer = torch.optim.Adam(model.parameters(), betas=(0.9, 0.98), eps=1e-9)
        decoder = CachedTransformer(model) if settings["positions"] else WithoutPositions(model)

    def loss_fn(model, batch):
        source, lengths, decoder_input, decoder_target = batch
        inputs = (source, lengths, decoder_input) if settings is None else (source, decoder_input)
        return loss(model(*inputs), decoder_target)

    return model, loss_fn, rate, optimizer, decoder


@torch.no_grad()
def translate(decoder, data: Data) -> list[list[str]]:
    """Greedy translations of the held-out sources."""
    results: list = [None] * len(data.test)
    for batch in batches_by_length([len(s) for s, _ in data.test], 100, seed=None):
        sources = [data.words.encode(data.test[i][0], data.source_vocab) for i in batch]
        state = decoder.start(*data.words.pad_batch(sources))
        ids = lesson("09_seq2seq").greedy_decode(decoder.step, state, BOS, EOS, 60)
        for i, row in zip(batch, ids):
            results[i] = data.words.decode(row, data.target_vocab)
    return results


def run(name: str, seed: int, minutes: float, data: Data) -> dict:
    """Train and judge one model."""
    seed_everything(seed)
    model, loss_fn, rate, optimizer, decoder = build(RUNS[name], data)
    began, clock = time.process_time(), time.perf_counter()

    def used() -> float:
        return (time.process_time() - began) / (60 * minutes)

    def until_used():
        for batch in data.batches(seed):
            if used() >= 1:
                return
            yield batch

    history = fit(
        model,
        loss_fn,
        until_used(),
        steps=10**9,
        learning_rate=lambda step: rate(step) * min(1.0, max(0.0, 2 * (1 - used()))),
        decay=0,
        optimizer=optimizer,
        title=f"{name}, seed {seed}",
        show=False,
    )
    seconds = time.process_time() - began
    model.eval()
    hypotheses = translate(decoder, data)
    references = [[target] for _, target in data.test]
    score = lesson("12_beam_search").bleu(hypotheses, references)
    exact = sum(h == r for h, (r,) in zip(hypotheses, references)) / len(references)
    return {
        "name": name,
        "seed": seed,
        "bleu": round(float(score), 2),
        "exact": round(exact, 4),
        "steps": history.steps,
        "seconds": round(seconds, 1),
        "clock": round(time.perf_counter() - clock, 1),
        "loss": round(float(history.smoothed(100)[-1]), 4) if history.losses else math.nan,
        "parameters": sum(p.numel() for p in model.parameters()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.0, help="processor minutes of one thread for each run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--size", type=int, default=20_000, help="training pairs")
    parser.add_argument("--only", default="", help="only the models whose names contain this")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = Data(options.size)
    stored = json.loads(options.out.read_text()) if options.out.exists() else {"runs": []}
    stored["budget"] = (
        f"{options.minutes:g} minutes of one processor core for each run, {options.size} training pairs, "
        f"{len(data.test)} held-out sentences, greedy decoding"
    )
    done = {(row["name"], row["seed"]) for row in stored["runs"]}
    for seed in options.seeds:
        for name in RUNS:
            if options.only in name and (name, seed) not in done:
                row = run(name, seed, options.minutes, data)
                print(json.dumps(row), flush=True)
                stored["runs"].append(row)
                stored["runs"].sort(key=lambda row: (list(RUNS).index(row["name"]), row["seed"]))
                options.out.parent.mkdir(parents=True, exist_ok=True)
                options.out.write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    main()
