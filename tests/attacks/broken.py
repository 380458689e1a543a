"""Files that are no notebooks, or hardly, and notebooks with forged metadata: how they are made, what they deserve.

Each maker takes the folder that is handed in, the student's notebook as released, and a notebook with right answers
(both as plain JSON), and writes what it likes.
"""

import copy
import json
import os

FULL, NOTHING = 7.0, 0.0
BROKEN = {}
FORGED = {}


def broken(deserves: float):
    def register(maker):
        BROKEN[maker.__name__.replace("_", "-")] = (deserves, maker)
        return maker

    return register


def forged(deserves: float):
    """Forged notebooks: a change to the JSON of a notebook whose dot_product is wrong and weighted_average right."""

    def register(change):
        FORGED[change.__name__.replace("_", "-")] = (deserves, change)
        return change

    return register


def write(folder, notebook, **options):
    (folder / "00_welcome.ipynb").write_text(json.dumps(notebook, **options), encoding="utf-8")


@broken(NOTHING)
def truncated(folder, released, solved):
    (folder / "00_welcome.ipynb").write_text(json.dumps(solved)[:4000])


@broken(NOTHING)
def no_json(folder, released, solved):
    (folder / "00_welcome.ipynb").write_text("def dot_product(u, v): return (u * v).sum(-1)")


@broken(NOTHING)
def empty_file(folder, released, solved):
    (folder / "00_welcome.ipynb").write_text("")


@broken(NOTHING)
def binary(folder, released, solved):
    (folder / "00_welcome.ipynb").write_bytes(bytes(range(256)) * 100)


@broken(NOTHING)
def a_list(folder, released, solved):
    write(folder, [solved])


@broken(NOTHING)
def cells_are_no_list(folder, released, solved):
    write(folder, {**solved, "cells": {"0": solved["cells"]}})


@broken(NOTHING)
def strange_cells(folder, released, solved):
    write(
        folder,
        {
            "cells": [
                None,
                1,
                "x",
                [],
                {"cell_type": "code"},
                {"source": 3, "cell_type": "code"},
                {"cell_type": 5, "source": "x"},
            ]
        },
    )


@broken(NOTHING)
def nested_deeply(folder, released, solved):
    (folder / "00_welcome.ipynb").write_text('{"cells": ' + "[" * 200_000 + "]" * 200_000 + "}")


@broken(NOTHING)
def huge_number(folder, released, solved):
    (folder / "00_welcome.ipynb").write_text('{"cells": [], "nbformat": ' + "9" * 100_000 + "}")


@broken(NOTHING)
def too_many_cells(folder, released, solved):
    write(folder, {**solved, "cells": solved["cells"] * 500})


@broken(NOTHING)
def a_folder(folder, released, solved):
    (folder / "00_welcome.ipynb").mkdir()


@broken(NOTHING)
def nothing(folder, released, solved):
    pass


@broken(NOTHING)
def link_to_a_secret(folder, released, solved):
    (folder / "00_welcome.ipynb").symlink_to("/etc/passwd")


@broken(NOTHING)
def link_to_a_neighbor(folder, released, solved):
    (folder / "00_welcome.ipynb").symlink_to("../../honest-plain/00_welcome/00_welcome.ipynb")


@broken(NOTHING)
def link_to_itself(folder, released, solved):
    (folder / "00_welcome.ipynb").symlink_to("00_welcome.ipynb")


@broken(NOTHING)
def a_pipe(folder, released, solved):
    os.mkfifo(folder / "00_welcome.ipynb")


@broken(NOTHING)
def endless_device(folder, released, solved):
    (folder / "00_welcome.ipynb").symlink_to("/dev/zero")


@broken(NOTHING)
def seventy_megabytes(folder, released, solved):
    (folder / "00_welcome.ipynb").write_bytes(b" " * 70 * 2**20)


