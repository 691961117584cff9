"""Whether a request is machine-learning work at all."""

from __future__ import annotations

import re

from automl_agent.tasks.words import text as tx

_LEARNING = re.compile(
    r"(?<!\w)(?:predict\w*|forecast\w*|classif\w*|regress(?:ion|or|ing)?\b|estimat\w*|cluster\w*|segment\w*"
    r"|detect\w*|recogni[sz]e\w*"
    r"|identif\w*|categori[sz]\w*|diagnos\w*|how (?:much|many|likely|long|old|tall|heavy|far|expensive|big|large"
    r"|strong|fast)\b"
    r"|who (?:will|is going|are|is likely|has|should|leaves|buys|stays|churns|survive[sd]?|defaults?|pays)\b|whether"
    r"|which \w+ (?:\w+ )?(?:will|are|is|churn\w*|leave|left|buy|default\w*|surviv\w*|fail\w*|belong\w*|cancel\w*"
    r"|would|should)\b"
    r"|which (?:customers|patients|passengers|users|clients|employees|students|transactions|machines)\b|churn\w*"
    r"|fraud\w*"
    r"|probabilit\w*|likelihood|risk (?:of|that)|anomal\w*|outliers?\b|recommender|machine[- ]learning|automl"
    r"|data science"
    r"|(?:train|fit|build|learn|make|create|develop|want|need|deploy|tune)\b[^.?!]{0,40}\b(?:model|classifier"
    r"|regressor|predictor)s?\b"
    r"|target (?:is|column|variable)|time[- ]series|infer\b|guess\w*|model (?:the|that|for|of)|score (?:the|each"
    r"|every|my|all)\b"
    r"|tell (?:\w+ )?(?:apart|if|whether)|distinguish\w*|find (?:\w+ )?(?:groups|patterns|segments)|lightgbm"
    r"|random forest"
    r"|vorher\w*|vorauss\w*|prognos\w*|klassifizier\w*|schatz\w*|wie ?viel\w*|erkenn\w*|trainier\w*|modell\b"
    r"|bestimme\w*"
    r"|predi(?:re|s|sez|ction|ctions|t|sent)\b|prevo(?:ir|is|yez)|prevision\w*|class(?:er|ez|ement|ifier|ifiez)\b"
    r"|estime\w*|combien"
    r"|modele\b|entrain\w*|predec\w*|predic\w*|predig\w*|pronostic\w*|clasific\w*|estim[ae]\w*|cuant[oa]s?\b"
    r"|modelo|entren\w*"
    r"|preve\w*|previsa\w*|classific\w*|quanto|voorspel\w*)"
)
_MAKE = (r"(?:write|compose|draft|tell|sing|give me|make up|invent|create|generate|draw|paint|design|schreib\w*"
    r"|ecri[st]\w*|escrib\w*"
         r"|dichte)")  # fmt: skip
_CREATION = re.compile(
    rf"(?<!\w){_MAKE}\b[^.?!]{{0,40}}?\b(?:poems?|haikus?|sonnets?|limericks?|essays?|story|stories|novels?"
    rf"|songs?|lyrics|jokes?|e-?mails?"
    r"|letters?|tweets?|speech|blog posts?|articles?|recipes?|cover letter|picture|image|painting|logo|gedicht\w*"
    r"|poemes?|poemas?"
    r"|witz|lied|histoire|cuento|blague|chiste|fairy tale|script for|screenplay|website|web page|game|python function"
    r"|sql query|regex)\b"
)
_OTHER = re.compile(
    r"(?<!\w)(?:translate|ubersetz\w*|tradui\w*|traduc\w*|summari[sz]e (?:this|the) (?:text|article|book|email"
    r"|page|document)|book (?:me )?a (?:flight|hotel|table)"
    r"|order (?:me )?(?:a )?(?:pizza|food|taxi)|capital (?:city )?of|weather (?:today|tomorrow|like)|what(?:'s"
    r"| is) the (?:time|weather|meaning of|capital|date)"
    r"|who (?:was|is) the (?:president|king|queen|author|first|inventor)|what time is it|play (?:some "
    r"|a )?(?:music|song|game|chess)|remind me|set an alarm"
    r"|call (?:me|my)|send (?:an?|the|my) (?:e-?mail|message|text)|delete (?:all|my|the)|fix (?:my|this"
    r"|the) (?:code|bug|car|computer)|how (?:do|can) i cook"
    r"|ignore (?:all |the )?(?:previous|above|prior) instructions|print (?:the|your) (?:environment|system prompt"
    r"|secrets)|install \w+|hack\w*|turn (?:on|off) the)"
)  # fmt: skip
_QUESTION = re.compile(r"^\W*(?:what|who|when|where|why|how)(?:'s| (?:is|are|was|were|do|does|did|can|to))\b")
_GREETING = re.compile(
    r"^\W*(?:hi|hello|hey|good (?:morning|evening|day)|thanks?(?: you)?|how are you|hallo|bonjour|hola"
    r"|test)\b[^\w]*(?:there|you|everyone)?\W*$"
)


def check_scope(words: str, *, data: bool = False, target: str | None = None) -> tuple[bool, str]:
    """Whether the words ask for machine learning, and why (not).

    Args:
        words: the request.
        data: whether data were given: then words that could mean anything are let through.
        target: a column to predict that was given besides the words; then nothing more need be said.
    """
    words = tx.composed(words).strip()
    flat = tx.low(words)
    if target and not re.search(r"\w", flat):
        return True, f"The column {target!r} is to be predicted."
    if not re.search(r"\w", flat):
        return False, "Nothing was asked. Say what to predict, for example: 'Predict which customers churn.'"
    learning = _LEARNING.search(flat)
    made, other = _CREATION.search(flat), _OTHER.search(flat)
    foreign = min((match for match in (made, other) if match), key=lambda match: match.start(), default=None)
    if foreign and not _independent(flat, foreign):
        phrase = re.sub(r"\s+", " ", words[foreign.start() : foreign.end()])
        return False, f"'{phrase}' is not machine learning: nothing is to be learned from data and predicted."
    if learning:
        return (
            True,
            f"'{words[learning.start() : learning.end()]}' asks for something that is learned from data.",
        )
    if _GREETING.match(flat) or (_QUESTION.match(flat) and not (data or target)):
        return False, "This is no machine-learning task: it does not say what should be predicted from data."
    if data or target:
        return True, "The words do not say what kind of work is meant, but data were given."
    return (
        False,
        "This is no machine-learning task: the words do not say what should be predicted, and there are no data.",
    )


def _independent(flat: str, foreign: re.Match[str]) -> bool:
    """Whether the words ask for machine learning before, or in a sentence other than, the foreign wish."""
    start, end = tx.sentence(flat, foreign.start())
    outside = f"{flat[:start]} . {flat[end:]}"
    return bool(_LEARNING.search(outside) or _LEARNING.search(flat[start : foreign.start()]))
