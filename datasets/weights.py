"""Trained weights and stored results, small and checked, so that a lesson need not train again.

    from course_datasets.weights import load_results, load_weights

    weights = load_weights("bahdanau_en_fr")
    weights.arrays["encoder.embedding.weight"]      float32, by parameter name
    weights.about["source_vocab"]                   what else is needed: vocabularies, sizes, how it was trained
    load_results("attention_against_length")        numbers of an experiment, as plain data

The files lie in `trained/`; `trained/README.md` says which script made each of them. Matrices are stored as one byte
an entry with a scale for each row, everything else as float16.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "trained"
SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Weights:
    """arrays: float32, by parameter name. about: plain data on the model."""

    arrays: dict[str, np.ndarray]
    about: dict


def load_weights(name: str) -> Weights:
    """The weights stored under `name`; ValueError if there are none or the file is not the one that was stored."""
    with np.load(io.BytesIO(checked(f"{name}.npz")), allow_pickle=False) as stored:
        about = json.loads(stored["about"].tobytes())
        arrays = {}
        for key in stored.files:
            if key.startswith("scale:") or key == "about":
                continue
            scale = stored[f"scale:{key}"][:, None] if f"scale:{key}" in stored.files else 1
            arrays[key] = stored[key].astype(np.float32) * scale
    return Weights(arrays, about)


def load_results(name: str) -> dict:
    """The results stored under `name`; ValueError as in `load_weights`."""
    return json.loads(checked(f"{name}.json"))


def save_weights(name: str, arrays: dict[str, np.ndarray], about: dict) -> Path:
    """Store weights and note the checksum. A value changes by up to 1/254 of the largest in its row."""
    stored = {"about": np.frombuffer(json.dumps(about, ensure_ascii=False).encode(), np.uint8)}
    for key, value in arrays.items():
        value = np.asarray(value, np.float32)
        if value.ndim == 2:
            scale = np.maximum(np.abs(value).max(axis=1), 1e-12).astype(np.float32) / 127
            stored[key], stored[f"scale:{key}"] = np.rint(value / scale[:, None]).astype(np.int8), scale
        else:
            stored[key] = value.astype(np.float16)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **stored)
    return store(f"{name}.npz", buffer.getvalue())


def save_results(name: str, results: dict) -> Path:
    """Store results and note the checksum."""
    return store(f"{name}.json", (json.dumps(results, indent=1, ensure_ascii=False) + "\n").encode())


def checked(file: str) -> bytes:
    """The bytes of a stored file, if its checksum is right."""
    path = FOLDER / file
    if not path.is_file():
        known = ", ".join(sorted(sums())) or "none"
        raise ValueError(f"nothing is stored as {file!r}; there are: {known}")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if sums().get(file) != found:
        raise ValueError(f"{path} is not the file that was stored: its SHA-256 is {found}, not {sums().get(file)}")
    return content


def sums() -> dict[str, str]:
    """SHA-256 of each stored file."""
    path = FOLDER / SUMS
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return {file: digest for digest, file in (line.split("  ", 1) for line in lines)}


def store(file: str, content: bytes) -> Path:
    """Write a file and its line in SHA256SUMS."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / file).write_bytes(content)
    known = sums() | {file: hashlib.sha256(content).hexdigest()}
    text = "".join(f"{digest}  {name}\n" for name, digest in sorted(known.items()))
    (FOLDER / SUMS).write_text(text, "utf-8")
    return FOLDER / file
