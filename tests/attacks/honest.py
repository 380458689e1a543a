# ruff: noqa: E501
"""Honest but awkward submissions: each deserves full marks. A change to a notebook (plain JSON) with right answers."""

import copy
import json

HONEST = {}


def honest(change):
    HONEST["honest-" + change.__name__.replace("_", "-")] = change
    return change


def code(source, **metadata):
    return {"cell_type": "code", "metadata": metadata, "source": source, "outputs": [], "execution_count": None}


def place(notebook, name):
    return next(
        i for i, cell in enumerate(notebook["cells"]) if cell["metadata"].get("nbgrader", {}).get("grade_id") == name
    )


def solution(notebook, name="dot_product"):
    return notebook["cells"][place(notebook, name)]


def source_of(cell):
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


@honest
def plain(notebook):
    pass


@honest
def standard_error(notebook):
    solution(notebook)["source"] = "import sys\nprint('note', file=sys.stderr)\n" + source_of(solution(notebook))


@honest
def warnings_given(notebook):
    notebook["cells"].insert(
        place(notebook, "dot_product"), code("import warnings, logging\nwarnings.warn('careful')\nlogging.error('x')")
    )


@honest
def magics(notebook):
    at = place(notebook, "dot_product")
    lines = "%matplotlib inline\n%load_ext autoreload\n%autoreload 2\n%config InlineBackend.figure_format = 'retina'\n!ls\n%timeit -n1 -r1 1 + 1\n%pwd"
    notebook["cells"].insert(at, code(lines))
    solution(notebook)["source"] = "%%time\n" + source_of(solution(notebook))


@honest
def helpers_in_added_cells(notebook):
    at = place(notebook, "dot_product")
    notebook["cells"][at]["source"] = "def dot_product(u, v):\n    return total(u * v)\n"
    notebook["cells"].insert(at, code("def total(x):\n    return x.sum(axis=-1)"))


@honest
def helper_after_the_solution(notebook):
    at = place(notebook, "dot_product")
    notebook["cells"][at]["source"] = "def dot_product(u, v):\n    return total(u * v)\n"
    notebook["cells"].insert(at + 1, code("def total(x):\n    return x.sum(axis=-1)"))


@honest
def helper_in_a_lesson_cell(notebook):
    """A cell of the lesson that is free to change now holds the helper."""
    at = place(notebook, "dot_product")
    notebook["cells"][at]["source"] = "def dot_product(u, v):\n    return total(u * v)\n"
    free = [
        i
        for i, c in enumerate(notebook["cells"])
        if c["cell_type"] == "code" and not c["metadata"].get("nbgrader") and i < at
    ]
    helper = "def total(x):\n    return x.sum(axis=-1)\n"
    if free:
        notebook["cells"][free[-1]]["source"] = source_of(notebook["cells"][free[-1]]) + "\n" + helper
    else:
        notebook["cells"].insert(at, code(helper))


@honest
def scratch_cells_that_raise(notebook):
    for at, text in enumerate(
        (
            "1 / 0",
            "def f(:",
            "undefined_name",
            "raise KeyboardInterrupt",
            "import sys; sys.exit(1)",
            "exit()",
            "input()",
        )
    ):
        notebook["cells"].insert(place(notebook, "dot_product") + at % 2, code(text))


@honest
def scratch_cell_that_never_ends(notebook):
    notebook["cells"].insert(place(notebook, "dot_product") + 1, code("while True:\n    pass"))


@honest
def colab(notebook):
    """Colab drops the cells' ids and adds its own metadata."""
    for number, cell in enumerate(notebook["cells"]):
        cell.pop("id", None)
        cell["metadata"] |= {"id": f"Xy{number}", "colab": {"base_uri": "https://localhost:8080/"}, "outputId": "abc"}
    notebook["metadata"] = {
        "colab": {"provenance": []},
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
        "accelerator": "GPU",
    }
    notebook["nbformat_minor"] = 0


@honest
def vs_code(notebook):
    for cell in notebook["cells"]:
        cell["metadata"]["vscode"] = {"languageId": "python"}
        cell["source"] = source_of(cell).splitlines(keepends=True)
    notebook["metadata"]["vscode"] = {"interpreter": {"hash": "0" * 64}}
    notebook["metadata"]["kernelspec"] = {"name": "attention", "display_name": ".venv (3.12.1)", "language": "python"}


@honest
def another_kernel(notebook):
    notebook["metadata"]["kernelspec"] = {"name": "my-env", "display_name": "My env", "language": "python"}


@honest
def windows_line_ends(notebook):
    for cell in notebook["cells"]:
        cell["source"] = source_of(cell).replace("\n", "\r\n")


@honest
def format_4_0(notebook):
    for cell in notebook["cells"]:
        cell.pop("id", None)
    notebook["nbformat_minor"] = 0


