"""What a module that a language model wrote brought to the out-of-fold score."""

from __future__ import annotations

from automl_agent.delivery.words import number
from automl_agent.records import CodeModule


def gain(module: CodeModule, *, higher_is_better: bool) -> float | None:
    """By how much the score improved, positive for better; `None` when it was not measured."""
    if module.score_with is None or module.score_without is None:
        return None
    return (module.score_with - module.score_without) * (1 if higher_is_better else -1)


def gained(module: CodeModule, *, higher_is_better: bool) -> str:
    """The gain in words, such as `0.0081 better`; empty when it was not measured."""
    difference = gain(module, higher_is_better=higher_is_better)
    if difference is None:
        return ""
    return f"{number(abs(difference), 2)} {'better' if difference > 0 else 'worse'}" if difference else "no difference"
