"""Notes of a team: a folder named for one run, other embeddings in one home, and several notes that say one thing."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding

from automl_agent import build_graph
from automl_agent.cli import main as command
from automl_agent.errors import InputError
from automl_agent.knowledge import api
from automl_agent.knowledge.embedding import embedding_name
from automl_agent.knowledge.store import KnowledgeStore
from automl_agent.settings import Settings
from conftest import CANCER
from written_notes import embedded_from_now, write

FAMILY = "tabular_classification"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    write(folder, "zebras", "Zebras graze in the savanna and wear stripes.", family=FAMILY)
    write(folder, "trains", "Trains run on rails between stations.", family=FAMILY)
    write(folder, "bread", "Bread is baked from flour, water and yeast.", family=FAMILY)
    return folder


@pytest.fixture
def team(tmp_path: Path) -> Path:
    folder = tmp_path / "team"
    write(folder, "volcanoes", "Volcanoes erupt with lava and ash.", family=FAMILY)
    write(folder, "zebras", "Our own word on zebras: they kick.", family=FAMILY)
    return folder


# ---------------------------------------------------------------- a folder


def test_notes_of_a_folder_join_and_replace(tmp_path: Path, library: Path, team: Path) -> None:
    with KnowledgeStore(tmp_path, library, notes=team) as store:
        store.check()
        assert [note.id for note in store.notes()] == ["bread", "trains", "volcanoes", "zebras"]
        assert store.search("lava and ash", k=1)[0].id == "volcanoes"  # words that no note of the library has
        assert store.search("zebras", k=1)[0].text.startswith("Our own word")


def test_a_folder_leaves_nothing_behind(
    tmp_path: Path, library: Path, team: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another folder, or none, in the same home: the store holds what is asked for, and embeds only what is new."""
    other = tmp_path / "other"
    write(other, "penguins", "Penguins swim under the ice.", family=FAMILY)
    api.sync(tmp_path, library)
    embedded = embedded_from_now(monkeypatch)
    found = []
    for notes in (team, other, None):
        with KnowledgeStore(tmp_path, library, notes=notes) as store:
            found.append({note.id for note in store.search("lava, ice and zebras", k=9)})
    own = {"zebras", "trains", "bread"}
    assert found == [own | {"volcanoes"}, own | {"penguins"}, own]
    assert len(embedded) == 4  # two of the team, one of the other folder, and the zebras that were there before


def test_a_bad_folder_is_found_out_before_any_work(
    tmp_path: Path, team: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (team / "worse.md").write_text("---\ntitle: Nothing but a title\n---\ntext\n")
    for folder, said in (
        (team, r"worse\.md.*'kind'"),
        (tmp_path / "absent", "no folder"),
        (tmp_path / "empty", "no notes"),
    ):
        with pytest.raises(InputError, match=said):
            build_graph(settings=Settings(notes=str(folder))).invoke({"request": "Predict", "data": str(CANCER)})
    run = ["run", "Predict the diagnosis", "--data", str(CANCER), "--notes", str(team)]
    assert command.main(run) == 2
    said = capsys.readouterr().err
    assert "worse.md" in said and "'kind'" in said
    assert not (place / "home" / "runs").exists()
    assert command.main(["run", "Predict", "--notes", ""]) == 2
    assert "--notes" in capsys.readouterr().err
    assert command.main(["knowledge", "search", "lava", "--notes", str(team)]) == 2


def test_plans_rest_on_notes_of_the_folder(place: Path) -> None:
    write(place / "team", "diagnosis-of-tumours", "Predict a diagnosis, malignant or benign, with a linear model.",
          family=FAMILY)  # fmt: skip
    settings = Settings(notes=str(place / "team"), plan_only=True)
    out = build_graph(settings=settings).invoke(
        {"request": "Predict the diagnosis, malignant or benign, with a linear model", "data": str(CANCER)}
    )
    assert any("diagnosis-of-tumours" in plan["notes"] for plan in out["report"].plans)


def test_the_command_line_searches_a_folder(team: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["knowledge", "search", "lava and ash", "--k", "1", "--notes", str(team)]) == 0
    assert "volcanoes" in capsys.readouterr().out


# ---------------------------------------------------------------- own notes


def test_own_notes_are_taken_out_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note = write(tmp_path, "volcanoes", "Volcanoes erupt with lava and ash.")
    home = ["--home", str(tmp_path / "home")]
    assert command.main(["knowledge", "add", str(note), *home]) == 0
    assert command.main(["knowledge", "remove", "volcanoes", *home]) == 0
    assert "removed     1" in capsys.readouterr().out
    assert "volcanoes" not in {note.id for note in api.search(tmp_path / "home", "lava and ash", k=3)}
    for name in ("volcanoes", "prepare-inside-the-fold", "../notes/volcanoes"):
        assert command.main(["knowledge", "remove", name, *home]) == 2
        assert "no note of your own" in capsys.readouterr().err


# ---------------------------------------------------------------- what is found


def test_near_duplicates_do_not_fill_the_answer(tmp_path: Path, library: Path) -> None:
    """Five notes that say one thing are one note of the answer."""
    text = "Volcanoes erupt with lava and ash, and the {} around them is fertile."
    for place, word in enumerate(("soil", "ground", "earth", "land", "country", "region")):
        folder = tmp_path / "team"
        path = write(folder, f"volcanoes-{place}", text.format(word), family=FAMILY)
        path.write_text(path.read_text().replace(f"Note about volcanoes-{place}", "Volcanoes and what they leave"))
    write(tmp_path / "team", "ash-and-aircraft", "Aircraft avoid ash, since engines fail of it.", family=FAMILY)
    with KnowledgeStore(tmp_path, library, notes=tmp_path / "team") as store:
        found = [note.id for note in store.search("lava and ash of volcanoes", k=5)]
    assert sum(name.startswith("volcanoes") for name in found) == 1
    assert found[0].startswith("volcanoes") and len(found) == 5


# ---------------------------------------------------------------- LangChain's embeddings


def test_embeddings_of_langchain_take_turns_in_one_home(
    tmp_path: Path, library: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of another length, too; each has a collection of its own, and going back embeds nothing."""
    added = []
    for embedding in (None, DeterministicFakeEmbedding(size=64), DeterministicFakeEmbedding(size=32)) * 2:
        with caplog.at_level(logging.WARNING), KnowledgeStore(tmp_path, library, embedding=embedding) as store:
            added.append(store.update()["added"])
            note = next(note for note in store.notes() if note.id == "bread")
            assert {found.id for found in store.search(note.text, k=9)} <= {"zebras", "trains", "bread"}
            assert store.warnings == []
    assert added == [3, 3, 3, 0, 0, 0]
    assert caplog.text == ""


def test_embeddings_have_names_that_tell_them_apart() -> None:
    assert embedding_name(DeterministicFakeEmbedding(size=64)) == "DeterministicFakeEmbedding-64"


def test_a_run_with_an_embedding_of_langchain(place: Path) -> None:
    with KnowledgeStore(place / "home", embedding=DeterministicFakeEmbedding(size=64)) as store:
        graph = build_graph(retriever=store, settings=Settings(plan_only=True))
        out = graph.invoke({"request": "Predict the diagnosis", "data": str(CANCER)})
    assert any(plan["notes"] for plan in out["report"].plans)
    assert not [text for text in out["report"].warnings if "notes" in text]
