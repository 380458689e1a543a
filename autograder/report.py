"""What a check has found, as data and as text. (As HTML: html.py.)"""

from dataclasses import asdict, dataclass, field


@dataclass
class AspectResult:
    """One aspect: its points, whether it passed, and if not, a message. `picture` is (target, yours) or None."""

    name: str
    points: int
    passed: bool
    message: str = ""
    picture: tuple | None = None


@dataclass
class Report:
    """The result of checking one exercise."""

    exercise: str
    aspects: list[AspectResult]
    misconception: str | None = None
    hint: str = ""
    message: str = ""
    notes: list[str] = field(default_factory=list)
    seed: int | None = None

    @property
    def score(self) -> int:
        return sum(aspect.points for aspect in self.aspects if aspect.passed)

    @property
    def max_score(self) -> int:
        return sum(aspect.points for aspect in self.aspects)

    @property
    def passed(self) -> bool:
        return all(aspect.passed for aspect in self.aspects)

    def __str__(self) -> str:
        lines = [f"{self.exercise}: {self.score} of {self.max_score} points."]
        lines.append("  ".join(f"{'✓' if aspect.passed else '✗'} {aspect.name}" for aspect in self.aspects))
        if self.message:
            lines.append(self.message)
        else:
            lines += [f"{aspect.name}: {aspect.message}" for aspect in self.aspects if not aspect.passed]
        if self.misconception:
            lines.append(f"Likely mistake: {self.misconception}. {self.hint}")
        return "\n".join(lines + self.notes)

    def to_dict(self) -> dict:
        """Plain data, for JSON; pictures are left out."""
        aspects = [{key: value for key, value in asdict(a).items() if key != "picture"} for a in self.aspects]
        return {
            "exercise": self.exercise,
            "score": self.score,
            "max_score": self.max_score,
            "passed": self.passed,
            "aspects": aspects,
            "misconception": self.misconception,
            "hint": self.hint,
            "message": self.message,
            "notes": self.notes,
        }
