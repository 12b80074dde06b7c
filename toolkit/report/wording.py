"""Words that a report does not use: they judge people, or claim more than a record shows."""

from __future__ import annotations

import re

# Each with what says the same without judging.
INSTEAD = {
    r"fail(?:ed|s|ing)? to": "did not",
    r"(?:should|could|would|must) have": "the criterion, and what is on record",
    r"neglect\w*|negligen\w+|careless\w*|reckless\w*|sloppy": "what differed from the plan",
    r"ignor(?:ed|ing)": "continued after",
    r"violated": "differed from",
    r"obvious(?:ly)?|simply|of course": "(leave it out)",
    r"human error|operator error|at fault|to blame|culprit": "what differed from the plan",
    r"(?:the )?root cause": "contributing factors",
    r"caused by|was the cause of": "preceded",
}
_PATTERN = re.compile("|".join(rf"\b(?:{words})\b" for words in INSTEAD), re.IGNORECASE)


def faults(text: str) -> list[str]:
    """The words of a text that a report does not use, in their order."""
    return [found[0] for found in _PATTERN.finditer(text)]
