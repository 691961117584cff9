"""Outlines of plans for texts: by words, by letters and meaning, by what two texts have to do with each other."""

from __future__ import annotations

from automl_agent.tasks.family import Blueprint

BLUEPRINTS = (
    Blueprint(
        title="Words and pairs of words",
        hypothesis="Which words a text has tells its class; a linear model on weighted words is hard to beat.",
        models=("word_linear", "naive_bayes"),
        steps=("balance",),
        emphasis="score",
    ),
    Blueprint(
        title="Letters and meaning",
        hypothesis="Parts of words bear misspellings and endings, sentence embeddings know what words mean.",
        models=("char_linear", "embedding_head"),
        steps=("balance",),
        emphasis="robustness",
    ),
    Blueprint(
        title="How the texts go together",
        hypothesis="Of two texts their overlap and difference count, of one how it differs from the other classes'.",
        models=("pair_overlap", "naive_bayes", "word_linear"),
        steps=("balance",),
        emphasis="speed",
    ),
)
