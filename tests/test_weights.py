"""Stored weights and results: what is loaded is what was stored, and belongs to the data of today."""

import numpy as np
import pytest
from course_datasets import load, weights
from course_datasets.weights import load_results, load_weights, save_weights

STORED = [file.rsplit(".", 1) for file in weights.sums()]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    return tmp_path


def test_matrices_come_back_nearly_and_vectors_too(folder):
    rng = np.random.default_rng(0)
    arrays = {"a.weight": rng.normal(size=(5, 300)) * [[1e-6], [1], [1e3], [0], [2]], "a.bias": rng.normal(size=7)}
    save_weights("tiny", arrays, {"vocab": ["<pad>", "été"]})
    loaded = load_weights("tiny")
    assert loaded.about == {"vocab": ["<pad>", "été"]}
    largest = np.abs(arrays["a.weight"]).max(axis=1, keepdims=True)
    assert (np.abs(loaded.arrays["a.weight"] - arrays["a.weight"]) <= largest / 250 + 1e-12).all()
    np.testing.assert_allclose(loaded.arrays["a.bias"], arrays["a.bias"], rtol=1e-3)
    assert {array.dtype for array in loaded.arrays.values()} == {np.dtype("float32")}


def test_a_file_that_was_changed_is_refused(folder):
    path = save_weights("tiny", {"x": np.ones((2, 2))}, {})
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="SHA-256"):
        load_weights("tiny")


def test_an_unknown_name_lists_the_known_ones(folder):
    save_weights("tiny", {"x": np.ones(2)}, {})
    with pytest.raises(ValueError, match=r"big\.npz.*tiny\.npz"):
        load_weights("big")


@pytest.mark.parametrize(("name", "kind"), STORED)
def test_stored_files_belong_to_the_data_of_today(name, kind):
    about = load_weights(name).about if kind == "npz" else load_results(name)
    if "data" not in about:
        pytest.skip("made from no data set")
    options = dict(about["data"])
    checksum = options.pop("checksum")
    assert load(options.pop("name"), **options).checksum() == checksum


def test_bahdanau_is_small_and_fits_the_lessons():
    from autograder import lesson

    stored = load_weights("bahdanau_en_fr")
    assert (weights.FOLDER / "bahdanau_en_fr.npz").stat().st_size < 5e6
    encoder = lesson("09_seq2seq").Encoder(**stored.about["encoder"])
    decoder = lesson("10_bahdanau").BahdanauDecoder(**stored.about["decoder"])
    for name, module in (("encoder", encoder), ("decoder", decoder)):
        for key, value in module.state_dict().items():
            assert stored.arrays[f"{name}.{key}"].shape == tuple(value.shape)
