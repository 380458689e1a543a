"""The `attn` command.

A subcommand is a module with `arguments(parser)` and `run(args) -> int | None`, named in COMMANDS and imported
only when it is called. What it cannot do, it says by raising `Problem`: the message is shown, no traceback.
"""

import argparse
import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = {
    "build": ("autograder.build", "make the students' notebooks in course/ from solutions/"),
    "grade": ("autograder.grading.grade", "grade a class's submissions into the grade book"),
    "sample-class": ("autograder.grading.sample", "make a class of submissions whose scores are known"),
    "report": ("autograder.grading.overview", "say how a class did, exercise by exercise"),
}


class Problem(Exception):
    """Something that the person at the keyboard can mend; the message says what."""


def usage() -> argparse.ArgumentParser:
    """The parser of `attn` itself: it knows the subcommands' names and no more."""
    width = max(map(len, COMMANDS))
    listing = "\n".join(f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="attn",
        description="Attention from Scratch: build, grade and look after the course.",
        epilog=f"commands:\n{listing}\n\n`attn COMMAND --help` says more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of those below")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="what the command takes")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run `attn`; the exit status is 0, or 1 where a command did not do all it was asked to."""
    chosen = usage().parse_args(argv)
    module, text = COMMANDS[chosen.command]
    command = importlib.import_module(module)
    parser = argparse.ArgumentParser(prog=f"attn {chosen.command}", description=text[0].upper() + text[1:] + ".")
    command.arguments(parser)
    try:
        return command.run(parser.parse_args(chosen.arguments)) or 0
    except Problem as problem:
        print(f"attn {chosen.command}: {problem}", file=sys.stderr)
        return 1
