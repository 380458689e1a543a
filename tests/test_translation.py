"""The benchmarks' fast decoders say what the lessons' do, and the translation benchmark runs on a small file."""

import re
import subprocess
import sys

import pytest
import torch
from conftest import ROOT
from course_datasets import load

from autograder import lesson


@pytest.fixture(scope="module", autouse=True)
def benchmarks():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield
    sys.path.remove(str(ROOT / "benchmarks"))


def batch():
    torch.manual_seed(0)
    ids = torch.randint(4, 30, (3, 6))
    mask = torch.arange(7) < torch.tensor([7, 3, 1])[:, None]
    return ids, mask


def test_decoders_of_the_attention_experiment():
    from attention_against_length import BlindDecoder, LookingDecoder

    ids, mask = batch()
    state, annotations = torch.randn(3, 5), torch.randn(3, 7, 10)
    fast = LookingDecoder(30, 4, 5, 10, 6)
    slow = lesson("10_bahdanau").BahdanauDecoder.forward(fast, ids, state, annotations, mask)
    torch.testing.assert_close(fast(ids, state, annotations, mask), slow)
    fast = BlindDecoder(30, 4, 5, 5)
    torch.testing.assert_close(fast(ids, state, state), lesson("09_seq2seq").Decoder.forward(fast, ids, state, state))


def test_decoder_of_the_translation_benchmark():
    import translation

    ids, mask = batch()
    decoder = translation.Decoder(30).eval()
    state, annotations = torch.randn(3, translation.SIZE), torch.randn(3, 7, 2 * translation.SIZE)
    wanted = torch.ones(ids.shape, dtype=torch.bool)
    wanted[1, 2:] = False
    fast = decoder(ids, state, annotations, mask, wanted)
    slow, _ = lesson("10_bahdanau").BahdanauDecoder.forward(decoder, ids, state, annotations, mask)
    torch.testing.assert_close(fast, slow[wanted])


def test_translation_benchmark_ends_with_bleu(tmp_path):
    pairs = load("numbers", "en", "fr", size=300, valid_size=10, test_size=10, max_digits=3, seed=0).train
    file = tmp_path / "pairs.tsv"
    file.write_text("".join(f"{source}\t{target}\tmade\n" for source, target in pairs), "utf-8")
    options = "--corpus tatoeba --source en --target fr --minutes 0.1 --threads 1 --seed 1".split()
    command = [sys.executable, ROOT / "benchmarks" / "translation.py", "--data", file, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "tokens per second" in done.stdout
    assert re.fullmatch(r"BLEU \d+\.\d\d", done.stdout.splitlines()[-1])
