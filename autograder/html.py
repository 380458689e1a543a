"""A report as HTML: a table that a screen reader can read, in the notebook's own colors, light or dark."""

import re
from html import escape

import numpy as np

from autograder.report import AspectResult, Report

STYLE = """
.attn-report{border:1px solid var(--jp-border-color1,#bbb);border-left:6px solid var(--attn-edge);border-radius:4px;
padding:.6em 1em;margin:.3em 0;max-width:60em;color:var(--jp-content-font-color1,inherit);line-height:1.5}
.attn-report.passed{--attn-edge:#2a7f5f}.attn-report.failed{--attn-edge:#c4622d}
.attn-report .title{font-weight:600;font-size:1.1em;margin:0 0 .4em}
.attn-report table.aspects{border-collapse:collapse;margin:0}
.attn-report table.aspects :is(th,td){text-align:left;vertical-align:top;padding:.25em .8em .25em 0;white-space:normal;
background:transparent;border:0;border-top:1px solid var(--jp-border-color2,#ddd);font-weight:normal}
.attn-report table.aspects th[scope=row]{white-space:nowrap;font-weight:600}
.attn-report .likely{margin:.6em 0 0;padding:.4em .7em;border-radius:3px;
background:var(--jp-layout-color2,rgba(128,128,128,.15))}
.attn-report figure{display:inline-block;margin:.4em 1.2em .2em 0;text-align:center}
.attn-report figcaption{font-size:.85em}.attn-report .muted{opacity:.8;font-size:.9em;margin:.5em 0 0}
"""
CELL = 18


def render(report: Report) -> str:
    """The report as one HTML element."""
    state = "passed" if report.passed else "failed"
    title = f"{report.exercise}: {report.score} of {report.max_score} points"
    parts = [
        f"<style>{STYLE}</style>",
        f'<div class="attn-report {state}" role="region" aria-label="Check of {escape(report.exercise, quote=True)}">',
        f'<p class="title">{"✓" if report.passed else "✗"} {escape(title)}</p>',
    ]
    if report.message:
        parts.append(f"<p>{_prose(report.message)}</p>")
    parts.append(_table(report))
    if report.misconception:
        parts.append(
            f'<p class="likely"><b>Likely mistake:</b> {_prose(report.misconception)}. {_prose(report.hint)}</p>'
        )
    if not report.passed:
        parts.append(f'<p class="muted">Stuck? <code>hint("{escape(report.exercise)}")</code> gives a hint.</p>')
    parts += [f'<p class="muted">{_prose(note)}</p>' for note in report.notes]
    return "\n".join([*parts, "</div>"])


def _table(report: Report) -> str:
    rows = "".join(_row(aspect, bool(report.message)) for aspect in report.aspects)
    head = '<tr><th scope="col">aspect</th><th scope="col">points</th><th scope="col">result</th></tr>'
    return f'<table class="aspects"><thead>{head}</thead><tbody>{rows}</tbody></table>'


def _row(aspect: AspectResult, brief: bool) -> str:
    points = f"{aspect.points if aspect.passed else 0}/{aspect.points}"
    trouble = "not yet" if brief else f"{_prose(aspect.message)}{_pictures(aspect)}"
    result = "✓ passed" if aspect.passed else f"✗ {trouble}"
    return f'<tr><th scope="row">{escape(aspect.name)}</th><td>{points}</td><td>{result}</td></tr>'


def _prose(text: str) -> str:
    """Escaped text, with `code` in backquotes as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _pictures(aspect: AspectResult) -> str:
    if aspect.picture is None:
        return ""
    target, yours = (np.asarray(matrix, dtype=float) for matrix in aspect.picture)
    finite = target[np.isfinite(target)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    pair = (("target", target), ("yours", yours))
    return "<div>" + "".join(_heat_map(name, matrix, low, high) for name, matrix in pair) + "</div>"


def _heat_map(name: str, matrix: np.ndarray, low: float, high: float) -> str:
    """A small picture of a matrix: dark is low, light is high, crossed out is not a finite number."""
    rows, columns = matrix.shape
    squares = []
    for (i, j), value in np.ndenumerate(matrix):
        x, y = j * CELL, i * CELL
        if np.isfinite(value):
            squares.append(f'<rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" fill="{_color(value, low, high)}"/>')
        else:
            cross = f"M{x} {y}l{CELL} {CELL}M{x + CELL} {y}l-{CELL} {CELL}"
            squares.append(f'<path d="{cross}" stroke="currentColor" fill="none"/>')
    size = f'width="{columns * CELL}" height="{rows * CELL}" viewBox="0 0 {columns * CELL} {rows * CELL}"'
    label = f"{name}: a matrix of {rows} rows and {columns} columns"
    svg = f'<svg {size} role="img" aria-label="{label}">{"".join(squares)}</svg>'
    return f"<figure>{svg}<figcaption>{name}</figcaption></figure>"


def _color(value: float, low: float, high: float) -> str:
    """A color between cividis's dark blue and light yellow."""
    share = 0.5 if high <= low else float(np.clip((value - low) / (high - low), 0, 1))
    stops = ((0, 32, 77), (124, 123, 120), (255, 234, 70))
    at = share * 2
    first, second = (stops[0], stops[1]) if at <= 1 else (stops[1], stops[2])
    part = at if at <= 1 else at - 1
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in zip(first, second, strict=True))
