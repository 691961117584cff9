"""Where a sentence names columns, and what it says of each: predict it, use it, leave it out, group, sort or weight by
it.

A mention gets the role of the last marker before it in its sentence: in "predict price from carat, ignoring table" the
markers are `predict`, `from` and `ignoring`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from automl_agent.tasks.family import Peek
from automl_agent.tasks.words import text as tx
from automl_agent.tasks.words.breakdown import told_apart

Role = Literal["goal", "feature", "ignore", "group", "time", "weight", "by", "none"]

_ROWS = r"(?:rows?|samples?|records?|observations?|examples?|instances?|cases?|respondents?|entries|lines?|data)"
_OF_ROWS = rf"(?:(?:sampl(?:e|ing)|survey|design|frequency|importance|inverse[- ]probability|{_ROWS})(?:'s)?[ -])"
_MARKERS: dict[Role, str] = {
    "ignore": r"ignor\w*|without(?: (?:using|the use of))?|exclud\w*|except(?: for)?|leav\w* out"
    r"|drop(?:ping)?(?![ -](?:in|of|out|off|rate))|omit\w*|(?:do not|don't|dont|never|must not|not) (?:use|using"
    r"|look at|include|consider)|disregard\w*|other than|skip\w*|ohne|ignorier\w*|sauf|sans|sin|excepto",
    "group": r"group(?:ed|ing|s)?(?: (?:is|are))? (?:by|per|on)|group(?:ing)? (?:column|variable|key)s?(?: is)?"
    r"|split by|(?:rows|records|samples|visits|measurements|observations) (?:of|with|from) (?:the same|one)"
    r"|gruppiert nach|groupe\w* par|agrupad\w* por",
    "time": r"(?:order|sort|arrang)(?:ed|ing|s)?(?: in time)? by|(?:time|date) (?:column|index)(?: is)?"
    r"|time[- ]?stamps?(?: (?:column|is|are|in))+|chronological\w*(?: order)?(?: (?:by|of))?|in time order(?: (?:by"
    r"|of))?|split (?:by time|in time|on time)(?: (?:on|using|by))?|sortiert nach|trie\w* par|ordenad\w* por",
    "weight": r"(?<!f1 )(?<!score )(?<!precision )(?<!recall )(?<!auc )(?<!average )weighted (?:by|with|using"
    r"|according to)"
    rf"|(?:re)?weight(?:ing|s)? (?:(?:the|each|all|every|my|our) )?(?:training )?{_ROWS} (?:by|with|using|according to)"
    rf"|weights(?: (?:of|for) (?:the|each|all|every|my|our) {_ROWS})? (?:in|(?:are|stand|come)(?: (?:given|stored|kept"
    r"|found))?(?: (?:in|by|from))?)"
    rf"|{_OF_ROWS}weights?(?: columns?(?: is)?|:| (?:is|are|stands?|comes?)(?: (?:given|stored|kept|found))?"
    r"(?: (?:in|by|from))?)"
    r"|weights? column(?: is)?"
    rf"|(?:each|every) {_ROWS} (?:counts?|weighs?|is counted)(?: (?:as|for|by))?"
    r"|gewichte\w* (?:nach|mit|durch)|ponder\w* (?:par|por|con|avec)",
    "feature": r"from|using|uses?|based (?:up)?on|given|knowing|by means of|features?|inputs?|predictors?"
    r"|depend(?:s|ing)? on|as a function of|with|via|mit|aus|anhand|mittels|basierend auf|a partir de|avec|con"
    r"|usando|segun|selon|utilisant",
    "goal": r"predict\w*|forecast\w*|estimat\w*|classif\w*|guess\w*|detect\w*|identif\w*|recogni[sz]\w*|regress"
    r"|determin\w*|infer|tell|decide\w*|diagnose|categori[sz]\w*|model(?:l?ing)?(?= (?:the|for|of|that|to))|score"
    r"|flag|how (?:much|many|likely|long|old|far|high|tall|heavy|big|large|expensive|strong|fast|warm|hot)|whether"
    r"|if|who|whom|which|what|find out|will|learn|interested in"
    r"|(?:want|like|love|wish|need) to (?:know|learn|have)|target|dependent variable"
    r"|label(?= (?:is|column|variable|:|=))|propensity|vorher\w*|vorauss\w*|prognos\w*|schatz\w*|klassifizier\w*"
    r"|bestimm\w*|erkenn\w*|ob|wie ?viel\w*|wer|welche\w*|ziel\w*|predi\w*|prevo\w*|estim\w*|class(?:er|e[rz]?"
    r"|ification)(?= )|combien|quel\w*|qui|cible|pronostic\w*|clasific\w*|cuant\w*|quien\w*|cual\w*|objetivo"
    r"|adivin\w*|preve\w*|quant[oiae]\b",
}
_MARKER = re.compile(
    r"(?<![\w'])(?:" + "|".join(f"(?P<{role}>{words})" for role, words in _MARKERS.items()) + r")(?![\w'])"
)
_APART = re.compile(r"\b(?:tell|distinguish|separat|discriminat|differentiat)\w*(?: \w+){1,3} $")
"""Before "from": both sides are meant, as in "tell good from bad"."""
_FILLERS = re.compile(
    r"(?:[\s:=\"'`“”«»*(,]|\b(?:the|a|an|each|every|all|my|our|its|their|his|her|this|column|variable|target|values?"
    r"|field|feature|attribute|of|for|in|is|are|will|would|be|whether|if|which|who|what|probability|chances?"
    r"|likelihood|risk|name|named|called|to|me|us|that|expected|level|degree|it|they|he|she|there|someone|somebody"
    r"|has|have|had|been|does|do|der|die|das|den|dem|des|spalte|ist|le|la|les|de|du|des|l|d|colonne|est|el|los|las"
    r"|columna|es|del|un|une|una|uno|eine?[rnms]?|how|much|many|likely)\b)*"
)  # what may stand between a marker and what it is about
_PASSIVE = re.compile(
    r"[\"'`”»)]*(?: (?:column|variable|values?|field))?,? (?:(?:should|must|shall|can|could|will|has|have|needs?"
    r"|ought|is|are)(?: to)? be (?:predicted|estimated|classified|forecast(?:ed)?|modell?ed|determined)"
    r"|to be predicted\b|to predict(?=\s*(?:[.,;!?]|$))|(?:is|as|being) (?:the |my |our |a )?(?:target|label"
    r"|outcome|response|dependent"
    r"|what|prediction target|column to predict))"
)
_AS_WEIGHT = re.compile(
    r"[\"'`”»)]*(?: (?:column|variable|field))?,? (?:(?:is|are|holds?|contains?|gives?|has|stores?) (?:the |our |my )?"
    rf"(?:{_OF_ROWS}weights?\b|weights (?:of|for) (?:the|each|all|every) {_ROWS})"
    rf"|(?:used |serv(?:es?|ing) )?as (?:the |a |our |my )?{_OF_ROWS}?weight(?:s|ing)?\b)"
)
"""After a column: "use w as weights", "w holds the sample weights"."""
_QUOTES = "\"'`“”«»„‘’[]"


@dataclass(frozen=True)
class Mention:
    """A column that the words name."""

    column: str
    start: int
    end: int
    how: Literal["exact", "form"] = "exact"
    """As written (case and signs apart), or in another form (plural, tense, spelling)."""
    role: Role = "none"
    marker: str = ""
    """The marker that gives the role."""
    direct: bool = False
    """Whether nothing but fillers stands between the marker and the name."""
    quoted: bool = False

    @property
    def phrase_length(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Marker:
    role: Role
    start: int
    end: int
    text: str


@lru_cache(maxsize=256)
def markers(words: str) -> tuple[Marker, ...]:
    """All markers of a text, in order."""
    flat = tx.low(tx.without_files(words))
    return tuple(
        Marker(match.lastgroup, match.start(), match.end(), match.group())  # type: ignore[arg-type]
        for match in _MARKER.finditer(flat)
        if not (match.group() == "from" and _APART.search(flat, 0, match.start()))
    )


def role_at(words: str, start: int, end: int) -> tuple[Role, str, bool]:
    """Role, marker and directness of what stands at a place."""
    flat = tx.low(tx.without_files(words))
    begin, stop = tx.sentence(flat, start)
    passive = _PASSIVE.match(flat, end, stop)
    if passive:
        return "goal", passive.group().strip(" ,\"'`”»)"), True
    if weight := _AS_WEIGHT.match(flat, end, stop):
        return "weight", weight.group().strip(" ,\"'`”»)"), True
    if said := told_apart(flat, begin, start):
        return "by", said, True
    known = markers(words)
    last = bisect_right(known, start, key=lambda marker: marker.end) - 1
    if last < 0 or known[last].start < begin:
        return "none", "", False
    marker = known[last]
    direct = _FILLERS.fullmatch(flat, marker.end, start) is not None
    if marker.role in ("group", "time", "weight") and not direct:
        return "none", "", False
    return marker.role, marker.text, direct


def mentions(words: str, peek: Peek) -> tuple[Mention, ...]:
    """All columns named in the words, in order of place. Of overlapping names the longest counts."""
    found = [mention for column in peek.columns for mention in _places(words, column.name)]
    found.sort(key=lambda mention: (-mention.phrase_length, mention.how != "exact", mention.start))
    kept: list[Mention] = []
    for mention in found:
        if not any(mention.start < other.end and other.start < mention.end for other in kept):
            kept.append(mention)
    kept.sort(key=lambda mention: mention.start)
    return tuple(_heads(words, [_with_role(words, mention) for mention in kept]))


def _places(words: str, name: str) -> list[Mention]:
    """Where a column's name stands in the words, as written or in another form."""
    flat = tx.without_files(tx.plain(words))
    spoken, wanted = tx.parts(flat), tx.names(name)
    if not wanted:
        return _literal(flat, name)
    found = []
    for i in range(len(spoken) - len(wanted) + 1):
        window = spoken[i : i + len(wanted)]
        if not (window[0].first and window[-1].last):
            continue
        if all(part.text == word for part, word in zip(window, wanted, strict=True)):
            how: Literal["exact", "form"] = "exact"
        elif all(tx.same(part.text, word) for part, word in zip(window, wanted, strict=True)):
            how = "form"
        else:
            continue
        if len(name) == 1 and flat[window[0].start] != name and name in "aAI":
            continue  # an article or a pronoun, not a column
        if tx.sentence(flat, window[0].start)[1] >= window[-1].end:
            found.append(Mention(name, window[0].start, window[-1].end, how))
    return found


