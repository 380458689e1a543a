"""Trains the model of lesson 10 or 14 on real sentences and measures BLEU: how far the course's own code gets.

    python benchmarks/translation.py --corpus multi30k --data DIR --source de --target en --minutes 20 --seed 0
    python benchmarks/translation.py --model transformer --corpus multi30k --data DIR --source de --target en

The encoder is lesson 09's, the decoder lesson 10's, decoding is lesson 12's beam search. With --model transformer, the
model is lesson 14's Transformer as it is, and decodes with its cache. Reading, training and
translating together take about --minutes. Prints the curve, tokens per second (target tokens, `<eos>` included), and as
its last line BLEU on the test set (sacrebleu, lower-cased tokens of lesson 08; multi30k: test_2016_flickr). Words that
occur once in training are `<unk>`; the search never says it. What is added to the classes of lessons 09 and 10:

- dropout on embeddings, annotations and before the output, the same mask at every step (Gal and Ghahramani 2016);
- an output whose last layer is the target embedding (Press and Wolf 2017): fewer parameters, and much less work;
- in training, what does not depend on the state is computed for all steps at once: the projected keys, the cell's
  share of the embeddings, and the output. The numbers are those of the lessons' `step`;
- batches of similar length with a fixed number of tokens, label smoothing (lesson 14), Adam with a warm-up and a
  cosine to 0, and for the test a running mean of the parameters (Polyak and Juditsky 1992).
"""

import argparse
import contextlib
import ctypes
import math
import time

import sacrebleu
import torch
from course_datasets import load
from torch import nn
from torch.nn import functional as F

from autograder import lesson
from autograder.training import batches_by_length, seed_everything

text, seq2seq = lesson("08_sequences"), lesson("09_seq2seq")
bahdanau, beam, attentive = lesson("10_bahdanau"), lesson("12_beam_search"), lesson("14_transformer")

PAD, BOS, EOS, UNK = 0, 1, 2, 3
SIZE = 256
DROPOUT, SMOOTHING = 0.2, 0.1
TOKENS, RATE, WARMUP, MEAN = 3200, 0.005, 0.05, 0.998
BEAM, ALPHA = 5, 1.0
RESERVE = 0.08
D_FF, HEADS, LAYERS, TRANSFORMER_DROPOUT, TRANSFORMER_RATE = 512, 4, 3, 0.2, 0.0015


class StepDropout(nn.Module):
    """Dropout with one mask for all steps of a row: x (B, T, d)."""

    def forward(self, x):
        if not self.training:
            return x
        return x * F.dropout(x.new_ones(x.shape[0], 1, x.shape[2]), DROPOUT)


class Encoder(seq2seq.Encoder):
    """Lesson 09's, with dropout."""

    def __init__(self, vocab_size):
        super().__init__(vocab_size, SIZE, SIZE)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.embedding = nn.Sequential(self.embedding, StepDropout())
        self.dropout = StepDropout()

    def forward(self, ids, lengths):
        annotations, state = super().forward(ids, lengths)
        return self.dropout(annotations), state


class Decoder(bahdanau.BahdanauDecoder):
    """Lesson 10's, with dropout and a tied output; `step` is the lesson's, `forward` does all it can at once."""

    def __init__(self, vocab_size):
        super().__init__(vocab_size, SIZE, SIZE, 2 * SIZE, SIZE)
        nn.init.normal_(self.embedding.weight, std=0.1)
        tied = nn.Linear(SIZE, vocab_size)
        tied.weight = self.embedding.weight
        before = nn.Linear(self.output.in_features, SIZE)
        self.output = nn.Sequential(nn.Dropout(DROPOUT), before, nn.Dropout(DROPOUT), tied)
        self.dropout = StepDropout()

    def forward(self, decoder_input, state, annotations, mask, wanted):
        """Logits (N, V) at the places where wanted (B, T) is True."""
        embedded = self.dropout(self.embedding(decoder_input))
        of_embedded, of_context = self.cell.weight_ih.split([SIZE, 2 * SIZE], dim=1)
        from_embedded = F.linear(embedded, of_embedded, self.cell.bias_ih)
        of_state = torch.cat([self.attention.w_query.weight, self.cell.weight_hh])
        bias = F.pad(self.cell.bias_hh, (SIZE, 0))
        keys, forbidden = self.attention.w_key(annotations), torch.zeros(mask.shape).masked_fill(~mask, -torch.inf)
        states, contexts = [], []
        for gates in from_embedded.unbind(dim=1):
            query, gates_h = F.linear(state, of_state, bias).split([SIZE, 3 * SIZE], dim=1)
            scores = torch.tanh(keys + query[:, None]) @ self.attention.v.weight[0] + forbidden
            context = torch.bmm(scores.softmax(dim=-1)[:, None], annotations)[:, 0]
            reset, update, new = (gates + F.linear(context, of_context)).chunk(3, dim=1)
            reset_h, update_h, new_h = gates_h.chunk(3, dim=1)
            new = torch.tanh(new + torch.sigmoid(reset + reset_h) * new_h)
            state = new + torch.sigmoid(update + update_h) * (state - new)
            states.append(state)
            contexts.append(context)
        features = (torch.stack(states, dim=1), torch.stack(contexts, dim=1), embedded)
        return self.output(torch.cat([part[wanted] for part in features], dim=-1))


