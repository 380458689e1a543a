"""The judge: asks a probe about every case of an exercise, compares with the reference and scores.

`judge(exercise, seed, ask)` sends one request at a time through `ask` and trusts nothing that comes back: an
observation is only ever the answer to the case just asked, and whatever is missing or malformed earns nothing.
"""

import builtins
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from autograder import wire
from autograder.compare import Problem, Tolerance, compare, describe, show
from autograder.exercise import Case, Exercise
from autograder.probe import prober
from autograder.report import AspectResult, Report
from autograder.wire import Prop, Tensor, WireError

PUBLIC_SEED = 0
TIMEOUTS_AT_MOST = 2
MISBEHAVIOR = ("changed", "stale", "warning")
FIXED_WORDS = {
    "value": "It gives other values than expected.",
    "shape": "It gives another shape than expected.",
    "dtype": "It gives another dtype than expected.",
    "type": "It gives another type than expected.",
    "None": "It returns None.",
    "raised": "It raises an error.",
    "not raised": "It should raise an error, and does not.",
    "timeout": "It does not finish in time.",
    "parameters": "The module cannot be built, or its parameters are not as expected.",
    "gradient": "Its gradients are not as expected.",
    "changed": "It changes its input. Work on a copy.",
    "stale": "It overwrites the result of an earlier call. Return a new array each time.",
    "warning": "It emits a warning on valid input.",
}
FUNCTION_TOLERANCE = {"float16": 1e-2, "float32": 1e-5, "float64": 1e-10}
MODULE_TOLERANCE = {"float16": 1e-2, "float32": 1e-4, "float64": 1e-9}


class Lost(Exception):
    """Raised by `ask` where no answer can be had any more; the message tells the student why."""


@dataclass(frozen=True)
class Answer:
    """An observation, read and made safe."""

    outcome: str
    value: object = None
    gradients: dict | None = None
    changed: tuple = ()
    stale: bool = False
    printed: str = ""
    warnings: tuple = ()
    error: str = ""
    bases: tuple = ()
    message: str = ""
    where: tuple | None = None


class Request(dict):
    """A request, as a tree of `wire`, and the bytes that ask it: made once, for a whole class."""

    @cached_property
    def question(self) -> bytes:
        return wire.dumps({"case": self})


@dataclass(frozen=True)
class Question:
    """A case made ready to be asked: its request and the reference's answer."""

    aspect: str
    case: Case
    hidden: bool
    request: Request
    expected: Answer | None
    tolerance: Tolerance


class Exam:
    """All questions of an exercise for one seed, with the answers of the reference and of the misconceptions.

    The public ones come first: what a student's code says in answer to them cannot tell of hidden ones. With None as
    the seed, there are only public ones.
    """

    def __init__(self, exercise: Exercise, seed: int | None):
        self.exercise = exercise
        self.seed = seed
        public = seed is None
        self.questions = [] if public else list(exam(exercise, None).questions)
        self.questions += [
            _question(exercise, aspect.name, case, not public)
            for aspect in exercise.aspects
            for case in exercise.cases(aspect, PUBLIC_SEED if public else seed)
        ]

    @cached_property
    def suspects(self) -> list["Suspect"]:
        """The misconceptions, ready to be asked. What they answer to the public questions is the same for all seeds."""
        implementations = [mistake.implementation for mistake in self.exercise.misconceptions]
        if self.seed is None:
            return [Suspect(self, each) for each in implementations]
        public = exam(self.exercise, None).suspects
        return [Suspect(self, each, before) for each, before in zip(implementations, public, strict=True)]

    @property
    def mistakes(self) -> list[tuple[list[Answer], list[Problem | None]]]:
        """For each misconception, its answers and what is wrong with them."""
        return [suspect.everything() for suspect in self.suspects]


