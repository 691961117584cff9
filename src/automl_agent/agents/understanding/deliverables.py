"""Which artefacts the words ask for."""

from __future__ import annotations

import re

from automl_agent.tasks.words import text as tx

ARTEFACTS = {
    "report": r"report|write-?up|bericht|rapport|informe|summary of (?:the )?results",
    "confusion_matrix": r"confusion[- ](?:matrix|matrices|table)|error matrix|konfusionsmatrix|matrice de confusion"
    r"|matriz de confusion",
    "feature_importance": r"(?:feature|variable|permutation|column)[- ]importances?"
    r"|importances?(?: of (?:the )?(?:features|columns))|(?:which|what) (?:features|columns|variables"
    r"|factors) (?:matter|count|are (?:the )?most important|drive)|(?:key|main) drivers|most important (?:features"
    r"|columns|variables|factors)|shap\b|explanations?\b|explain (?:the|each|every|why)",
    "learning_curve": r"learning[- ]curves?|lernkurve|courbe d'apprentissage|curva de aprendizaje",
    "predictions": r"predictions? (?:file|csv|table|for (?:the|every|each|all|my))|(?:save|write|export|file with"
    r"|list of|csv of) (?:the |all )?predictions|submission(?: file)?|score the (?:test|file|rows)",
    "api": r"(?:rest |web |http )?apis?\b|endpoint|web service|microservice|(?:ready to )?deploy\w*"
    r"|served?\b(?! as)|serving|rest service|docker\w*",
    "roc_curve": r"(?:roc|receiver operating characteristic)[- ](?:curve|plot)s?",
    "residuals": r"residuals?(?: plots?| analysis)?|predicted[- ](?:vs\.?|versus|against)[- ]actual",
}  # fmt: skip
"""What can be asked for, and the words for it."""
_DENIED = re.compile(r"\b(?:no|not|without|don't need|do not need|skip|except)(?: (?:a|an|the|any|need|want))* *$")


def read_deliverables(words: str) -> tuple[str, ...]:
    """Names of the artefacts that the words ask for, in the order of the list above."""
    flat = tx.low(words)
    return tuple(name for name, pattern in ARTEFACTS.items() if _wanted(flat, pattern))


def _wanted(flat: str, pattern: str) -> bool:
    return any(not _DENIED.search(flat[: match.start()]) for match in re.finditer(rf"(?<!\w)(?:{pattern})", flat))
