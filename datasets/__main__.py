"""python -m course_datasets: lists, shows and downloads data."""

from __future__ import annotations

import argparse
import sys

from . import available, load, polish
from .parallel import MULTI30K_LANGUAGES, download_multi30k


def parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(prog="python -m course_datasets", description=__doc__.split(": ")[1])
    commands = main.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the data sets, one a line")
    sample = commands.add_parser("sample", help="print some pairs")
    sample.add_argument("name", choices=list(available()))
    sample.add_argument("languages", nargs="*", help="source and target, for example en de")
    sample.add_argument("-n", type=int, default=10, help="how many pairs (default 10)")
    sample.add_argument("--part", choices=("train", "valid", "test"), default="train")
    sample.add_argument("--split", choices=("random", "length", "unseen"), default="random", help="sentences only")
    sample.add_argument("--seed", type=int, default=0)
    sample.add_argument("--polish", action="store_true", help="write sentences as people do")
    sample.add_argument("--data", metavar="DIR", help="a directory (tatoeba: or file) that already has the data")
    fetch = commands.add_parser("download", help="fetch Multi30k into the cache ($ATTN_DATA)")
    fetch.add_argument("name", choices=("multi30k",))
    fetch.add_argument("languages", nargs="*", choices=(*MULTI30K_LANGUAGES, []), help="default: all")
    fetch.add_argument("--url", help="another address of the files")
    return main


def _sample(arguments) -> None:
    options: dict = {}
    name, languages = arguments.name, arguments.languages
    if name == "multi30k":
        options["data_dir"] = arguments.data
    elif name == "tatoeba":
        if not arguments.data:
            raise ValueError("tatoeba reads a file of yours: give it with --data")
        options["path"] = arguments.data
    else:
        options |= {
            "seed": arguments.seed,
            "size": max(arguments.n, 1),
            "valid_size": arguments.n,
            "test_size": arguments.n,
        }
        if name == "sentences":
            options["split"] = arguments.split
            languages = []
        elif name == "dates":
            options |= {"languages": languages} if languages else {}
            languages = []
    data = load(name, *languages, **options)
    for source, target in data.part(arguments.part)[: arguments.n]:
        if arguments.polish and data.source_unit == data.target_unit == "word":
            source, target = polish(source, data.source_language), polish(target, data.target_language)
        print(f"{source}\t{target}")


def main(argv: list[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    try:
        if arguments.command == "list":
            for name, line in available().items():
                print(f"{name:<10} {line}")
        elif arguments.command == "sample":
            _sample(arguments)
        else:
            print(download_multi30k(*arguments.languages, base_url=arguments.url))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