class Suspect:
    """What a misconception answers: asked in order, once, and only as far as somebody wants to know.

    before: the same misconception on the questions that this exam begins with.
    """

    def __init__(self, sheet: Exam, implementation: Callable, before: "Suspect | None" = None):
        self.sheet, self.before = sheet, before
        self.shared = len(before.sheet.questions) if before else 0
        self.waiting = self._answers(prober(implementation))
        self.known: list[tuple[Answer, Problem | None]] = []

    def __getitem__(self, i: int) -> tuple[Answer, Problem | None]:
        """The answer to question i, and what is wrong with it."""
        if i < self.shared:
            return self.before[i]
        while len(self.known) <= i - self.shared:
            answer, question = next(self.waiting), self.sheet.questions[self.shared + len(self.known)]
            self.known.append((answer, _problem(self.sheet.exercise, question, answer)))
        return self.known[i - self.shared]

    def _answers(self, ask: Callable) -> Iterator[Answer]:
        before = [self.before[i][0] for i in range(self.shared)]
        yield from _answering(self.sheet.questions[self.shared :], ask, before)

    def everything(self) -> tuple[list[Answer], list[Problem | None]]:
        every = [self[i] for i in range(len(self.sheet.questions))]
        return [answer for answer, _ in every], [problem for _, problem in every]


@lru_cache(maxsize=64)
def exam(exercise: Exercise, seed: int | None) -> Exam:
    """The exam for a seed, kept, so that a class shares it."""
    return Exam(exercise, seed)


def judge(
    exercise: Exercise,
    seed: int | None,
    ask: Callable[[dict], dict],
    show_hidden: bool = True,
    show_public: bool = True,
) -> Report:
    """Ask about every case and report; with None as the seed, about the public cases only.

    Of cases that are not shown, nothing is told of their data, nor anything that the student's code could word.
    """
    sheet = exam(exercise, seed)
    return report_on(sheet, _answers(sheet, ask), show_hidden, show_public)


def report_on(sheet: Exam, answers: list[Answer], show_hidden: bool = True, show_public: bool = True) -> Report:
    """The report on a student's answers to all questions of an exam; see `judge`."""
    exercise = sheet.exercise
    problems = _problems(sheet, answers)
    shown = {True: show_hidden, False: show_public}
    aspects = [_result(sheet, aspect, answers, problems, shown) for aspect in exercise.aspects]
    report = Report(exercise.name, aspects, seed=sheet.seed)
    if not report.passed:
        report.message = _overall(sheet, answers)
        if sheet.seed is not None:
            report.misconception, report.hint = _recognize(sheet, answers, problems)
    if show_hidden and any(answer.printed for answer in answers):
        text = next(answer.printed for answer in answers if answer.printed).strip()
        report.notes.append(f"It prints ({text[:60]!r}), which costs nothing; remove it when you are done.")
    return report


def unanswered(exercise: Exercise, message: str) -> Report:
    """The report on an exercise that could not be judged at all: no points, and why."""
    aspects = [AspectResult(aspect.name, aspect.points, False, message) for aspect in exercise.aspects]
    return Report(exercise.name, aspects, message=message)


def _answers(sheet: Exam, ask) -> list[Answer]:
    return list(_answering(sheet.questions, ask))


def _answering(questions: list[Question], ask, before: Sequence[Answer] = ()) -> Iterator[Answer]:
    """The answers in order, each asked for when it is wanted. before: those to earlier questions."""
    timeouts, last = sum(answer.outcome == "timeout" for answer in before), before[-1] if before else None
    for question in questions:
        if last is None or last.outcome not in ("lost", "skipped"):
            if timeouts >= TIMEOUTS_AT_MOST:
                last = Answer("skipped", message="Not tried, because two earlier calls ran out of time.")
            else:
                last = _ask(ask, question.request)
                timeouts += last.outcome == "timeout"
        yield last


