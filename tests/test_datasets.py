"""course_datasets: the interface, number words, dates, the command line."""

import datetime
import os
import subprocess
import sys
from pathlib import Path

import pytest
from course_datasets import Dataset, available, load, polish
from course_datasets.__main__ import main
from course_datasets.dates import LANGUAGES, write_date
from course_datasets.numbers import spell


def sides(data):
    return [{pair[0] for pair in data.part(part)} for part in ("train", "valid", "test")]


def test_names():
    assert set(available()) == {"numbers", "dates", "sentences", "multi30k", "tatoeba"}
    with pytest.raises(ValueError, match=r"numbers, dates"):
        load("number")


def test_dataset():
    data = Dataset("toy", [("a b", "xy")], [], [("c", "z")], "en", "de", "word", "char")
    assert data.tokens("train") == [(["a", "b"], ["x", "y"])]
    assert data.tokens("train", tokenize=lambda text: [text]) == [(["a b"], ["x", "y"])]
    assert data.part("test") == [("c", "z")]
    assert "train 1, valid 0, test 1" in repr(data)
    with pytest.raises(ValueError, match="'dev'"):
        data.tokens("dev")
    other = Dataset("toy", [("a b", "xy")], [("c", "z")], [], "en", "de", "word", "char")
    assert data.checksum() != other.checksum()


@pytest.mark.parametrize(
    ("number", "english", "french", "german"),
    [
        (0, "zero", "zéro", "null"),
        (21, "twenty one", "vingt et un", "einundzwanzig"),
        (80, "eighty", "quatre vingts", "achtzig"),
        (99, "ninety nine", "quatre vingt dix neuf", "neunundneunzig"),
        (1234, "one thousand two hundred and thirty four", "mille deux cent trente quatre",
         "eintausendzweihundertvierunddreißig"),
        (200_000, "two hundred thousand", "deux cent mille", "zweihunderttausend"),
    ],
)  # fmt: skip
def test_spell(number, english, french, german):
    assert [spell(number, language) for language in ("en", "fr", "de")] == [english, french, german]


def test_spell_refuses():
    for number in (-1, 1_000_000):
        with pytest.raises(ValueError, match=str(number)):
            spell(number, "en")


def test_numbers():
    data = load("numbers", "en", "fr", size=600, valid_size=100, test_size=100, seed=3)
    train, valid, test = sides(data)
    assert [len(train), len(valid), len(test)] == [600, 100, 100]
    assert len(train | valid | test) == sum(map(len, (train, valid, test)))
    assert data.checksum() == load("numbers", size=600, valid_size=100, test_size=100, seed=3).checksum()
    assert data.checksum() != load("numbers", size=600, valid_size=100, test_size=100, seed=4).checksum()
    assert all("-" not in text and "," not in text for pair in data.train for text in pair)
    german = load("numbers", "en", "de", size=50, valid_size=5, test_size=5)
    source, target = german.tokens("train")[0]
    assert (german.source_unit, german.target_unit) == ("word", "char")
    assert " ".join(source) == german.train[0][0]
    assert "".join(target) == german.train[0][1]
    assert len(target) > len(source)


def test_numbers_refuse():
    for options in ({"target": "it"}, {"source": "fr"}, {"max_digits": 7}, {"max_digits": 1, "size": 5000}):
        with pytest.raises(ValueError, match=r"not|fewer"):
            load("numbers", **options)


def test_dates():
    data = load("dates", size=900, valid_size=100, test_size=100, seed=1)
    train, valid, test = sides(data)
    assert len(train | valid | test) == sum(map(len, (train, valid, test)))
    assert (data.source_unit, data.target_unit) == ("char", "char")
    for source, target in data.train:
        day = datetime.date.fromisoformat(target)
        assert str(day.year) in source
        assert str(day.day) in source
    assert data.checksum() == load("dates", size=900, valid_size=100, test_size=100, seed=1).checksum()


def test_dates_of_all_languages_say_the_day():
    day = datetime.date(2021, 3, 9)
    assert len(LANGUAGES) == 14
    assert write_date(day, "fr", "full") == "mardi 9 mars 2021"
    assert write_date(day, "de", "long") == "9. März 2021"
    assert write_date(day, "en_US", "long") == "March 9, 2021"
    assert write_date(day, "en_GB", "long") == "9 March 2021"
    assert write_date(day, "ja", "long") == "2021年3月9日"


def test_dates_of_some_languages():
    data = load("dates", size=50, valid_size=5, test_size=5, languages=["ja"])
    assert all("年" in source or "/" in source for source, _ in data.train)
    with pytest.raises(ValueError, match="languages"):
        load("dates", languages=["xx"])
    with pytest.raises(ValueError, match="years"):
        load("dates", first_year=2000, last_year=1999)


def test_polish():
    assert polish("l' homme ne le lui donne pas .", "fr") == "L'homme ne le lui donne pas."
    assert polish("est - ce qu' elle se marie , marie ?", "fr") == "Est-ce qu'elle se marie, Marie ?"
    assert polish("paul 's sister and i don't march in march .", "en") == "Paul's sister and I don't march in March."
    assert polish("Hallo Welt", "de") == "Hallo Welt"


def test_command_line(capsys):
    assert main(["list"]) == 0
    assert "multi30k" in capsys.readouterr().out
    assert main(["sample", "numbers", "en", "de", "-n", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert all(line.count("\t") == 1 for line in lines)
    assert main(["sample", "sentences", "-n", "4", "--polish", "--part", "test"]) == 0
    assert all(line[0].isupper() for line in capsys.readouterr().out.splitlines())
    assert main(["sample", "tatoeba"]) == 1
    assert "--data" in capsys.readouterr().err
    assert main(["sample", "multi30k", "--data", "/nowhere"]) == 1
    assert "/nowhere" in capsys.readouterr().err


def test_generated_data_do_not_depend_on_the_hash_seed():
    code = (
        "from course_datasets import load\n"
        "sizes = dict(size=60, valid_size=5, test_size=5)\n"
        "print([load(name, **sizes).checksum() for name in ('numbers', 'dates', 'sentences')])\n"
        "print(load('sentences', 500, 10, 10, split='unseen').checksum())"
    )
    outputs = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
        )
        outputs.add(done.stdout)
    assert len(outputs) == 1


def test_each_data_set_has_a_datasheet():
    folder = Path(__file__).parent.parent / "datasets"
    index = (folder / "README.md").read_text(encoding="utf-8")
    for name in available():
        sheet = (folder / f"{name}.md").read_text(encoding="utf-8")
        assert f"{name}.md" in index
        for heading in ("## What it is", "## Source and license", "## Checksum", "## Known limits"):
            assert heading in sheet, (name, heading)
