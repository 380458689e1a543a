"""Quality against sentence length, with and without attention: the experiment of lesson 10.

    python benchmarks/attention_against_length.py                  seven trainings, one after the other
    python benchmarks/attention_against_length.py --jobs 7 --device cuda

Trains the model of lesson 09 and that of lesson 10 on the same sentences, with the same sizes, batches, number of steps
and learning rates, for each seed, and translates the held-out sentences greedily. Writes
`datasets/trained/attention_against_length.json`, which lesson 10 draws. Trains the model with attention once more, for
longer, and writes its weights as `datasets/trained/bahdanau_en_fr.npz`, which later lessons load. Runs are kept in
--cache as they finish and are not repeated. The decoders are the lessons'; in training, what does not depend on the
state is computed for all steps at once, which changes the time and not the numbers.
"""

import argparse
import json
import multiprocessing
import time
from pathlib import Path

import numpy as np
import sacrebleu
import torch
from course_datasets import load
from course_datasets.weights import load_weights, save_results, save_weights
from torch import nn
from torch.nn import functional as F

from autograder import lesson
from autograder.training import batches_by_length, endless, fit, seed_everything

EMBED, HIDDEN, BATCH, RATE, MIN_COUNT = 96, 128, 64, 0.003, 3
DATA = {"size": 20_000, "test_size": 2_000, "seed": 0}
BINS = [(1, 7), (7, 10), (10, 13), (13, 16), (16, 20), (20, 25), (25, 99)]
MODELS = ("without attention", "with attention")


class Texts:
    """The sentences, the vocabularies, and batches of both."""

    def __init__(self):
        self.lesson = lesson("08_sequences")
        data = load("sentences", **DATA)
        tokenize = self.lesson.tokenize
        self.checksum = data.checksum()
        self.train, self.test = (
            [(tokenize(source), tokenize(target)) for source, target in part] for part in (data.train, data.test)
        )
        self.source_vocab = self.lesson.build_vocab([source for source, _ in self.train], min_count=MIN_COUNT)
        self.target_vocab = self.lesson.build_vocab([target for _, target in self.train], min_count=MIN_COUNT)

    def batches(self, seed):
        encode = self.lesson.encode
        ids = [(encode(s, self.source_vocab), encode(t, self.target_vocab, bos=True)) for s, t in self.train]
        sizes = [(len(target), len(source)) for source, target in ids]
        return endless(ids, self.collate, sizes, batch_size=BATCH, seed=seed)

    def collate(self, pairs):
        source, lengths = self.lesson.pad_batch([source for source, _ in pairs])
        target, _ = self.lesson.pad_batch([target for _, target in pairs])
        return source, lengths, *self.lesson.teacher_forcing(target)


class BlindDecoder(lesson("09_seq2seq").Decoder):
    """Lesson 09's; the output is computed for all steps at once."""

    def forward(self, decoder_input, state, context):
        embedded = self.embedding(decoder_input)
        context = context[:, None].expand(-1, embedded.shape[1], -1)
        states = []
        for x in torch.cat([embedded, context], dim=-1).unbind(dim=1):
            state = self.cell(x, state)
            states.append(state)
        return self.output(torch.cat([torch.stack(states, dim=1), context, embedded], dim=-1))


class LookingDecoder(lesson("10_bahdanau").BahdanauDecoder):
    """Lesson 10's; projected keys, the cell's share of the embeddings and the output are computed at once.

    No row may be without a word to look at.
    """

    def forward(self, decoder_input, state, annotations, mask):
        attention, cell, embedded = self.attention, self.cell, self.embedding(decoder_input)
        of_embedded, of_context = cell.weight_ih.split([embedded.shape[-1], annotations.shape[-1]], dim=1)
        keys, forbidden = attention.w_key(annotations), torch.zeros(mask.shape).masked_fill(~mask, -torch.inf)
        states, contexts, looks = [], [], []
        for gates in F.linear(embedded, of_embedded, cell.bias_ih).unbind(dim=1):
            scores = torch.tanh(keys + attention.w_query(state)[:, None]) @ attention.v.weight[0]
            weights = (scores + forbidden).softmax(dim=-1)
            context = torch.bmm(weights[:, None], annotations)[:, 0]
            reset, update, new = (gates + F.linear(context, of_context)).chunk(3, dim=1)
            reset_h, update_h, new_h = F.linear(state, cell.weight_hh, cell.bias_hh).chunk(3, dim=1)
            new = torch.tanh(new + torch.sigmoid(reset + reset_h) * new_h)
            state = torch.lerp(new, state, torch.sigmoid(update + update_h))
            states.append(state)
            contexts.append(context)
            looks.append(weights)
        features = (torch.stack(states, dim=1), torch.stack(contexts, dim=1), embedded)
        return self.output(torch.cat(features, dim=-1)), torch.stack(looks, dim=1)


class Translator(nn.Module):
    """Lesson 09's model, or lesson 10's."""

    def __init__(self, n_source, n_target, attention):
        super().__init__()
        seq2seq = lesson("09_seq2seq")
        self.attention = attention
        self.encoder = seq2seq.Encoder(n_source, EMBED, HIDDEN)
        if attention:
            self.decoder = LookingDecoder(n_target, EMBED, HIDDEN, 2 * HIDDEN, HIDDEN)
        else:
            self.decoder = BlindDecoder(n_target, EMBED, HIDDEN, HIDDEN)

    def read(self, source, lengths):
        """The first state, and what the decoder gets at every step."""
        annotations, state = self.encoder(source, lengths)
        if self.attention:
            return state, (annotations, torch.arange(source.shape[1]) < lengths[:, None])
        return state, (state,)

    def forward(self, source, lengths, decoder_input):
        state, given = self.read(source, lengths)
        answer = self.decoder(decoder_input, state, *given)
        return answer[0] if self.attention else answer

    @torch.no_grad()
    def translate(self, source, lengths, max_len=60):
        """Ids of the translations (B, L), by greedy decoding."""

        def step(tokens, state):
            hidden, given = state
            logits, hidden, *_ = self.decoder.step(tokens, hidden, *given)
            return logits.log_softmax(dim=-1), (hidden, given)

        return lesson("09_seq2seq").greedy_decode(step, self.read(source, lengths), 1, 2, max_len)