class Translator(nn.Module):
    rate = RATE

    def __init__(self, n_source, n_target):
        super().__init__()
        self.encoder, self.decoder = Encoder(n_source), Decoder(n_target)

    def loss(self, batch, smoothing=0.0):
        """Mean over real tokens, and their number."""
        source, lengths, decoder_input, decoder_target = batch
        annotations, state = self.encoder(source, lengths)
        mask, wanted = torch.arange(source.shape[1]) < lengths[:, None], decoder_target != PAD
        logits = self.decoder(decoder_input, state, annotations, mask, wanted)
        return F.cross_entropy(logits, decoder_target[wanted], label_smoothing=smoothing), int(wanted.sum())

    def step(self, tokens, state):
        """Lesson 09's contract for a decoding step; never `<unk>`, padding or `<bos>`."""
        hidden, annotations, mask = state
        logits, hidden, _ = self.decoder.step(tokens, hidden, annotations, mask)
        logits[:, [PAD, BOS, UNK]] = -torch.inf
        return logits.log_softmax(dim=-1), (hidden, annotations, mask)

    @torch.no_grad()
    def translate(self, ids):
        """Ids of the best translation of one sentence, by beam search."""
        source = torch.tensor([ids])
        annotations, state = self.encoder(source, torch.tensor([len(ids)]))
        start = (state, annotations, torch.ones(source.shape, dtype=torch.bool))
        return beam.beam_search(self.step, start, BOS, EOS, BEAM, 2 * len(ids) + 5, ALPHA)[0][0]


class TransformerTranslator(nn.Module):
    """Lesson 14's model, before normalization, decoding with its cache."""

    rate = TRANSFORMER_RATE

    def __init__(self, n_source, n_target):
        super().__init__()
        self.model = attentive.Transformer(n_source, n_target, SIZE, HEADS, D_FF, LAYERS, dropout=TRANSFORMER_DROPOUT)

    def loss(self, batch, smoothing=0.0):
        """Mean over real tokens, and their number."""
        source, _, decoder_input, decoder_target = batch
        logits = self.model(source, decoder_input)
        return attentive.label_smoothed_loss(logits, decoder_target, smoothing), int((decoder_target != PAD).sum())

    def step(self, tokens, state):
        """Lesson 09's contract for a decoding step; never `<unk>`, padding or `<bos>`."""
        log_probs, state = attentive.cached_step(self.model, tokens, state)
        log_probs[:, [PAD, BOS, UNK]] = -torch.inf
        return log_probs, state

    @torch.no_grad()
    def translate(self, ids):
        """Ids of the best translation of one sentence, by beam search."""
        start = attentive.start_cache(self.model, self.model.encode(torch.tensor([ids])))
        return beam.beam_search(self.step, start, BOS, EOS, BEAM, 2 * len(ids) + 5, ALPHA)[0][0]


MODELS = {"bahdanau": Translator, "transformer": TransformerTranslator}


class RunningMean:
    """The parameters, averaged over the latest steps; `with mean:` puts them in the model's place."""

    def __init__(self, model):
        self.parameters = list(model.parameters())
        self.means = [p.detach().clone() for p in self.parameters]
        self.steps = 0

    @torch.no_grad()
    def update(self):
        self.steps += 1
        keep = min(MEAN, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self.means, [p.data for p in self.parameters], 1 - keep)

    def swap(self, *_):
        for parameter, mean in zip(self.parameters, self.means):
            parameter.data, mean.data = mean.data, parameter.data

    __enter__ = __exit__ = swap


def keep_memory():
    """Keep freed memory instead of giving it back to the system (glibc): a third of the time otherwise goes there."""
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-3, 1 << 30)
        libc.mallopt(-1, (1 << 31) - 1)