def _ask(ask, request: dict) -> Answer:
    try:
        return _read(ask(request))
    except Lost as lost:
        return Answer("lost", message=str(lost))
    except WireError as error:
        return Answer("malformed", message=f"The answer cannot be read ({error}).")


def _read(tree) -> Answer:
    """An observation as an `Answer`; whatever is not as the probe writes it is a WireError."""
    if not isinstance(tree, dict) or not isinstance(tree.get("outcome"), str):
        raise WireError("not an observation")
    common = {"printed": _string(tree.get("printed", "")), "warnings": _strings(tree.get("warnings", []))}
    outcome = tree["outcome"]
    if outcome == "returned":
        gradients = tree.get("gradients")
        changed = tree.get("changed", [])
        if not isinstance(changed, list) or not all(isinstance(item, (int, str)) for item in changed):
            raise WireError("not an observation")
        return Answer(
            "returned",
            value=wire.decode(tree.get("value")),
            gradients=None if gradients is None else wire.decode(gradients),
            changed=tuple(changed),
            stale=tree.get("stale") is True,
            **common,
        )
    if outcome == "raised":
        where = tree.get("where")
        if where is not None and not (isinstance(where, list) and len(where) == 2):
            raise WireError("not an observation")
        return Answer(
            "raised",
            error=_string(tree.get("type")),
            bases=_strings(tree.get("bases", [])),
            message=_string(tree.get("message", "")),
            where=None if where is None else (where[0], _string(where[1])),
            **common,
        )
    if outcome in ("timeout", "parameters"):
        return Answer(outcome, message=_string(tree.get("message", "")), **common)
    raise WireError("not an observation")


def _string(value) -> str:
    if not isinstance(value, str):
        raise WireError("not a string")
    return value[:2000]


def _strings(value) -> tuple:
    if not isinstance(value, list):
        raise WireError("not a list")
    return tuple(_string(item) for item in value[:20])


def _question(exercise: Exercise, aspect: str, case: Case, hidden: bool) -> Question:
    request = dict(case.request)
    draw = request.pop("draw", None)
    is_module = request["init"] is not None
    if is_module:
        request["parameters"] = _draw(exercise, request, draw) if draw else None
    dtypes = {request["dtype"]} if is_module else _dtypes(request["calls"])
    if len(dtypes) > 1:
        raise ValueError(f"{exercise.name}, {case.label}: inputs of several floating dtypes, {sorted(dtypes)}")
    dtype = next(iter(dtypes), None)
    tolerances = MODULE_TOLERANCE if is_module else FUNCTION_TOLERANCE
    size = case.size if case.size is not None else _size(request["calls"])
    tolerance = Tolerance(
        rtol=max(case.rtol or 0.0, tolerances[dtype or "float64"]),
        floor=exercise.floor,
        slack=4 * float(np.finfo(dtype or "float64").eps) * size,
        dtype=dtype if case.dtype_matters else None,
    )
    expected = None if case.error else _reference(exercise, case, request)
    if dtype is None and expected is not None and case.dtype_matters:
        tolerance = _own_dtype(tolerance, expected)
    return Question(aspect, case, hidden, _tree(request, exercise), expected, tolerance)


def _own_dtype(tolerance: Tolerance, expected: Answer) -> Tolerance:
    """Where no input has a floating dtype, the reference's output says which is expected, and how precise."""
    dtype = next(iter(_dtypes(expected.value)), None)
    if dtype is None:
        return tolerance
    return Tolerance(max(tolerance.rtol, FUNCTION_TOLERANCE[dtype]), tolerance.floor, tolerance.slack, dtype)


def _tree(request: dict, exercise: Exercise) -> Request:
    return Request({key: wire.encode(value) for key, value in {**request, "seconds": exercise.seconds}.items()})


