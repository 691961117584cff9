"""Outlines of plans for texts: by words, by letters and meaning, by counts and by what two texts have in common."""

from __future__ import annotations

from automl_agent.tasks.family import Blueprint

BLUEPRINTS = (
    Blueprint(
        title="Words and pairs of words",
        hypothesis="Which words a text has tells its class; a linear model on weighted words is hard to beat.",
        models=("word_linear",),
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
        title="Counts and relations",
        hypothesis="How often a class has a word says enough on few rows; of two texts, what they share counts.",
        models=("naive_bayes", "pair_overlap"),
        steps=("balance",),
        emphasis="speed",
    ),
)
