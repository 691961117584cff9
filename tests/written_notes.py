"""Notes as files, for tests."""

from __future__ import annotations

from pathlib import Path

NOTE = """---
title: {title}
kind: practice
source: {{title: House rule, authors: a team, year: 2026}}
checked: true
families: [{family}]
when: {{{when}}}
models: [linear]
---

{text}
"""


def write(folder: Path, name: str, text: str, *, family: str = "tabular_regression", when: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.md"
    path.write_text(NOTE.format(title=f"Note about {name}", text=text, family=family, when=when), encoding="utf-8")
    return path
