"""What an exercise says: its reference, its cases by aspect, the mistakes it knows and its hints.

A lesson's file in `autograder/exercises/` makes one `Exercise` for each graded name.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from zlib import crc32

import numpy as np

from autograder.wire import Prop

__all__ = ["Aspect", "Case", "Exercise", "Misconception", "Prop", "case", "module"]


@dataclass(frozen=True)
class Case:
    """One call of the student's function, or one life of the student's module, and what must come of it."""

    label: str
    request: dict
    error: type[Exception] | None = None
    reason: str = ""
    judgement: Callable | None = None
    rtol: float | None = None
    size: float | None = None
    dtype_matters: bool = True
    warnings_matter: bool = True

    @property
    def args(self) -> tuple:
        return self.request["calls"][0][1]

    @property
    def kwargs(self) -> dict:
        return self.request["calls"][0][2]

    def raises(self, error: type[Exception]) -> "Case":
        """The call (or the constructor) must raise this error."""
        return replace(self, error=error)

    def because(self, reason: str) -> "Case":
        """Why the expected answer is what it is, for the message."""
        return replace(self, reason=reason)

    def judged_by(self, judgement: Callable) -> "Case":
        """`judgement(case, value)` returns None or a sentence; it replaces the comparison with the reference."""
        return replace(self, judgement=judgement)

    def tolerance(self, rtol: float) -> "Case":
        """A relative tolerance looser than the course's."""
        return replace(self, rtol=rtol)

    def magnitude(self, size: float) -> "Case":
        """The size M of the inputs that matter, where others (under a mask, say) are larger."""
        return replace(self, size=size)

    def any_dtype(self) -> "Case":
        """Which floating dtype comes back is left open."""
        return replace(self, dtype_matters=False)

    def may_warn(self) -> "Case":
        """Warnings are no fault here."""
        return replace(self, warnings_matter=False)

    def gradients(self) -> "Case":
        """Compare the gradients for every floating tensor input, and for a module's parameters, too."""
        return replace(self, request={**self.request, "gradients": True})


def case(label: str, *args, **kwargs) -> Case:
    """A call of the student's function with these arguments."""
    return Case(label, {"calls": [("__call__", args, kwargs)], "init": None, "gradients": False})


def module(
    label: str,
    *,
    init: tuple = (),
    init_kwargs: dict | None = None,
    args: tuple = (),
    kwargs: dict | None = None,
    method: str = "forward",
    calls: list[tuple[str, tuple, dict]] | None = None,
    rng: np.random.Generator | None = None,
    parameters: bool = True,
    dtype: str = "float64",
    train: bool = False,
    scale: float = 0.5,
) -> Case:
    """A module that is built with `init`, given parameter values, and called.

    The values are drawn from `rng` (normal, times `scale`) for the names and shapes of the reference's parameters;
    `parameters=False` leaves the module's own initial values. `calls` is a list of (method, args, kwargs); with it
    the value is the list of the results. `dtype` is the parameters'. `train=True` leaves the module in training mode.
    """
    many = calls is not None
    request = {
        "init": (init, init_kwargs or {}),
        "calls": calls if many else [(method, args, kwargs or {})],
        "many": many,
        "parameters": None,
        "dtype": dtype,
        "train": train,
        "gradients": False,
    }
    draw = (int(rng.integers(2**31)), scale) if parameters and rng is not None else None
    return Case(label, {**request, "draw": draw})


@dataclass(frozen=True)
class Aspect:
    name: str
    points: int
    cases: Callable[[np.random.Generator], Iterator[Case]]
    purity: bool = False


@dataclass(frozen=True)
class Misconception:
    name: str
    hint: str
    implementation: Callable


@dataclass(eq=False)
class Exercise:
    """How one graded name is checked.

    name: the student's function or class. lesson: such as "03_masking". floor: tolerances are relative to the
    largest expected absolute value, and to at least this. returns: names of the parts of a returned tuple.
    seconds: the time limit of one call.
    """

    name: str
    lesson: str
    floor: float = 0.0
    returns: tuple[str, ...] = ()
    seconds: float = 5.0
    oracle: Callable | None = None
    aspects: list[Aspect] = field(default_factory=list)
    misconceptions: list[Misconception] = field(default_factory=list)
    properties: list[Callable] = field(default_factory=list)
    hints: tuple[str, ...] = ()

    @property
    def points(self) -> int:
        return sum(aspect.points for aspect in self.aspects)

    def reference(self, oracle: Callable) -> Callable:
        """Decorator: the independent oracle; it is given floating inputs as float64."""
        self.oracle = oracle
        return oracle

    def aspect(self, name: str, points: int, purity: bool = False) -> Callable:
        """Decorator of a generator of cases, `cases(rng)`.

        purity: inputs that are changed, earlier results that are overwritten and warnings, in any case of the
        exercise, count against this aspect alone; without such an aspect they count where they are seen.
        """

        def register(cases):
            self.aspects.append(Aspect(name, points, cases, purity))
            return cases

        return register

    def misconception(self, name: str, hint: str) -> Callable:
        """Decorator of a small wrong implementation: a mistake that students make, and the hint that cures it."""

        def register(implementation):
            self.misconceptions.append(Misconception(name, hint, implementation))
            return implementation

        return register

    def property(self, law: Callable) -> Callable:
        """Decorator: `law(case, value)` returns None or a sentence, for every case that returned."""
        self.properties.append(law)
        return law

    def cases(self, aspect: Aspect, seed: int) -> list[Case]:
        """The aspect's cases for a seed; the same seed gives the same cases on every machine."""
        return list(aspect.cases(np.random.default_rng([seed & (2**63 - 1), crc32(aspect.name.encode())])))
