"""What a language model may see of the data: names or stand-ins for them, statistics, and a few rows or none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Veil:
    """Stand-ins for column names (`column_1`, ...), or the names themselves where they may be shared."""

    columns: Sequence[str]
    """All columns, the target included, in the order of the file."""
    share_names: bool = True
    share_rows: int = 5
    """Sample rows that may be shown; with 0 no value of any cell is."""

    def hide(self, name: str) -> str:
        """What a column is called in a prompt."""
        return self._stand_ins.get(name, name)

    def reveal(self, name: str) -> str:
        """The column that a model means; a name that is none stays as it is."""
        return self._names.get(name, name)

    def hide_text(self, text: str) -> str:
        """Words of the user, a plan or an error, with every column name replaced."""
        return self._hidden.sub(lambda match: self._folded[match.group().lower()], text) if self._stand_ins else text

    def reveal_text(self, text: str) -> str:
        return re.sub(r"\bcolumn_\d+\b", lambda match: self.reveal(match.group()), text) if self._stand_ins else text

    @cached_property
    def _stand_ins(self) -> dict[str, str]:
        if self.share_names:
            return {}
        return {name: f"column_{place}" for place, name in enumerate(self.columns, start=1)}

    @cached_property
    def _names(self) -> dict[str, str]:
        return {stand_in: name for name, stand_in in self._stand_ins.items()}

    @cached_property
    def _folded(self) -> dict[str, str]:
        return {name.lower(): stand_in for name, stand_in in self._stand_ins.items()}

    @cached_property
    def _hidden(self) -> re.Pattern[str]:
        longest_first = sorted(self._stand_ins, key=len, reverse=True)
        names = "|".join(re.escape(name) for name in longest_first if name)
        return re.compile(rf"(?<!\w)(?:{names})(?!\w)" if names else r"(?!)", re.IGNORECASE)