@broken(FULL)
def fifty_megabytes_of_output(folder, released, solved):
    solved["cells"][-1] = {"cell_type": "code", "metadata": {}, "source": "1", "execution_count": 1, "outputs": [
        {"output_type": "stream", "name": "stdout", "text": "flood\n" * (50 * 2**20 // 6)}]}  # fmt: skip
    write(folder, solved)


@broken(FULL)
def links_beside(folder, released, solved):
    write(folder, solved)
    (folder / "secret.txt").symlink_to("/etc/shadow")
    (folder / "loop").symlink_to(".")
    (folder / "timestamp.txt").symlink_to("/etc/passwd")


@broken(FULL)
def broken_timestamp(folder, released, solved):
    write(folder, solved)
    (folder / "timestamp.txt").write_text("the day before yesterday\n")


@broken(FULL)
def huge_timestamp(folder, released, solved):
    write(folder, solved)
    (folder / "timestamp.txt").write_text("1" * 10**7)


# ---- forged metadata


def check_cell(notebook, name="check_dot_product"):
    return next(cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") == name)


@forged(4.0)
def tags_on_the_check_cell(notebook):
    check_cell(notebook)["metadata"]["tags"] = ["skip-execution", "skip-grading", "raises-exception", "remove-cell"]


@forged(4.0)
def emptied_check_cell(notebook):
    check_cell(notebook)["source"] = "3.0"


@forged(4.0)
def points_raised(notebook):
    for cell in notebook["cells"]:
        if "points" in cell["metadata"].get("nbgrader", {}):
            cell["metadata"]["nbgrader"]["points"] = 1000


@forged(4.0)
def points_negative(notebook):
    check_cell(notebook)["metadata"]["nbgrader"]["points"] = -1000


@forged(4.0)
def check_cell_as_solution(notebook):
    check_cell(notebook)["metadata"]["nbgrader"] |= {"solution": True, "locked": False, "grade": True}
    check_cell(notebook)["source"] = "pass"


@forged(4.0)
def check_cell_as_markdown(notebook):
    cell = check_cell(notebook)
    cell.clear()
    cell.update(
        cell_type="markdown", source="3.0", metadata={"nbgrader": {"grade_id": "check_dot_product", "grade": True}}
    )


@forged(4.0)
def check_cell_deleted(notebook):
    notebook["cells"].remove(check_cell(notebook))


@forged(4.0)
def check_cell_doubled(notebook):
    twin = copy.deepcopy(check_cell(notebook))
    twin["source"] = "3.0"
    notebook["cells"].insert(0, twin)
    notebook["cells"].append(copy.deepcopy(twin))


@forged(4.0)
def outputs_forged(notebook):
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            data = {
                "output_type": "execute_result",
                "data": {"text/plain": "3.0"},
                "metadata": {},
                "execution_count": 1,
            }
            cell["outputs"] = [data]


@forged(4.0)
def graded_cell_of_ones_own(notebook):
    grading = {
        "grade": True,
        "grade_id": "bonus",
        "locked": True,
        "points": 100,
        "schema_version": 3,
        "solution": False,
        "task": False,
    }
    notebook["cells"].append(
        {
            "cell_type": "code",
            "metadata": {"nbgrader": grading},
            "source": "100.0",
            "outputs": [],
            "execution_count": None,
        }
    )


@forged(4.0)
def grade_id_taken_over(notebook):
    """An added cell that calls itself by the name of the check cell of the other exercise."""
    check_cell(notebook)["metadata"]["nbgrader"]["grade_id"] = "check_weighted_average"


@forged(4.0)
def check_cell_made_harmless(notebook):
    check_cell(notebook)["source"] = "def check(*a): pass\n" + check_cell(notebook)["source"]


@forged(4.0)
def setup_cell_replaced(notebook):
    check_cell(notebook, "setup")["source"] = (
        "import numpy as np\ndef check(*a): pass\nhint = lesson = progress = reveal = check"
    )


@forged(4.0)
def grade_id_of_another_type(notebook):
    notebook["cells"].append(
        {"cell_type": "code", "metadata": {"nbgrader": {"grade_id": ["x"], "points": "many"}}, "source": "1"}
    )
    notebook["cells"].append({"cell_type": "code", "metadata": ["nbgrader"], "source": "1"})
    notebook["metadata"] = "none"
    notebook["nbformat"] = "four"


@forged(4.0)
def a_kernel_of_ones_own(notebook):
    notebook["metadata"]["kernelspec"] = {"name": "bash", "display_name": "3.0", "language": "bash"}
    notebook["metadata"]["language_info"] = {"name": "bash", "codemirror_mode": "shell"}
