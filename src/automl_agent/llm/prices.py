"""What tokens of a model cost: a dated table that ships, and the user's own file before it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from automl_agent.errors import InputError
from automl_agent.llm.models import ModelFacts

_MILLION = 1_000_000
_SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|latest)$")
_HINT = (
    'Write {"MODEL": {"input": 1.25, "output": 10}}: US dollars for a million tokens; "NAME*" and "*" stand for more.'
)


class Price(BaseModel):
    """US dollars for a million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)
    cached_input: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Of input that the provider has in its own memory; as other input where it is not given."""

    def of(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float:
        """Dollars for so many tokens; the cached ones are among the input."""
        cached = min(cached_tokens, input_tokens) if self.cached_input is not None else 0
        dollars = (input_tokens - cached) * self.input + cached * (self.cached_input or 0.0)
        return (dollars + output_tokens * self.output) / _MILLION


class PriceTable:
    """Prices by name of model, `provider:name`, or a beginning of these with a star."""

    def __init__(self, prices: Mapping[str, Price]) -> None:
        self._prices = {name.lower(): price for name, price in prices.items()}

    def of(self, model: ModelFacts) -> Price | None:
        """The price of a model; `None` when it is not known. A dated snapshot costs what its model costs."""
        name = model.name.lower()
        plain = _SNAPSHOT.sub("", name)
        for candidate in dict.fromkeys((f"{model.provider}:{name}", name, f"{model.provider}:{plain}", plain)):
            if candidate in self._prices:
                return self._prices[candidate]
        stars = [key for key in self._prices if key.endswith("*")]
        fitting = [key for key in stars if f"{model.provider}:{name}".startswith(key[:-1]) or name.startswith(key[:-1])]
        return self._prices[max(fitting, key=len)] if fitting else None


def price_table(file: str | None) -> PriceTable:
    """The shipped prices; those of the user's file are asked first, its stars before our names.

    Raises:
        InputError: names the file and the entry that is wrong.
    """
    if file is None:
        return PriceTable(_shipped())
    own = _read(Path(file).expanduser())
    stars = [key[:-1].lower() for key in own if key.endswith("*")]
    kept = {name: price for name, price in _shipped().items() if not name.startswith(tuple(stars))}
    return PriceTable({**kept, **own})


@lru_cache(maxsize=1)
def _shipped() -> dict[str, Price]:
    text = resources.files("automl_agent.llm").joinpath("prices.json").read_text(encoding="utf-8")
    return _prices(json.loads(text), "prices.json")


def _read(path: Path) -> dict[str, Price]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"The prices {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"The prices {path} are no JSON: {error}.", hint=_HINT) from error
    if not isinstance(table, dict):
        raise InputError(f"The prices {path} are no JSON object.", hint=_HINT)
    return _prices(table, str(path))


def _prices(table: Mapping[str, object], source: str) -> dict[str, Price]:
    """The entries of a table; names that begin with `_` are remarks."""
    prices = {}
    for name, entry in table.items():
        if name.startswith("_"):
            continue
        try:
            prices[name] = Price.model_validate(entry)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in (name, *first["loc"]))
            raise InputError(
                f"The prices {source} have a wrong entry {where!r}: {first['msg']}.", hint=_HINT
            ) from error
    return prices