def collate(pairs):
    source, lengths = text.pad_batch([source for source, _ in pairs])
    target, _ = text.pad_batch([target for _, target in pairs])
    return source, lengths, *text.teacher_forcing(target)


def batches(pairs, seed):
    """Pass after pass: batches of similar length with TOKENS cells a side."""
    sizes = [(len(target), len(source)) for source, target in pairs]
    epoch = 0
    while True:
        for chosen in batches_by_length(sizes, TOKENS // 4, (seed, epoch), max_tokens=TOKENS, pool=10):
            yield epoch, collate([pairs[i] for i in chosen])
        epoch += 1


def train(model, mean, pairs, valid, ends, seed):
    """Train until the time `ends`, but for a second at least; prints the curve. Returns target tokens per second."""
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    began, tokens, shown, losses = time.perf_counter(), 0, 0.0, []
    print("minutes  epoch  step  tokens/s  rate     loss   held-out loss (running mean)", flush=True)
    for step, (epoch, batch) in enumerate(batches(pairs, seed), start=1):
        now = time.perf_counter()
        done = (now - began) / max(ends - began, 1.0)
        if done >= 1:
            break
        rate = model.rate * min(1.0, done / WARMUP + 0.01) * 0.5 * (1 + math.cos(math.pi * done))
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad(set_to_none=True)
        loss, count = model.loss(batch, SMOOTHING)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        mean.update()
        tokens += count
        losses.append(loss.item())
        if done >= shown + 0.05:
            shown = done
            speed, recent = tokens / (now - began), sum(losses) / len(losses)
            losses.clear()
            held_out = evaluate(model, mean, valid)
            minutes = (now - began) / 60
            print(
                f"{minutes:7.1f} {epoch:6} {step:5} {speed:9,.0f}  {rate:.5f} {recent:6.3f} {held_out:8.3f}", flush=True
            )
    return tokens / (time.perf_counter() - began)


@torch.no_grad()
def evaluate(model, mean, valid):
    model.eval()
    with mean:
        loss = model.loss(valid)[0].item()
    model.train()
    return loss


def bleu(hypotheses, references):
    """sacrebleu on tokens as they are."""
    joined = [" ".join(words) for words in hypotheses]
    return sacrebleu.corpus_bleu(joined, [[" ".join(words) for words in references]], tokenize="none", force=True).score


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=MODELS, default="bahdanau")
    parser.add_argument("--corpus", choices=("multi30k", "tatoeba"), default="multi30k")
    parser.add_argument("--data", help="directory (multi30k) or file (tatoeba); multi30k is downloaded otherwise")
    parser.add_argument("--source", default="de")
    parser.add_argument("--target", default="en")
    parser.add_argument("--minutes", type=float, default=20.0, help="for everything together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    began = time.perf_counter()
    torch.set_num_threads(args.threads)
    seed_everything(args.seed)
    keep_memory()

    given = {"data_dir": args.data} if args.corpus == "multi30k" else {"path": args.data}
    data = load(args.corpus, source=args.source, target=args.target, **given)
    parts = [[(text.tokenize(s), text.tokenize(t)) for s, t in part] for part in (data.train, data.valid, data.test)]
    source_vocab = text.build_vocab([source for source, _ in parts[0]], min_count=2)
    target_vocab = text.build_vocab([target for _, target in parts[0]], min_count=2)

    def numbered(pairs):
        return [(text.encode(s, source_vocab), text.encode(t, target_vocab, bos=True)) for s, t in pairs]

    model = MODELS[args.model](len(source_vocab), len(target_vocab))
    mean = RunningMean(model)
    size = sum(parameter.numel() for parameter in model.parameters())
    print(
        f"{args.source} to {args.target}: {len(parts[0]):,} pairs, seed {args.seed}, {torch.get_num_threads()} threads"
    )
    print(f"{len(source_vocab):,} and {len(target_vocab):,} words, {size:,} parameters", flush=True)
    ends = began + 60 * args.minutes * (1 - RESERVE)
    speed = train(model, mean, numbered(parts[0]), collate(numbered(parts[1][:300])), ends, args.seed)
    model.eval()
    with mean:
        answers = [text.decode(model.translate(source), target_vocab) for source, _ in numbered(parts[2])]
    print(f"{speed:,.0f} tokens per second; {(time.perf_counter() - began) / 60:.1f} minutes in all")
    print(f"BLEU {bleu(answers, [target for _, target in parts[2]]):.2f}")


if __name__ == "__main__":
    main()
