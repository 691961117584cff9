"""The history of one or many series on a regular grid: what forecasters learn from and forecast from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = npt.NDArray[Any]

SHORT_GAP = 3
"""Up to so many missing steps are bridged by a straight line; longer gaps repeat the season before."""


@dataclass(frozen=True)
class Panel:
    """Series without gaps, each from its first to its last observation."""

    names: tuple[str, ...]
    values: tuple[Array, ...]
    """float64 values of each series, one for each step."""
    ends: Array
    """Last step of each series, int64."""
    known: tuple[Array, ...]
    """(steps, columns) of each series: what was known in advance."""

    @classmethod
    def of(cls, names: Array, steps: Array, values: Array, known: Array, *, season: int) -> Panel:
        """Put rows in any order on the grid.

        Args:
            names: series of each row. steps: its step. values: its value. known: (rows, columns), no NaN.
            season: with which longer gaps are filled.
        """
        codes, found = pd.factorize(names, sort=True)
        order = np.lexsort((steps, codes))
        starts = np.searchsorted(codes[order], np.arange(len(found) + 1))
        lines, columns, ends = [], [], []
        for place in range(len(found)):
            rows = order[starts[place] : starts[place + 1]]
            at = steps[rows] - steps[rows[0]]
            line = np.full(int(at[-1]) + 1, np.nan)
            line[at] = values[rows]
            behind = np.searchsorted(at, np.arange(len(line)), side="right") - 1  # the row before, for gaps
            lines.append(filled(line, season))
            columns.append(known[rows][behind])
            ends.append(int(steps[rows[-1]]))
        return cls(tuple(map(str, found)), tuple(lines), np.asarray(ends, np.int64), tuple(columns))

    @property
    def starts(self) -> Array:
        """First step of each series."""
        return self.ends - np.array([len(line) for line in self.values], np.int64) + 1

    def take(self, places: Sequence[int]) -> Panel:
        """Some of the series."""
        return Panel(
            tuple(self.names[i] for i in places),
            tuple(self.values[i] for i in places),
            self.ends[list(places)],
            tuple(self.known[i] for i in places),
        )

    def longer(self, values: Array, known: Array) -> Panel:
        """Every series continued by (series, steps) values and (series, steps, columns) known columns."""
        return Panel(
            self.names,
            tuple(np.concatenate([line, more]) for line, more in zip(self.values, values, strict=True)),
            self.ends + values.shape[1],
            tuple(np.concatenate([line, more]) for line, more in zip(self.known, known, strict=True)),
        )

    def continued(self, place: int, steps: Array, values: Array, known: Array, *, season: int) -> Panel:
        """One series alone, with later observations; those that are not later are ignored."""
        later = steps > self.ends[place]
        alone = self.take([place])
        if not later.any():
            return alone
        order = np.argsort(steps[later], kind="stable")
        at = steps[later][order] - self.ends[place] - 1
        line = np.concatenate([self.values[place], np.full(int(at[-1]) + 1, np.nan)])
        line[len(self.values[place]) + at] = values[later][order]
        columns = known[later][order][np.maximum(np.searchsorted(at, np.arange(at[-1] + 1), side="right") - 1, 0)]
        return Panel(
            alone.names,
            (filled(line, season),),
            alone.ends + int(at[-1]) + 1,
            (np.concatenate([self.known[place], columns]),),
        )


def filled(line: Array, season: int) -> Array:
    """A series without gaps. Only the series itself is looked at, so that nothing later than its end comes in."""
    lost = np.isnan(line)
    if not lost.any():
        return line
    line = line.copy()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], lost, [False]]).astype(np.int8)))
    places = np.flatnonzero(~lost)
    straight = np.interp(np.flatnonzero(lost), places, line[places])
    line[lost] = straight
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - start > SHORT_GAP:
            for place in range(max(start, season), stop):
                line[place] = line[place - season]
    return line


def padded(lines: Sequence[Array], longest: int) -> Array:
    """(series, steps): the ends of all series side by side, NaN before a series begins."""
    width = min(longest, max(len(line) for line in lines))
    matrix = np.full((len(lines), width), np.nan)
    for place, line in enumerate(lines):
        part = line[-width:]
        matrix[place, width - len(part) :] = part
    return matrix
