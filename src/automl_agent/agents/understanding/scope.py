"""Whether a request is machine-learning work at all."""

from __future__ import annotations

import re
from typing import NamedTuple

from automl_agent.tasks.words import text as tx

_LEARNING = re.compile(
    r"(?<!\w)(?:predict\w*|forecast\w*|classif\w*|regress(?:ion|or|ing)?\b|estimat\w*|cluster\w*|segment\w*"
    r"|detect\w*|recogni[sz]e\w*|identif\w*|categori[sz]\w*|diagnos\w*|will (?:a|an|the|this|it|he|she|they|my"
    r"|our)\b|how (?:much|many|likely|long|old|tall|heavy|far|expensive|big|large|strong|fast)\b|who (?:will"
    r"|is going|are|is likely|has|should|leaves|buys|stays|churns|survive[sd]?|defaults?|pays)\b|whether"
    r"|which \w+ (?:\w+ )?(?:will|are|is|churn\w*|leave|left|buy|default\w*|surviv\w*|fail\w*|belong\w*|cancel\w*"
    r"|would|should)\b|which (?:customers|patients|passengers|users|clients|employees|students|transactions"
    r"|machines)\b|churn\w*|fraud\w*|probabilit\w*|likelihood|risk (?:of|that)|anomal\w*|outliers?\b|recommender"
    r"|machine[- ]learning|automl|data science|(?:train|fit|build|learn|make|create|develop|want|need|deploy"
    r"|tune)\b[^.?!]{0,40}\b(?:model|classifier|regressor|predictor)s?\b|target (?:is|column|variable)"
    r"|time[- ]series|infer\b|guess\w*|model (?:the|that|for|of)|score (?:the|each|every|my|all)\b"
    r"|tell (?:\w+ )?(?:apart|if|whether)|distinguish\w*|find (?:\w+ )?(?:groups|patterns|segments)|lightgbm"
    r"|random forest|vorher\w*|vorauss\w*|prognos\w*|klassifizier\w*|schatz\w*|wie ?viel\w*|erkenn\w*|trainier\w*"
    r"|modell\b|bestimme\w*|predi(?:re|s|sez|ction|ctions|t|sent)\b|prevo(?:ir|is|yez)|prevision\w*|class(?:er|ez"
    r"|ement|ifier|ifiez)\b|estime\w*|combien|modele\b|entrain\w*|predec\w*|predic\w*|predig\w*|pronostic\w*"
    r"|clasific\w*|estim[ae]\w*|cuant[oa]s?\b|modelo|entren\w*|preve\w*|previsa\w*|classific\w*|quanto|voorspel\w*)"
)
_MAKE = (
    r"(?:write|compose|draft|tell|sing|give me|make up|invent|create|generate|draw|paint|design"
    r"|schreib\w*|dichte|ecri[st]\w*|escrib\w*)"
)
_WORKS = (
    r"(?:poems?|haikus?|sonnets?|limericks?|essays?|story|stories|novels?|songs?|lyrics|jokes?|e-?mails?|letters?"
    r"|tweets?|speech|blog posts?|articles?|recipes?|fairy tale|screenplay|script for|website|web page|game"
    r"|python function|sql query|regex|picture|image|painting|logo"
    r"|gedicht\w*|witz|lied|poemes?|histoire|blague|poemas?|cuento|chiste)"
)
_CREATION = re.compile(rf"(?<!\w){_MAKE}\b[^.?!]{{0,40}}?\b{_WORKS}\b")
_OTHER = re.compile(
    r"(?<!\w)(?:translate|ubersetz\w*|tradui\w*|traduc\w*|summari[sz]e (?:this|the) (?:text|article|book|email|page"
    r"|document)|book (?:me )?a (?:flight|hotel|table)|order (?:me )?(?:a )?(?:pizza|food|taxi)|capital (?:city )?of"
    r"|weather (?:today|tomorrow|like)|what(?:'s| is) the (?:time|weather|meaning of|capital|date)|who (?:was"
    r"|is) the (?:president|king|queen|author|first|inventor)|what time is it|play (?:some |a )?(?:music|song|game"
    r"|chess)|remind me|set an alarm|call (?:me|my)|send (?:an?|the|my) (?:e-?mail|message|text)|delete (?:all|my"
    r"|the)|fix (?:my|this|the) (?:code|bug|car|computer)|how (?:do|can) i cook"
    r"|(?:ignore|disregard|forget) (?:(?:all|any|everything|the|your|of|these|those|previous|above|prior|earlier"
    r"|preceding) )*(?:instructions|rules|system prompt|above(?= *(?:$|[.,;:!]|and\b)))"
    r"|(?:print|show|reveal) (?:me )?(?:the|your|all) (?:environment|system prompt|secrets|api keys?)|install \w+"
    r"|hack\w*|turn (?:on|off) the)"
)  # fmt: skip
_QUESTION = re.compile(r"^\W*(?:what|who|when|where|why|how)(?:'s| (?:is|are|was|were|do|does|did|can|to))\b")
_GREETING = re.compile(
    r"^\W*(?:hi|hello|hey|good (?:morning|evening|day)|thanks?(?: you)?|how are you|hallo|bonjour|hola"
    r"|test)\b[^\w]*(?:there|you|everyone)?\W*$"
)


class Scope(NamedTuple):
    """Whether the words ask for machine learning."""

    passed: bool
    reason: str
    understood: bool = True
    """False where the words were refused only because nothing in them was recognised."""


def check_scope(words: str, *, data: bool = False, target: str | None = None) -> Scope:
    """Whether the words ask for machine learning, and why (not).

    Args:
        words: the request.
        data: whether data were given: then words that could mean anything are let through.
        target: a column to predict that was given besides the words; then nothing more need be said.
    """
    words = tx.composed(words).strip()
    flat = tx.low(words)
    if target and not re.search(r"\w", flat):
        return Scope(True, f"The column {target!r} is to be predicted.")
    if not re.search(r"\w", flat):
        return Scope(False, "Nothing was asked. Say what to predict, for example: 'Predict which customers churn.'")
    made, other = _CREATION.search(flat), _OTHER.search(flat)
    foreign = min((match for match in (made, other) if match), key=lambda match: match.start(), default=None)
    if foreign and not _independent(flat, foreign):
        phrase = re.sub(r"\s+", " ", words[foreign.start() : foreign.end()])
        return Scope(False, f"'{phrase}' is not machine learning: nothing is to be learned from data and predicted.")
    learning = _LEARNING.search(flat)
    if learning:
        phrase = words[learning.start() : learning.end()]
        return Scope(True, f"'{phrase}' asks for something that is learned from data.")
    unsaid = "This is no machine-learning task: it does not say what should be predicted from data."
    if _GREETING.match(flat):
        return Scope(False, unsaid)
    if data or target:
        return Scope(True, "The words do not say what kind of work is meant, but data were given.")
    if _QUESTION.match(flat):
        return Scope(False, unsaid, understood=False)
    unknown = "the words do not say what should be predicted, and there are no data"
    return Scope(False, f"This is no machine-learning task: {unknown}.", understood=False)


def _independent(flat: str, foreign: re.Match[str]) -> bool:
    """Whether the words ask for machine learning before, or in a sentence other than, the foreign wish."""
    start, end = tx.sentence(flat, foreign.start())
    outside = f"{flat[:start]} . {flat[end:]}"
    return bool(_LEARNING.search(outside) or _LEARNING.search(flat[start : foreign.start()]))