def _reference(exercise: Exercise, case: Case, request: dict) -> Answer:
    upcast = {key: _upcast(value) for key, value in request.items()}
    if request["init"] is not None:
        upcast["dtype"] = "float64"
    tree = _tree(upcast, exercise) | {"seconds": wire.encode(60.0)}
    answer = _ask(prober(exercise.oracle), tree)
    if answer.outcome != "returned":
        problem = f"{answer.outcome} {answer.error} {answer.message} {answer.where or ''}"
        raise RuntimeError(f"the reference of {exercise.name} fails on the case {case.label!r}: {problem}")
    return answer


def _draw(exercise: Exercise, request: dict, draw) -> dict:
    """Values for the reference's parameters, by name; parameters that are tied get the same ones."""
    import torch

    seed, scale = draw
    rng = np.random.default_rng(seed)
    init, init_kwargs = request["init"]
    parameters = exercise.oracle(*init, **init_kwargs).named_parameters(remove_duplicate=False)
    drawn: dict[int, torch.Tensor] = {}
    values = {}
    for name, parameter in parameters:
        if id(parameter) not in drawn:
            drawn[id(parameter)] = torch.tensor(scale * rng.normal(size=tuple(parameter.shape)))
        values[name] = drawn[id(parameter)]
    return values


def _leaves(value):
    """Arrays and tensors in a nested value."""
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, dict):
        yield from _leaves(list(value.values()))
    elif isinstance(value, Prop):
        yield from _leaves(value.data)
    elif isinstance(value, Tensor):
        yield value.array
    elif hasattr(value, "detach"):
        yield value.detach().numpy()
    elif isinstance(value, (np.ndarray, np.generic)):
        yield np.asarray(value)


def _dtypes(value) -> set[str]:
    return {array.dtype.name for array in _leaves(value) if array.dtype.kind == "f"}


def _size(value) -> float:
    """The largest finite absolute value among floating inputs."""
    sizes = [np.abs(a[np.isfinite(a)]).max(initial=0.0) for a in _leaves(value) if a.dtype.kind == "f"]
    return float(max(sizes, default=0.0))


def _upcast(value):
    if isinstance(value, (list, tuple)):
        return type(value)(_upcast(item) for item in value)
    if isinstance(value, dict):
        return {key: _upcast(item) for key, item in value.items()}
    if isinstance(value, Prop):
        return Prop(value.kind, **_upcast(value.data))
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind == "f":
        return value.astype(np.float64)
    if hasattr(value, "is_floating_point") and value.is_floating_point():
        return value.detach().double()
    return value


def _problems(sheet: Exam, answers: list[Answer]) -> list[Problem | None]:
    return [_problem(sheet.exercise, q, a) for q, a in zip(sheet.questions, answers, strict=True)]


def _problem(exercise: Exercise, question: Question, answer: Answer) -> Problem | None:
    """What is wrong with an answer, or None."""
    if answer.outcome in ("lost", "skipped", "malformed"):
        return Problem(answer.outcome, answer.message)
    if answer.outcome == "timeout":
        return Problem("timeout", f"It did not finish within the limit of {exercise.seconds:g} seconds per call.")
    if answer.outcome == "parameters":
        return Problem("parameters", f"After it is built, {answer.message}.")
    error = question.case.error
    if answer.outcome == "raised":
        return None if error and error.__name__ in answer.bases else _raised(answer, error)
    if error:
        return Problem("not raised", f"It should raise {error.__name__}, but it returned {describe(answer.value)}.")
    return _wrong_value(exercise, question, answer) or _misbehaved(exercise, question, answer)


def _raised(answer: Answer, wanted) -> Problem:
    if answer.error == "NotImplementedError":
        return Problem("not written", "It is not written yet: it raises NotImplementedError.")
    known = isinstance(vars(builtins).get(answer.error), type)
    instead = f"It should raise {wanted.__name__}, but it" if wanted else "It"
    text = f"{instead} raised {answer.error if known else 'an error'}."
    return Problem("raised", text, lambda: _complaint(answer, known))


