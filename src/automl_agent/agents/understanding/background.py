"""What else the words tell: who asks, in which field, and what he knows about the data."""

from __future__ import annotations

import re

from automl_agent.agents.understanding.language import read_language
from automl_agent.records import Problem, User
from automl_agent.tasks.words import text as tx

_TERMS = (
    r"hyper-?parameters?|cross-?valid\w*|folds?|au-?roc|auc|roc|log-?loss|f1\b|f-?score|rmsle|mcc|kappa"
    r"|regulari[sz]\w*|calibrat\w*|ensembl\w*|stack(?:ed|ing)|lightgbm|xgboost|catboost|gradient boosting|one-?hot"
    r"|target encoding|imput\w*|overfit\w*|leak(?:age|s)|stratif\w*|hold-?out|baseline|embedding\w*|random forests?"
    r"|logistic regression|rmse|mae|precision|recall|confusion matrix|residuals?|shap|quantile"
)  # fmt: skip
_DOMAINS = {
    "medicine": "tumour tumor patient diagnosis disease cancer clinical blood hospital heart diabetes malignant doctor",
    "finance": "loan credit bank fraud default stock transaction mortgage insurance premium claim",
    "telecommunications": "telecom telco subscriber churn tariff roaming",
    "real estate": "house housing apartment estate rent flat property bedroom",
    "retail": "sale store product retail basket purchase shop diamond order delivery",
    "human resources": "employee attrition salary job hire resume",
    "transport": "flight taxi train car bike passenger ship traffic airline trip",
    "energy": "power energy electricity load solar wind consumption",
    "biology": "species flower iris penguin gene protein animal plant abalone",
    "manufacturing": "machine defect sensor factory concrete steel failure",
    "marketing": "campaign customer click advertising conversion lead",
    "education": "student exam grade school course",
}
_HINT = re.compile(
    r"\b(?:note that|hint|keep in mind|remember that|be aware|we know|known to|domain knowledge|important to know"
    r"|usually|typically|caution|careful)\b"
)
_INTENTION = re.compile(r"[.!?;\n](?=\s|$)")


def read_user(words: str) -> User:
    """Who asks: the wish in the first sentence, the expertise from the terms used, the language from small words."""
    terms = set(re.findall(rf"(?<!\w)(?:{_TERMS})", tx.low(words)))
    expertise = ("novice", "practitioner", "practitioner", "expert")[min(len(terms), 3)]
    intent = _INTENTION.split(words.strip(), maxsplit=1)[0].strip()
    language = read_language(words) or "en"
    return User.model_validate({"intent": intent[:200], "expertise": expertise, "language": language})


def describe(words: str, area: str, task: str, columns: tuple[str, ...]) -> Problem:
    """The problem in the paper's keys; the domain is the one that most words and column names speak of."""
    spoken = [tx.stem(word) for word in tx.names(words)] * 2  # the words count more than the columns
    spoken += [tx.stem(part) for column in columns for part in tx.names(column)]
    counts = {
        domain: sum(spoken.count(stem) for stem in {tx.stem(term) for term in terms.split()})
        for domain, terms in _DOMAINS.items()
    }
    domain = max(counts, key=lambda name: counts[name])
    return Problem(area=area, downstream_task=task, domain=domain if counts[domain] else "", description=words.strip())


def hints(words: str) -> tuple[str, ...]:
    """Sentences in which the user tells what he knows."""
    sentences = [sentence.strip() for sentence in re.split(r"(?<=[.!?;])\s+|\n+", words)]
    return tuple(sentence for sentence in sentences if _HINT.search(tx.low(sentence)))
