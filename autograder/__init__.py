"""Checks for the exercises of Attention from Scratch.

check(name, object)           show what is right and what is wrong; raise CheckFailed if anything is
assess(name, object, seed)    the same as a Report, without showing or raising
hint(name)                    the next hint
reveal(name)                  the solution, after a question
progress()                    what is done, lesson by lesson
lesson("03_masking")          what a lesson built, for later ones
"""

from autograder.desk import CheckFailed, assess, check, hint, progress, reveal
from autograder.lessons import lesson
from autograder.report import Report

__all__ = ["CheckFailed", "Report", "assess", "check", "hint", "lesson", "progress", "reveal"]
