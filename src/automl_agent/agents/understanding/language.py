"""Which language a request is written in, told by its small words."""

from __future__ import annotations

from automl_agent.tasks.words import text as tx

_SMALL_WORDS = {
    "en": "the and of for is are which with what who how will whether from my we please at least most should must"
    " to can you i have it that this based not each if",
    "de": "der die das und ist sind welche mit was wer wie wird ob aus mein wir bitte mindestens hochstens soll"
    " muss ich ein eine fur von dem den nicht auf es im zu sag anhand unsere",
    "fr": "le les des et est sont quel quelle quels qui comment sera si mon nous au moins plus doit je un une pour"
    " du sur combien dans ne pas avec il la predire veux",
    "es": "el los las y es son cual cuales cuanto cuanta quien como sera mi al menos debe yo un una para del sobre"
    " en no con que por predecir quiero si la",
    "it": "il gli le e sono quale chi come se mio almeno deve io un una per del della su non con che di prevedere"
    " voglio quali la",
    "pt": "o os as e sao qual quais quem como se meu pelo menos deve eu um uma para do da sobre em nao com que"
    " prever quero",
    "nl": "de het een en is zijn welke met wie hoe wordt of mijn wij minstens moet ik voor van niet op dat voorspel",
}
_KNOWN = {language: frozenset(words.split()) for language, words in _SMALL_WORDS.items()}


def read_language(words: str) -> str | None:
    """ISO code of the language whose small words are used most; `None` where that does not tell."""
    spoken = set(tx.names(tx.plain(words)))
    counts = sorted(((len(spoken & known), language) for language, known in _KNOWN.items()), reverse=True)
    (most, language), (next_most, _) = counts[:2]
    return language if most > next_most else None