def _complaint(answer: Answer, known: bool) -> str:
    """Where an error was raised and what it says, in one line."""
    said = _sentence(answer.message if known else f"{answer.error}: {answer.message}")
    if answer.where:
        place = f"At your line {answer.where[0]}, `{answer.where[1]}`"
        return f"{place}: {said}" if said else f"{place}."
    if answer.error == "TypeError" and "argument" in answer.message:
        return f"It says: {said} Keep the parameters and their names as the exercise gives them."
    return f"It says: {said}" if said else ""


def _sentence(text: str) -> str:
    """A message of Python's or NumPy's in one line, not too long, with a full stop."""
    text = " ".join(text.split()).rstrip(": ")
    text = text if len(text) <= 240 else f"{text[:237]}..."
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def _wrong_value(exercise, question, answer) -> Problem | None:
    value = wire.plain(answer.value)
    if question.case.judgement:
        return _verdict(question.case.judgement, question, value)
    problem = compare(question.expected.value, answer.value, question.tolerance)
    if problem:
        return _name_part(exercise, problem)
    for law in exercise.properties:
        problem = _verdict(law, question, value)
        if problem:
            return problem
    if question.expected.gradients is not None:
        return _wrong_gradients(exercise, question, answer)
    return None


def _name_part(exercise, problem: Problem) -> Problem:
    text = problem.text
    for index, name in enumerate(exercise.returns):
        text = text.replace(f"output[{index}]", f"`{name}`", 1)
    return Problem(problem.kind, text, problem.numbers, problem.picture)


def _verdict(law, question, value) -> Problem | None:
    try:
        text = law(question.case, value)
    except Exception as error:
        text = f"It returned something of another form than expected ({type(error).__name__})."
    return Problem("property", text) if text else None


def _wrong_gradients(exercise, question, answer) -> Problem | None:
    if not isinstance(answer.gradients, dict):
        return Problem("gradient", "No gradients came back.")
    names = _input_names(exercise, question.case)
    loose = Tolerance(
        question.tolerance.rtol * 10,
        max(question.tolerance.floor, 1e-3),
        question.tolerance.slack,
        question.tolerance.dtype,
    )
    for name, expected in question.expected.gradients.items():
        have = answer.gradients.get(name)
        problem = compare(expected, have, loose, f"The gradient for `{names.get(name, name)}`")
        if problem:
            missing = isinstance(have, Tensor) and not have.array.any() and problem.kind == "value"
            text = "It is zero everywhere: does anything cut the graph (detach, .data, NumPy)?" if missing else ""
            return Problem("gradient", f"{problem.text} {text}".strip(), problem.numbers)
    return None


def _input_names(exercise: Exercise, case: Case) -> dict[str, str]:
    """The probe's "input 0", "input 1", ... by the names of the arguments that hold them."""
    names = _parameter_names(exercise, case)
    held = []
    for _, args, kwargs in case.request["calls"]:
        named = [(names[i] if i < len(names) else f"argument {i + 1}", arg) for i, arg in enumerate(args)]
        for name, value in named + list(kwargs.items()):
            held += [name for array in _leaves(value) if array.dtype.kind == "f"]
    return {f"input {number}": name for number, name in enumerate(held)}


def _misbehaved(exercise, question, answer) -> Problem | None:
    if answer.changed:
        names = _parameter_names(exercise, question.case)
        which = [
            (f"input `{names[i]}`" if i < len(names) else f"argument {i + 1}") if isinstance(i, int) else f"input `{i}`"
            for i in answer.changed
        ]
        return Problem("changed", f"It changed its {which[0]}. Work on a copy.")
    if answer.stale:
        return Problem("stale", "It overwrote the result of an earlier call. Return a new array each time.")
    if answer.warnings and question.case.warnings_matter:
        return Problem(
            "warning",
            f"It emitted a warning on valid input: {answer.warnings[0].split(':')[0]}.",
            lambda: f"It says: {_sentence(answer.warnings[0].partition(':')[2])}",
        )
    return None


