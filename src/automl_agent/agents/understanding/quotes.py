"""Whether what a language model quotes was said."""

from __future__ import annotations

import re

from automl_agent.tasks.words import text as tx
from automl_agent.tasks.words.spoken import FUNCTION


def was_said(quote: str, words: str) -> bool:
    """Whether a quote stands in the words, as whole words, and says something: "please predict the" does not."""
    sought = _folded(quote).strip(" .,;:!?\"'")
    telling = any((len(word) > 2 or not word.isascii()) and word not in FUNCTION for word in tx.names(sought))
    return telling and re.search(rf"(?<!\w){re.escape(sought)}(?!\w)", _folded(words)) is not None


def _folded(text: str) -> str:
    return re.sub(r"\s+", " ", tx.low(tx.composed(text)))
