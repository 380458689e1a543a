"""Real sentences, on request: Multi30k (downloaded) and Tatoeba pairs (a file of yours)."""

from __future__ import annotations

import gzip
import os
import random
from pathlib import Path

from .dataset import Dataset, Pair
from .remote import DownloadError, cache_dir, fetch, sha256

MULTI30K_URL = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw"
MULTI30K_PARTS = {"train": "train", "valid": "val", "test": "test_2016_flickr"}
MULTI30K_LANGUAGES = ("en", "fr", "de")
MULTI30K_SHA256 = {
    "test_2016_flickr.de.gz": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
    "test_2016_flickr.en.gz": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    "test_2016_flickr.fr.gz": "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90",
    "train.de.gz": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    "train.en.gz": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    "train.fr.gz": "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c",
    "val.de.gz": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    "val.en.gz": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    "val.fr.gz": "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9",
}


def multi30k_files(*languages: str) -> list[str]:
    """The names of the files for some languages."""
    return [f"{stem}.{language}.gz" for stem in MULTI30K_PARTS.values() for language in languages]


def download_multi30k(*languages: str, base_url: str | None = None, progress: bool = True, **options) -> Path:
    """Fetches what is missing, and returns the directory. Other options go to `remote.fetch`.

    The address is `base_url`, else $ATTN_MULTI30K_URL, else the repository's.
    """
    base = (base_url or os.environ.get("ATTN_MULTI30K_URL") or MULTI30K_URL).rstrip("/")
    folder = cache_dir() / "multi30k"
    for name in multi30k_files(*(languages or MULTI30K_LANGUAGES)):
        fetch(f"{base}/{name}", folder / name, MULTI30K_SHA256[name], progress, **options)
    return folder


def _find(data_dir: str | Path, names: list[str]) -> Path:
    """The directory itself or its folder multi30k, whichever has the files; they must be the right ones."""
    root = Path(data_dir).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"data_dir is {str(root)!r}, which is not a directory")
    for folder in (root, root / "multi30k"):
        missing = [name for name in names if not (folder / name).is_file()]
        if not missing:
            break
    else:
        raise FileNotFoundError(f"{str(root)!r} (or its folder multi30k) must hold {', '.join(names)}")
    for name in names:
        found = sha256(folder / name)
        if found != MULTI30K_SHA256[name]:
            raise DownloadError(
                f"{folder / name} is not the file that was expected: its SHA-256 is {found}, "
                f"not {MULTI30K_SHA256[name]}"
            )
    return folder


def _lines(path: Path) -> list[str]:
    text = gzip.decompress(path.read_bytes()).decode("utf-8")
    return [line.strip() for line in text.removesuffix("\n").split("\n")]


def load_multi30k(
    source: str = "en",
    target: str = "fr",
    data_dir: str | Path | None = None,
    download: bool = True,
    base_url: str | None = None,
    progress: bool = True,
) -> Dataset:
    """Multi30k, task 1: 29,000, 1,014 and 1,000 (test_2016_flickr) raw lines in en, fr or de.

    Files come from `data_dir` if given, else from the cache, where they are downloaded first unless
    `download` is False. Raises DownloadError (an OSError) where that fails.
    """
    for name, value in (("source", source), ("target", target)):
        if value not in MULTI30K_LANGUAGES:
            raise ValueError(f"{name} must be one of {', '.join(MULTI30K_LANGUAGES)}, not {value!r}")
    if source == target:
        raise ValueError(f"source and target must be two languages, not {source!r} twice")
    names = multi30k_files(source, target)
    if data_dir is not None:
        folder = _find(data_dir, names)
    elif download:
        folder = download_multi30k(source, target, base_url=base_url, progress=progress)
    else:
        folder = _find(cache_dir(), names)
    parts = {}
    for part, stem in MULTI30K_PARTS.items():
        sides = [_lines(folder / f"{stem}.{language}.gz") for language in (source, target)]
        if len(sides[0]) != len(sides[1]):
            raise ValueError(f"{stem}: {len(sides[0])} lines of {source}, but {len(sides[1])} of {target}")
        parts[part] = list(zip(*sides))
    return Dataset("multi30k", **parts, source_language=source, target_language=target)


def read_pairs(path: str | Path) -> list[Pair]:
    """The first two columns of a tab-separated file; a line with fewer raises ValueError."""
    pairs = []
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            columns = line.rstrip("\r\n").split("\t")
            if len(columns) < 2:
                raise ValueError(f"{path}, line {number}: a sentence, a tab and its translation were expected")
            pairs.append((columns[0].strip(), columns[1].strip()))
    return pairs


def load_tatoeba(
    path: str | Path,
    source: str = "en",
    target: str = "fr",
    valid_share: float = 0.05,
    test_share: float = 0.05,
    seed: int = 0,
) -> Dataset:
    """A file of tab-separated pairs (source, target, attribution), such as those of manythings.org/anki.

    All translations of one source sentence go to the same part; parts are drawn by `seed`. Repeated pairs
    are dropped. `path` may also be a directory that holds one .tsv or .txt file of that kind.
    """
    if min(valid_share, test_share) < 0 or valid_share + test_share >= 1:
        raise ValueError(f"valid_share and test_share must leave some training: {valid_share}, {test_share}")
    path = Path(path).expanduser()
    if path.is_dir():
        files = sorted([*path.glob("tatoeba*.tsv"), *path.glob("tatoeba*.txt")]) or sorted(
            [*path.glob("*.tsv"), *path.glob("*.txt")]
        )
        if len(files) != 1:
            raise FileNotFoundError(f"{path} must hold one file of pairs, but has {len(files)}: name the file")
        path = files[0]
    pairs = list(dict.fromkeys(read_pairs(path)))
    if not pairs:
        raise ValueError(f"{path} has no pairs")
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair[0], []).append(pair)
    sources = list(groups)
    rng = random.Random(f"tatoeba-{seed}")
    for place in range(len(sources) - 1, 0, -1):
        other = int(rng.random() * (place + 1))
        sources[place], sources[other] = sources[other], sources[place]
    n_test, n_valid = (round(share * len(sources)) for share in (test_share, valid_share))
    cuts = {"test": sources[:n_test], "valid": sources[n_test : n_test + n_valid], "train": sources[n_test + n_valid :]}
    parts = {part: [pair for text in texts for pair in groups[text]] for part, texts in cuts.items()}
    options = {"path": str(path), "valid_share": valid_share, "test_share": test_share, "seed": seed}
    return Dataset("tatoeba", **parts, source_language=source, target_language=target, options=options)