@honest
def format_3(notebook):
    cells = []
    for cell in notebook["cells"]:
        old = {k: v for k, v in cell.items() if k not in ("id", "source", "execution_count")}
        text = source_of(cell).splitlines(keepends=True)
        cells.append(
            old
            | (
                {"input": text, "language": "python", "collapsed": False}
                if cell["cell_type"] == "code"
                else {"source": text}
            )
        )
    del notebook["cells"]
    notebook |= {"nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": cells, "metadata": {}}]}


@honest
def locked_cells_edited(notebook):
    for name in ("setup", "check_dot_product", "check_weighted_average"):
        notebook["cells"][place(notebook, name)]["source"] = "# I wonder what this does\nraise ValueError"


@honest
def locked_cells_deleted(notebook):
    for name in ("setup", "check_dot_product", "check_weighted_average"):
        del notebook["cells"][place(notebook, name)]


@honest
def all_text_deleted(notebook):
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


@honest
def order_changed(notebook):
    cell = notebook["cells"].pop(place(notebook, "weighted_average"))
    notebook["cells"].insert(0, cell)


@honest
def solution_cell_copied(notebook):
    """The old try is kept, and a copy of the cell below it holds the right answer."""
    at = place(notebook, "dot_product")
    twin = copy.deepcopy(notebook["cells"][at])
    notebook["cells"][at]["source"] = "def dot_product(u, v):\n    return u\n"
    notebook["cells"].insert(at + 1, twin)


@honest
def stub_copied(notebook):
    at = place(notebook, "dot_product")
    twin = copy.deepcopy(notebook["cells"][at])
    twin["source"] = STUB[0]
    notebook["cells"].insert(at + 1, twin)


STUB = [""]  # filled in by the tests, from the released notebook


@honest
def solution_cell_as_markdown(notebook):
    cell = solution(notebook)
    text = source_of(cell)
    cell.clear()
    cell |= {
        "cell_type": "markdown",
        "source": text,
        "metadata": {"nbgrader": {"grade_id": "dot_product", "solution": True}},
    }


@honest
def prints_and_plots(notebook):
    text = source_of(solution(notebook))
    notebook["cells"].insert(
        place(notebook, "dot_product"),
        code("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.savefig('mine.png')\nplt.show()"),
    )
    solution(notebook)["source"] = (
        "calls = []\n"
        + text
        + "\nplain_dot_product = dot_product\ndef dot_product(u, v):\n    print('called', len(calls))\n    calls.append(1)\n    return plain_dot_product(u, v)\n"
    )


@honest
def torch_imported(notebook):
    notebook["cells"].insert(
        place(notebook, "dot_product"),
        code("import torch\ntorch.manual_seed(0)\nx = torch.ones(3, requires_grad=True)\n(x * x).sum().backward()"),
    )


@honest
def sleeps_and_awaits(notebook):
    notebook["cells"].insert(
        place(notebook, "dot_product"), code("import asyncio, time\ntime.sleep(0.3)\nawait asyncio.sleep(0.1)")
    )


@honest
def settings_changed(notebook):
    notebook["cells"].insert(
        place(notebook, "dot_product"),
        code(
            "import numpy as np, warnings, random\nnp.random.seed(0)\nnp.set_printoptions(precision=2)\nnp.seterr(all='raise')\nwarnings.simplefilter('error')\nrandom.seed(1)"
        ),
    )


@honest
def processes_used(notebook):
    notebook["cells"].insert(
        place(notebook, "dot_product"),
        code(
            "from multiprocessing import get_context\nwith get_context('fork').Pool(2) as pool:\n    print(pool.map(abs, [-1, -2]))\nimport subprocess\nsubprocess.run(['echo', 'hello'])"
        ),
    )


@honest
def progress_bars_and_rich_output(notebook):
    notebook["cells"].insert(
        place(notebook, "dot_product"),
        code(
            "from tqdm.auto import tqdm\nfor _ in tqdm(range(3)):\n    pass\nfrom IPython.display import display, HTML, Image, clear_output\ndisplay(HTML('<b>x</b>'))\nclear_output()\n{'a': 1}"
        ),
    )


@honest
def odd_characters(notebook):
    solution(notebook)["source"] = "# Ünïcödé — 注意 🙂 \u2028 ok\n" + source_of(solution(notebook))
    notebook["cells"].append(code("naïve = '注意'\nprint(naïve)"))


# how the file itself is written, where it is not plain UTF-8 under its own name
ENCODINGS = {
    "honest-utf-8-with-mark": lambda notebook: json.dumps(notebook, ensure_ascii=False).encode("utf-8-sig"),
    "honest-utf-16": lambda notebook: json.dumps(notebook, ensure_ascii=False).encode("utf-16"),
    "honest-latin-1": lambda notebook: json.dumps(notebook | {"author": "Zoë"}, ensure_ascii=False).encode(
        "latin-1", "replace"
    ),
    "honest-indented-crlf": lambda notebook: json.dumps(notebook, indent=4).replace("\n", "\r\n").encode(),
}
