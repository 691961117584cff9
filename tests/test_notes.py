"""The shipped notes, and how notes are read."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from automl_agent.errors import InputError
from automl_agent.knowledge.notes import default_folder, load_notes, note_files, read_front, read_note
from automl_agent.tasks.registry import families

TABLE = {
    "rows", "columns", "numbers", "categories", "texts", "dates", "missing_share", "max_cardinality",
    "high_cardinality", "duplicates_share", "rows_per_column", "budget",
}  # fmt: skip
CLASSES = {"classes", "imbalance", "minority_share"}
META = {
    "tabular_classification": TABLE | CLASSES,
    "tabular_regression": TABLE | {"target_skew"},
    "tabular_clustering": TABLE | {"clusters"},
    "text_classification": TABLE | CLASSES | {"characters", "embeddings"},
    "image_classification": {"rows", "side", "duplicates_share", "budget"} | CLASSES,
    "forecasting": TABLE | {"target_skew", "series", "length", "horizon", "season", "known_columns"},
    "node_classification": {"rows", "columns", "numbers", "nodes", "edges", "mean_degree", "isolated_share",
                            "labelled_share", "features", "directed", "homophily", "budget"} | CLASSES,
}  # fmt: skip
"""Facts that each family measures: what conditions may name."""
KNOWN = families()

FILES = note_files(default_folder())
NOTE = """---
title: A note about nothing in particular
kind: practice
source: {title: House rule, authors: a team, year: 2026, address: ""}
checked: true
families: [tabular_regression]
when: {rows: ">= 10, < 50"}
models: [linear]
cautions: [Be careful.]
evidence: It worked once.
---

Words that teach something.
"""


def _body(path: Path) -> str:
    return path.read_text(encoding="utf-8").split("\n---\n", 1)[1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_shipped_note(path: Path) -> None:
    front = read_front(path)
    assert set(front.families) <= set(META)
    ours = [KNOWN[name] for name in front.families]
    assert set(front.models) <= {name for family in ours for name in family.candidates()}
    assert set(front.steps) <= {name for family in ours for name in family.steps}
    assert set(front.when) <= {name for family in front.families for name in META[family]}
    assert front.models or front.steps
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", path.stem)
    address = urlsplit(front.source.address)
    assert not front.checked or (address.scheme in ("http", "https") and "." in address.netloc)
    assert 120 <= len(_body(path).split()) <= 350


def test_notes_that_are_named_in_notes_exist() -> None:
    known = {path.stem for path in FILES}
    for path in FILES:
        named = set(re.findall(r"`([a-z0-9]+(?:-[a-z0-9]+)+)`", _body(path)))
        assert named <= known, path.stem


def test_coverage_of_the_shipped_notes() -> None:
    fronts = [read_front(path) for path in FILES]
    assert len(fronts) >= 160
    assert sum(not front.checked for front in fronts) < len(fronts) / 10
    kinds = Counter(front.kind for front in fronts)
    assert kinds["paper"] >= 60 and kinds["kaggle"] >= 60 and kinds["practice"] >= 30
    for name in META:
        about = [front for front in fronts if name in front.families]
        assert len(about) >= 15, name
        suggested = {model for front in about for model in front.models}
        assert suggested >= set(KNOWN[name].candidates()) - {"baseline"}, name
        assert {step for front in about for step in front.steps} >= set(KNOWN[name].steps), name
    assert len({front.title for front in fronts}) == len(fronts)


def test_no_two_shipped_notes_say_the_same() -> None:
    shingles = {}
    for path in FILES:
        words = re.findall(r"[a-z]+", _body(path).lower())
        shingles[path.stem] = {tuple(words[place : place + 4]) for place in range(len(words) - 3)}
    alike = [
        (one, two)
        for one, two in combinations(shingles, 2)
        if len(shingles[one] & shingles[two]) > 0.1 * min(len(shingles[one]), len(shingles[two]))
    ]
    assert not alike


def test_a_note_is_read(tmp_path: Path) -> None:
    path = tmp_path / "my-note.md"
    path.write_text(NOTE.replace("\n", "\r\n"), encoding="utf-8")
    note = read_note(path)
    assert (note.id, note.kind, note.families) == ("my-note", "practice", ("tabular_regression",))
    assert note.when == {"rows": ">= 10, < 50"}
    assert note.source == "a team (2026): House rule"
    assert note.text.startswith("Words that teach")
    assert "Be careful." in note.text
    assert "It worked once." in note.text


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("kind: practice", "kind: rumour", "'kind'"),
        ("year: 2026", "year: soon", "'source.year'"),
        ("checked: true\n", "", "'checked'"),
        ('">= 10, < 50"', '"about 10"', "'when'"),
        ('">= 10, < 50"', '">= ten"', "'when'"),
        ("models:", "model:", "'model'"),
        ("families: [tabular_regression]", "families: []", "'families'"),
        ("title: A note", "title: A: note: b", "not YAML"),
        ("---\ntitle", "title", "front matter"),
        ("Words that teach something.", "", "no text"),
    ],
)
def test_a_broken_note_is_refused_by_file_and_field(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "broken.md"
    assert old in NOTE
    path.write_text(NOTE.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=r"broken\.md") as caught:
        read_note(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unreadable_missing_and_twice(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        load_notes(tmp_path / "absent")
    (tmp_path / "latin.md").write_bytes(b"---\ntitle: \xe9\n---\n")
    with pytest.raises(InputError, match=r"latin.md cannot be read"):
        load_notes(tmp_path)
    (tmp_path / "latin.md").write_text(NOTE)
    (tmp_path / "README.md").write_text("no note")
    assert [note.id for note in load_notes(tmp_path)] == ["latin"]
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "latin.md").write_text(NOTE)
    with pytest.raises(InputError, match="'latin'"):
        load_notes(tmp_path)


def test_the_form_in_the_readme_is_a_valid_note(tmp_path: Path) -> None:
    readme = (default_folder() / "README.md").read_text(encoding="utf-8")
    form = readme.split("```markdown\n")[1].split("```")[0]
    (tmp_path / "form.md").write_text(form, encoding="utf-8")
    assert read_note(tmp_path / "form.md").models == ("catboost", "lightgbm")
    facts = set().union(*META.values())
    assert {name for name in facts if f"`{name}`" in readme} == facts