def bleu(hypotheses, references):
    joined = [" ".join(words) for words in hypotheses]
    return sacrebleu.corpus_bleu(joined, [[" ".join(words) for words in references]], tokenize="none", force=True).score


def translate_all(translate, texts):
    """The held-out sentences in translation, in order. translate(source, lengths): ids of a batch."""
    answers = [None] * len(texts.test)
    for batch in batches_by_length([len(source) for source, _ in texts.test], 100, seed=None):
        ids = [texts.lesson.encode(texts.test[i][0], texts.source_vocab) for i in batch]
        for i, row in zip(batch, translate(*texts.lesson.pad_batch(ids)), strict=True):
            answers[i] = texts.lesson.decode(row, texts.target_vocab)
    return answers


def run(job):
    """One training and its measurement: plain data, and the parameters as arrays."""
    name, seed, steps, device, threads, cache = job
    torch.set_num_threads(threads)
    torch.set_default_device(device)
    texts = Texts()
    kept = Path(cache, f"{name.split()[0]}-{HIDDEN}-{steps}-{seed}-{device}-{texts.checksum[:12]}.npz")
    if kept.exists():
        with np.load(kept) as stored:
            arrays = dict(stored)
        return json.loads(str(arrays.pop("result"))), arrays
    seed_everything(seed)
    model = Translator(len(texts.source_vocab), len(texts.target_vocab), name == "with attention")
    loss = lesson("09_seq2seq").sequence_loss
    history = fit(
        model,
        lambda model, batch: loss(model(*batch[:3]), batch[3]),
        texts.batches(seed),
        steps=steps,
        learning_rate=RATE,
        show=False,
    )
    answers = translate_all(model.translate, texts)
    result = {
        "model": name,
        "seed": seed,
        "steps": steps,
        "bleu": round(bleu(answers, [target for _, target in texts.test]), 2),
        "bleu_by_length": by_length(answers, texts.test),
        "loss": round(float(history.smoothed()[-1]), 4),
        "seconds": round(history.seconds, 1),
    }
    print(json.dumps(result), flush=True)
    arrays = {key: value.detach().cpu().numpy() for key, value in model.state_dict().items()}
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.savez(kept, result=json.dumps(result), **arrays)
    return result, arrays


def by_length(answers, test):
    scores = []
    for low, high in BINS:
        inside = [i for i, (source, _) in enumerate(test) if low <= len(source) < high]
        scores.append(round(bleu([answers[i] for i in inside], [test[i][1] for i in inside]), 2))
    return scores


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--weights-steps", type=int, default=2400, help="for the weights that are stored")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at the same time")
    parser.add_argument("--threads", type=int, default=2, help="threads of each training")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cache", default="/tmp/attention_against_length", help="where finished runs are kept")
    args = parser.parse_args()
    plan = [("with attention", args.seeds[0], args.weights_steps)]
    plan += [(name, seed, args.steps) for seed in args.seeds for name in MODELS]
    jobs = [(*each, args.device, args.threads, args.cache) for each in plan]
    started = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(args.jobs) as pool:
        (longest, arrays), *done = pool.map(run, jobs, chunksize=1)
    texts = Texts()
    lengths = np.array([len(source) for source, _ in texts.test])
    save_results(
        "attention_against_length",
        {
            "data": {"name": "sentences", **DATA, "checksum": texts.checksum},
            "steps": args.steps,
            "learning_rate": RATE,
            "batch_size": BATCH,
            "embed_size": EMBED,
            "hidden_size": HIDDEN,
            "bins": BINS,
            "sentences_by_length": [int(((lengths >= low) & (lengths < high)).sum()) for low, high in BINS],
            "test_sentences": len(texts.test),
            "device": args.device,
            "runs": sorted((result for result, _ in done), key=lambda r: (MODELS.index(r["model"]), r["seed"])),
        },
    )
    about = {
        "encoder": {"vocab_size": len(texts.source_vocab), "embed_size": EMBED, "hidden_size": HIDDEN},
        "decoder": {
            "vocab_size": len(texts.target_vocab),
            "embed_size": EMBED,
            "hidden_size": HIDDEN,
            "annotation_size": 2 * HIDDEN,
            "attention_size": HIDDEN,
        },
        "source_vocab": list(texts.source_vocab),
        "target_vocab": list(texts.target_vocab),
        "data": {"name": "sentences", **DATA, "checksum": texts.checksum},
        "training": {"steps": args.weights_steps, "seed": longest["seed"], "bleu": longest["bleu"]},
    }
    path = save_weights("bahdanau_en_fr", arrays, about)
    torch.set_default_device("cpu")
    stored = Translator(len(texts.source_vocab), len(texts.target_vocab), True)
    stored.load_state_dict({key: torch.tensor(value) for key, value in load_weights("bahdanau_en_fr").arrays.items()})
    score = bleu(translate_all(stored.translate, texts), [target for _, target in texts.test])
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, BLEU {score:.2f} as stored, {longest['bleu']:.2f} as trained")
    print(f"{(time.perf_counter() - started) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
