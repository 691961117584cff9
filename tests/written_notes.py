"""Notes as files, for tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl_agent.knowledge.embedding import HashedWords

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


def embedded_from_now(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list to which every text is added that is embedded from now on."""
    texts_seen: list[str] = []
    plain = HashedWords.embed_documents

    def counted(self: HashedWords, texts: list[str]) -> list[list[float]]:
        texts_seen.extend(texts)
        return plain(self, texts)

    monkeypatch.setattr(HashedWords, "embed_documents", counted)
    return texts_seen