def _literal(flat: str, name: str) -> list[Mention]:
    """Names of signs only, such as `$`."""
    sought = tx.plain(name).strip()
    return [Mention(name, m.start(), m.end()) for m in re.finditer(re.escape(sought), flat)] if sought else []


def _with_role(words: str, mention: Mention) -> Mention:
    role, marker, direct = role_at(words, mention.start, mention.end)
    around = words[max(0, mention.start - 1) : mention.start] + words[mention.end : mention.end + 1]
    quoted = len(around) == 2 and all(char in _QUOTES for char in around)
    return replace(mention, role=role, marker=marker, direct=direct, quoted=quoted)


def _heads(words: str, found: list[Mention]) -> list[Mention]:
    """In "house price" the last name is meant; in "price and cost" both are."""
    heads = []
    for i, mention in enumerate(found):
        after = found[i + 1] if i + 1 < len(found) else None
        if (
            after
            and mention.direct
            and not mention.quoted
            and re.fullmatch(r"'?s?[\s'-]+", words[mention.end : after.start])
        ):
            found[i + 1] = replace(after, direct=True)
            mention = replace(mention, direct=False)
        elif after and mention.direct and re.fullmatch(r"[\s\"'`,]*(?:and|or|und|oder|et|ou|y|o|&)[\s\"'`]*(?:the )?",
                                                       words[mention.end : after.start]):  # fmt: skip
            found[i + 1] = replace(after, role=mention.role, marker=mention.marker, direct=True)
        heads.append(mention)
    return heads


def said_roles(words: str, peek: Peek) -> dict[Role, tuple[str, ...]]:
    """Columns that the words leave out, group by, order by or weight by, or want scores told apart by."""
    found: dict[Role, list[str]] = {"ignore": [], "group": [], "time": [], "weight": [], "by": []}
    for mention in mentions(words, peek):
        single = mention.role in ("group", "time", "weight")
        if mention.role in found and mention.column not in found[mention.role] and not (single and found[mention.role]):
            found[mention.role].append(mention.column)
    return {role: tuple(columns) for role, columns in found.items()}
