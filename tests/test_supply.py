"""What comes with an installation: every package that the project and its extras need has a licence that allows use."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement

FREE = (
    "0BSD", "Apache", "BSD", "BSL", "CC0", "CNRI-Python", "ISC", "LLVM-exception", "MIT",
    "MIT-CMU", "PSF", "Python Software Foundation", "Zlib",
)  # fmt: skip
"""Beginnings of the names of licences that ask for no more than their notice."""
BY_FILE = ("MPL", "Mozilla Public License")
"""Changed files of these packages stay open; we change none."""
OURS, EXTRAS = "automl-agent", ("all", "catboost", "torch", "knowledge", "text", "images")


def needed(name: str, extras: frozenset[str], found: dict[str, Distribution]) -> None:
    """Collect the installed packages that a package needs, itself among them."""
    waiting, seen = [(name, extras)], set()
    while waiting:
        name, extras = waiting.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if (key, extras) in seen:
            continue
        seen.add((key, extras))
        try:
            found[key] = distribution(name)
        except PackageNotFoundError:  # an extra that is not installed here
            continue
        for line in found[key].requires or ():
            one = Requirement(line)
            wanted = one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in ("", *extras))
            if wanted:
                waiting.append((one.name, frozenset(one.extras)))


def licences(package: Distribution) -> list[str]:
    """The names of the licences of a package, as it states them, or the first line of its licence file."""
    stated = package.metadata
    expression = stated.get("License-Expression")
    if not expression:
        classes = [line.rpartition("::")[2].strip() for line in stated.get_all("Classifier") or ()
                   if line.startswith("License ::")]  # fmt: skip
        classes = [line for line in classes if line != "OSI Approved"]
        expression = " AND ".join(classes) or (stated.get("License") or "").partition("\n")[0]
    if expression in ("", "UNKNOWN"):
        files = [file for file in package.files or () if file.name.upper().startswith("LICENSE")]
        expression = files[0].read_text().strip().partition("\n")[0].strip() if files else ""
    return [part.strip(" ()") for part in re.split(r" AND | OR | WITH |;|, (?!Version)", expression) if part.strip()]


def test_licences_of_all_that_is_installed_with_it(figure: Callable[[str], None]) -> None:
    packages: dict[str, Distribution] = {}
    needed(OURS, frozenset(EXTRAS), packages)
    assert {"langgraph", "chromadb", "lightgbm", "pyarrow"} <= set(packages)
    by_licence, refused = defaultdict(list), {}
    for name, package in sorted(packages.items()):
        stated = licences(package)
        kinds = {_kind(one) for one in stated}
        if not kinds or None in kinds:
            refused[name] = stated
        for kind in kinds - {None}:
            by_licence[kind].append(name)
    assert not refused, f"not among the licences that are accepted: {refused}"
    counts = ", ".join(f"{kind} {len(names)}" for kind, names in sorted(by_licence.items()))
    figure(f"{len(packages)} packages: {counts}")


def _kind(stated: str) -> str | None:
    text = re.sub(r"^(The )?\d-Clause ", "", stated)
    return next((kind for kind in sorted((*FREE, *BY_FILE), key=len, reverse=True) if text.startswith(kind)), None)


def test_a_licence_that_asks_for_more_would_be_found() -> None:
    assert [_kind(text) for text in ("GPL-3.0", "GNU General Public License v3", "UNKNOWN", "AGPL-3.0-only")] == [
        None
    ] * 4
