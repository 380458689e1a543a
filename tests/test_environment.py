"""The pins, the ranges and the conda environment say the same."""

import re
import sysconfig
import tomllib
from importlib.metadata import PackageNotFoundError, distributions, requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def pins(lines) -> dict[str, str]:
    """{name: version} of lines such as "numpy==2.4.6  # why"."""
    stripped = (line.split("#")[0].strip() for line in lines)
    pairs = [line.split("==") for line in stripped if line]
    assert all(len(pair) == 2 for pair in pairs), pairs
    return {canonicalize_name(name): version for name, version in pairs}


CONSTRAINTS = pins((ROOT / "constraints.txt").read_text().splitlines())
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())
WANTED = [Requirement(line) for lines in (PROJECT["dependencies"], *EXTRAS.values()) for line in lines]


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_each_range_admits_its_pin(wanted):
    if wanted.name == PROJECT["name"]:
        assert set(wanted.extras) <= set(EXTRAS)
    else:
        assert wanted.specifier.contains(CONSTRAINTS[canonicalize_name(wanted.name)])


def test_pins_are_exact_releases_that_any_index_has():
    assert all(re.fullmatch(r"[\d.]+(\.?(post|rc|a|b)\d+)*", version) for version in CONSTRAINTS.values())
    assert CONSTRAINTS["torch"] == "2.13.0"


def test_what_is_installed_is_what_is_pinned():
    here = distributions(path=[sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    installed = {canonicalize_name(each.metadata["Name"]): each.version.split("+")[0] for each in here}
    pinned = {name: CONSTRAINTS[name] for name in installed if name in CONSTRAINTS}
    assert {name: installed[name] for name in pinned} == pinned


def test_everything_that_the_course_brings_along_is_pinned():
    here, seen, waiting = {"extra": ""}, set(), [canonicalize_name(wanted.name) for wanted in WANTED]
    while waiting:
        name = waiting.pop()
        if name in seen or name == PROJECT["name"]:
            continue
        seen.add(name)
        try:
            needed = [Requirement(line) for line in requires(name) or []]
        except PackageNotFoundError:
            continue
        waiting += [
            canonicalize_name(each.name) for each in needed if each.marker is None or each.marker.evaluate(here)
        ]
    accelerator = {name for name in seen if re.match(r"(nvidia|cuda|triton)", name)}
    assert seen - accelerator <= set(CONSTRAINTS)


def test_conda_environment_has_the_same_pins():
    python = next(line for line in CONDA["dependencies"] if isinstance(line, str) and line.startswith("python="))
    assert SpecifierSet(PROJECT["requires-python"]).contains(python.removeprefix("python=") + ".0")
    (listed,) = (line["pip"] for line in CONDA["dependencies"] if isinstance(line, dict))
    assert listed[0] == "-c constraints.txt"
    assert listed[-1] == "-e ."
    listed = pins(listed[1:-1])
    assert listed == {name: CONSTRAINTS[name] for name in listed}
    assert set(listed) == {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}


def test_python_versions():
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert [minor for minor in range(8, 20) if allowed.contains(f"3.{minor}.0")] == [11, 12, 13]
