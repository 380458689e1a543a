"""The experiments of lesson 14: what each part of a Transformer is worth, against the model of lesson 10.

    python benchmarks/transformer_experiments.py --jobs 2

Every model is trained from scratch on the sentences, vocabularies, batches and number of steps of
`attention_against_length.py`, for each seed, and translates the same held-out sentences greedily. The BLEU of the
Bahdanau model is taken from that script's stored results. Its time is measured here, in turns with the Transformer's:
processor time of one thread, so that other work on the machine falls on both. Runs are kept in --cache as they finish
and are not repeated. Writes `datasets/trained/transformer.json`.
"""

import argparse
import json
import multiprocessing
import time
from functools import partial
from itertools import islice
from pathlib import Path

import torch
from attention_against_length import BATCH, DATA, MIN_COUNT, Texts, Translator, bleu, translate_all
from course_datasets.weights import load_results, save_results

from autograder import lesson
from autograder.training import fit, seed_everything

PAD, BOS, EOS = 0, 1, 2
D_MODEL, HEADS, D_FF, LAYERS, DROPOUT, WARMUP, SMOOTHING = 128, 4, 256, 2, 0.1, 300, 0.1
FULL = {"norm_first": True, "positions": True, "warmup": True, "smoothing": SMOOTHING}
MODELS = {
    "Transformer": FULL,
    "no positions": {**FULL, "positions": False},
    "no warm-up": {**FULL, "warmup": False},
    "no label smoothing": {**FULL, "smoothing": 0.0},
    "post-norm": {**FULL, "norm_first": False},
    "post-norm, no warm-up": {**FULL, "norm_first": False, "warmup": False},
}


def build(settings, texts):
    """(model, loss function of a batch, learning rate by step, optimizer)"""
    fourteen = lesson("14_transformer")
    options = {key: settings[key] for key in ("norm_first", "positions")}
    sizes = (len(texts.source_vocab), len(texts.target_vocab), D_MODEL, HEADS, D_FF, LAYERS, DROPOUT)
    model = fourteen.Transformer(*sizes, **options)

    def loss(model, batch):
        source, _, decoder_input, decoder_target = batch
        return fourteen.label_smoothed_loss(model(source, decoder_input), decoder_target, settings["smoothing"])

    def rate(step):
        return fourteen.noam_rate(step if settings["warmup"] else max(step, WARMUP), D_MODEL, WARMUP)

    return model, loss, rate, torch.optim.Adam(model.parameters(), betas=(0.9, 0.98), eps=1e-9)


def start(model, source):
    mask = (source != PAD)[:, None, None, :]
    memory = model.encode(source, mask)
    if model.positions:
        return lesson("14_transformer").start_cache(model, memory, mask)
    return memory, mask, source.new_zeros(len(source), 0)


def step(model, tokens, state):
    """With the cache; the lesson's cache adds positions, so a model without them runs its decoder again."""
    if model.positions:
        return lesson("14_transformer").cached_step(model, tokens, state)
    memory, mask, past = state
    past = torch.cat([past, tokens[:, None]], dim=1)
    causal = torch.ones(past.shape[1], past.shape[1], dtype=torch.bool).tril()
    return model.decode(past, memory, causal, mask)[:, -1].log_softmax(-1), (memory, mask, past)


@torch.no_grad()
def translate(model, source, lengths):
    """Ids of the translations, by greedy decoding."""
    return lesson("09_seq2seq").greedy_decode(partial(step, model), start(model, source), BOS, EOS, 60)


def run(job):
    """One training and its measurement."""
    name, seed, steps, cache = job
    path = cache / f"{name.replace(' ', '_')}-{seed}-{steps}.json"
    if path.exists():
        return json.loads(path.read_text())
    torch.set_num_threads(1)
    texts = Texts()
    seed_everything(seed)
    model, loss, rate, optimizer = build(MODELS[name], texts)
    began = time.process_time()
    history = fit(model, loss, texts.batches(seed), steps=steps, learning_rate=rate, optimizer=optimizer, show=False)
    seconds = time.process_time() - began
    answers = translate_all(partial(translate, model), texts)
    result = {
        "model": name,
        "seed": seed,
        "steps": steps,
        "bleu": round(bleu(answers, [target for _, target in texts.test]), 2),
        "loss": round(float(history.smoothed()[-1]), 4),
        "losses": [round(float(value), 3) for value in history.smoothed(50)[49::50]],
        "processor_seconds": round(seconds, 1),
    }
    print({key: value for key, value in result.items() if key != "losses"}, flush=True)
    path.write_text(json.dumps(result))
    return result


def timing(texts, batches=30):
    """Processor milliseconds of one training step and of one decoded sentence, in turns, and numbers of parameters."""
    torch.set_num_threads(1)
    seed_everything(0)
    transformer, loss, _, optimizer = build(FULL, texts)
    recurrent = Translator(len(texts.source_vocab), len(texts.target_vocab), True)
    plain = lesson("09_seq2seq").sequence_loss
    models = {
        "Bahdanau": (
            recurrent,
            lambda model, batch: plain(model(*batch[:3]), batch[3]),
            torch.optim.Adam(recurrent.parameters()),
        ),
        "Transformer": (transformer, loss, optimizer),
    }
    used = {name: [] for name in models}
    for batch in islice(texts.batches(0), batches):
        for name, (model, loss_fn, each) in models.items():
            began = time.process_time()
            each.zero_grad()
            loss_fn(model, batch).backward()
            each.step()
            used[name].append(time.process_time() - began)
    return {
        name: {
            "parameters": sum(p.numel() for p in model.parameters()),
            "milliseconds_per_step": round(1000 * sum(used[name]) / batches, 1),
        }
        for name, (model, *_) in models.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at the same time, one thread each")
    parser.add_argument("--cache", type=Path, default=Path("/tmp/transformer_experiments"))
    args = parser.parse_args()
    args.cache.mkdir(parents=True, exist_ok=True)
    jobs = [(name, seed, args.steps, args.cache) for seed in args.seeds for name in MODELS]
    with multiprocessing.get_context("spawn").Pool(args.jobs) as pool:
        runs = pool.map(run, jobs, chunksize=1)
    texts = Texts()
    theirs = load_results("attention_against_length")
    if theirs["steps"] == args.steps and theirs["data"]["checksum"] == texts.checksum:
        runs += [
            {"model": "Bahdanau", **{key: each[key] for key in ("seed", "steps", "bleu")}}
            for each in theirs["runs"]
            if each["model"] == "with attention"
        ]
    order = ["Bahdanau", *MODELS]
    path = save_results(
        "transformer",
        {
            "data": {"name": "sentences", **DATA, "checksum": texts.checksum},
            "min_count": MIN_COUNT,
            "steps": args.steps,
            "batch_size": BATCH,
            "test_sentences": len(texts.test),
            "sizes": {"d_model": D_MODEL, "heads": HEADS, "d_ff": D_FF, "layers": LAYERS, "dropout": DROPOUT},
            "warmup": WARMUP,
            "smoothing": SMOOTHING,
            "timing": timing(texts),
            "runs": sorted(runs, key=lambda each: (order.index(each["model"]), each["seed"])),
        },
    )
    print(path)


if __name__ == "__main__":
    main()