def _parameter_names(exercise: Exercise, case: Case) -> list[str]:
    method = case.request["calls"][0][0] if case.request["calls"] else "__call__"
    subject = exercise.oracle if case.request["init"] is None else getattr(exercise.oracle, method)
    names = [
        name
        for name, parameter in inspect.signature(subject).parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    return names if case.request["init"] is None else names[1:]


def _result(sheet: Exam, aspect, answers, problems, shown: dict[bool, bool]) -> AspectResult:
    anywhere = any(other.purity for other in sheet.exercise.aspects)
    failed = [
        (question, problem)
        for question, problem in zip(sheet.questions, problems, strict=True)
        if problem and _counts(aspect, question, problem, anywhere)
    ]
    if not failed:
        return AspectResult(aspect.name, aspect.points, True)
    question, problem = failed[0]
    open_ = shown[question.hidden]
    message = _message(sheet.exercise, question, problem, open_)
    return AspectResult(aspect.name, aspect.points, False, message, problem.picture if open_ else None)


def _counts(aspect, question: Question, problem: Problem, purity_apart: bool) -> bool:
    """Misbehavior counts once, in the purity aspect, wherever it is seen; without such an aspect, where it is seen."""
    if purity_apart and problem.kind in MISBEHAVIOR:
        return aspect.purity
    return question.aspect == aspect.name


def _message(exercise: Exercise, question: Question, problem: Problem, open_: bool) -> str:
    case = question.case
    if problem.kind in ("not written", "lost", "skipped", "malformed"):
        return problem.text
    if not open_:
        which = " (a hidden case)" if question.hidden else ""
        return f"{case.label}{which}: {FIXED_WORDS.get(problem.kind, 'It is not as expected.')}"
    call = _built(exercise, case) if problem.kind == "parameters" else _called(exercise, case)
    parts = [f"{case.label}: called {call}.", problem.text, problem.numbers()]
    if case.reason and problem.kind not in ("changed", "stale", "warning", "dtype"):
        opening = "That is because" if problem.kind in ("value", "nan", "inf") else "Remember:"
        parts.append(f"{opening} {case.reason}.")
    return " ".join(part for part in parts if part)


def _built(exercise: Exercise, case: Case) -> str:
    init, init_kwargs = case.request["init"]
    given = [show(value) for value in init] + [f"{name}={show(value)}" for name, value in init_kwargs.items()]
    return f"`{exercise.name}({', '.join(given)})`"


def _called(exercise: Exercise, case: Case) -> str:
    """What was called, with each argument in a few words."""
    is_module = case.request["init"] is not None
    subject = _built(exercise, case).strip("`") if is_module else exercise.name
    if is_module and (case.error or not case.request["calls"]):
        return f"`{subject}`"
    method, args, kwargs = case.request["calls"][0]
    names = _parameter_names(exercise, case)
    named = [(names[i] if i < len(names) else f"argument {i + 1}", value) for i, value in enumerate(args)]
    call = f"{subject}.{method}" if method not in ("__call__", "forward") else subject
    written = [name if _is_long(value) else show(value) for name, value in named]
    written += [f"{name}={name if _is_long(value) else show(value)}" for name, value in kwargs.items()]
    long = [(name, value) for name, value in [*named, *kwargs.items()] if _is_long(value)]
    whole = _shown_whole([value for _, value in long])
    told = ", ".join(
        f"{name} = {_brief(value, id(value) in whole)}" for name, value in long if not isinstance(value, Prop)
    )
    return f"`{call}({', '.join(written)})`" + (f" with {told}" if told else "")


def _shown_whole(values: list) -> set[int]:
    """The ids of the arrays that are shown number by number: small ones, the smallest first, not too many in all."""
    sized = [(int(np.prod(value.shape)), id(value)) for value in values if hasattr(value, "shape")]
    shown, total = set(), 0
    for size, key in sorted(sized):
        total += size
        if size > 12 or total > 24:
            break
        shown.add(key)
    return shown


def _is_long(value) -> bool:
    return isinstance(value, (Prop, np.ndarray)) or hasattr(value, "detach") or len(show(value)) > 20


def _brief(value, whole: bool) -> str:
    if hasattr(value, "detach"):
        value = Tensor(value.detach().numpy())
    array = value.array if isinstance(value, Tensor) else value
    if isinstance(array, np.ndarray):
        return show(array) if whole else describe(value)
    return show(value)


def _overall(sheet: Exam, answers: list[Answer]) -> str:
    """One sentence where the same thing is wrong with every answer."""
    exercise = sheet.exercise
    if all(a.outcome == "raised" and a.error == "NotImplementedError" for a in answers):
        return f"`{exercise.name}` is not written yet: it raises NotImplementedError. Replace that line with your code."
    wanted = [question.expected.value for question in sheet.questions if question.expected]
    returns_none = all(a.outcome == "returned" and a.value is None for a in answers)
    if returns_none and any(value is not None for value in wanted):
        printed = " Printing is not returning." if any(answer.printed for answer in answers) else ""
        return f"`{exercise.name}` returns None. Is there a `return`?{printed}"
    if answers[0].outcome == "lost":
        return answers[0].message
    return ""


def _recognize(sheet: Exam, answers, problems) -> tuple[str | None, str]:
    """The misconception whose answers are the student's wherever the student is wrong, and not wrong much more often.

    If there is none, a wrong dtype and warnings are left aside: they may be a second mistake. Then the misconception
    must also be right wherever the student is.
    """
    wrong = [i for i, problem in enumerate(problems) if problem]
    if any(problems[i].kind in ("not written", "lost", "malformed", "skipped") for i in wrong):
        return None, ""
    found = [pair for pair in _matching(sheet, answers, wrong) if _count_wrong(pair[0]) <= 2 * len(wrong)]
    if not found:
        first = [i for i in wrong if problems[i].kind not in ("dtype", "warning")]
        found = _matching(sheet, answers, first) if first and len(first) < len(wrong) else []
        untrue = {i for i in wrong if problems[i].kind != "warning"}
        found = [pair for pair in found if {i for i, p in enumerate(pair[0].everything()[1]) if p} <= untrue]
    if len(found) > 1:  # the one that is least wrong elsewhere
        found.sort(key=lambda pair: _count_wrong(pair[0]))
    return (found[0][1].name, found[0][1].hint) if found else (None, "")


def _count_wrong(suspect: Suspect) -> int:
    return sum(problem is not None for problem in suspect.everything()[1])


def _matching(sheet: Exam, answers, wrong) -> list:
    return [
        (suspect, mistake)
        for suspect, mistake in zip(sheet.suspects, sheet.exercise.misconceptions, strict=True)
        if all(suspect[i][1] and _same(sheet.questions[i], answers[i], suspect[i][0]) for i in wrong)
    ]


def _same(question: Question, mine: Answer, theirs: Answer) -> bool:
    if mine.outcome != theirs.outcome or mine.outcome == "timeout":
        return mine.outcome == theirs.outcome
    if mine.outcome == "raised":
        return mine.error == theirs.error
    if mine.outcome != "returned":
        return mine.message == theirs.message
    if (mine.changed, mine.stale) != (theirs.changed, theirs.stale):
        return False
    tolerance = Tolerance(question.tolerance.rtol, question.tolerance.floor, question.tolerance.slack, None)
    if not _alike(theirs.value, mine.value, tolerance):
        return False
    return mine.gradients is None or theirs.gradients is None or _alike(theirs.gradients, mine.gradients, tolerance)


def _alike(theirs, mine, tolerance) -> bool:
    return compare(theirs, mine, tolerance) is None
