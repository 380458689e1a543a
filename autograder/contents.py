"""The list of lessons in README.md; `attn build` keeps it up to date."""

import re

from autograder import lessons

PARTS = {
    0: "Part I: attention in NumPy",
    8: "Part II: recurrent models in PyTorch",
    13: "Part III: Transformers in PyTorch",
    18: "Part IV: what people build with it",
}
BEGIN, END = "<!-- lessons, made by attn build -->", "<!-- end of lessons -->"


def with_lessons(readme: str) -> str:
    """The text with its list of lessons as it should be; a text without the marks is left as it is."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n{listing()}\n{end}{after}" if end else readme


def listing() -> str:
    """All lessons by part, each with its title, exercises and points."""
    lines = []
    for name in lessons.names():
        part = max(first for first in PARTS if first <= int(name[:2]))
        if (heading := f"**{PARTS[part]}**") not in lines:
            lines += ["", heading, "", "| lesson | | exercises | points |", "| --- | --- | --- | --- |"]
        exercises = lessons.catalog()[name]
        link = f"[{name}](course/{name}/{name}.ipynb)"
        lines.append(f"| {link} | {title(name)} | {len(exercises)} | {sum(exercises.values())} |")
    return "\n".join([*lines, ""])


def title(name: str) -> str:
    """What a lesson is about: its heading without the number."""
    heading = re.search(r"^# # (?:\d\d\W+)?(.*)$", lessons.path(name).read_text("utf-8"), re.MULTILINE)
    return heading[1].strip() if heading else lessons.topic(name)
