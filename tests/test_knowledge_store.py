"""The store: what it finds, what it embeds anew, and what it does when it is broken."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from automl_agent.errors import InputError
from automl_agent.knowledge import api, store
from automl_agent.knowledge import sentences as sentences_module
from automl_agent.knowledge.embedding import Embedding, Fused, HashedWords
from automl_agent.knowledge.lock import exclusive
from automl_agent.knowledge.notes import default_folder, load_notes
from automl_agent.knowledge.ranking import Hit, document, ranked
from automl_agent.knowledge.store import KnowledgeStore
from automl_agent.knowledge.words import stem, terms
from automl_agent.records import Note
from knowledge_queries import QUERIES, quality
from written_notes import embedded_from_now, write


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "given"
    write(folder, "zebras", "Zebras graze in the savanna and wear stripes.")
    write(folder, "trains", "Trains run on rails between stations.", when='rows: ">= 1000"')
    write(folder, "bread", "Bread is baked from flour, water and yeast.", family="tabular_classification")
    return folder


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnowledgeStore]:
    with KnowledgeStore(tmp_path_factory.mktemp("home")) as opened:
        yield opened


# ---------------------------------------------------------------- what is found


def test_paraphrased_queries_find_their_notes(shipped: KnowledgeStore) -> None:
    families = {note.id: note.families for note in shipped.notes()}
    assert all(one["family"] in families[name] for one in QUERIES for name in one["wanted"])
    assert len(QUERIES) >= 80 and sum("meta" in one for one in QUERIES) >= len(QUERIES) / 3
    for half in ("tuned", "held_out"):
        hits, mrr = quality(shipped, half)
        assert hits >= 0.8 and mrr >= 0.6, half


def test_the_query_of_the_issue(shipped: KnowledgeStore) -> None:
    found = shipped.search("many categories with thousands of levels, churn", family="tabular_classification", k=5)
    assert found[0].id == "regularised-target-encoding"
    assert list(found) == sorted(found, key=lambda note: -note.relevance)


def test_conditions_decide_the_order(shipped: KnowledgeStore) -> None:
    small = {"rows": 500.0, "target_skew": 2.0, "budget": 60.0}
    found = shipped.retrieve("predict the price of a house", family="tabular_regression", meta=small, k=30)
    assert [note.applies for note in found] == sorted((note.applies for note in found), reverse=True)
    assert found[0].id == "house-prices-2016-small-table-linear-and-trees"
    large = shipped.retrieve("predict the price of a house", family="tabular_regression", meta={"rows": 1e6}, k=58)
    verdicts = {note.id: note.applies for note in large}
    assert verdicts["house-prices-2016-small-table-linear-and-trees"] is False
    assert verdicts["start-from-a-baseline-and-a-budget"] is False  # an unknown fact does not fulfil a condition
    assert all(note.applies for note in shipped.search("price", k=58))  # nothing was measured


def test_measured_facts_steer_the_search(shipped: KnowledgeStore) -> None:
    meta = {"rows": 20_000.0, "minority_share": 0.01, "classes": 2.0}
    found = shipped.retrieve("who will buy", family="tabular_classification", meta=meta, k=6)
    assert any("imbalance" in note.text or "rare" in note.text for note in found[:3])


def test_only_notes_of_the_family(shipped: KnowledgeStore) -> None:
    found = shipped.retrieve("prediction interval", family="tabular_classification", meta={}, k=58)
    assert all("tabular_classification" in note.families for note in found)
    assert "jackknife-plus-and-cv-plus-intervals" not in {note.id for note in found}
    assert shipped.retrieve("anything", family="no_such_family", meta={}, k=5) == ()
    assert shipped.search("anything", k=0) == ()


def test_odd_queries_are_answered(shipped: KnowledgeStore) -> None:
    for query in ("", "???", "日本語", "x" * 5000, "'; DROP TABLE notes; --", "1.2.3 rows, 5. levels"):
        assert len(shipped.search(query, k=3)) == 3


def test_two_notes_that_say_the_same_are_not_both_returned() -> None:
    def hit(name: str, vector: list[float], similarity: float) -> Hit:
        note = Note(id=name, title=name, kind="practice", source="s", families=("f",))
        return Hit(note, vector, similarity)

    hits = [hit("a", [1.0, 0.0], 0.9), hit("copy", [1.0, 0.0], 0.9), hit("b", [0.0, 1.0], 0.3)]
    assert [note.id for note in ranked(hits, {}, 3)] == ["a", "b"]


def test_words_meet() -> None:
    assert stem("scaling") == stem("scaled") == stem("scales") == stem("scale")
    assert stem("categories") == stem("category")
    assert "=imbalance" in set(terms("Hardly any positives"))
    assert "=cardinality" in set(terms("an id with 40,000 different entries"))
    assert "=small" in set(terms("300 patients")) - set(terms("300000 patients"))


# ---------------------------------------------------------------- meaning beside words


def test_meaning_finds_what_words_do_not(tmp_path: Path) -> None:
    folder = tmp_path / "given"
    write(folder, "pets", "A kitten purrs when it is stroked.")
    write(folder, "rails", "The locomotive pulls coaches over the bridge.")
    write(folder, "kitchen", "Knead the dough and let it rise near the oven.")
    with KnowledgeStore(tmp_path / "home", folder) as opened:
        found = [opened.search(words, k=1)[0].id for words in ("how to bake bread", "a cat at home", "train journey")]
    assert found == ["kitchen", "pets", "rails"]


def test_likeness_of_both_is_the_weighted_mean() -> None:
    words = HashedWords.learn(["zebras graze", "trains run on rails", "bread"])
    sentences = sentences_module.Sentences.installed()
    assert sentences is not None, "the extra `knowledge` is not installed"
    one, other = "zebras on rails", "trains run"

    def likeness(embedding: Embedding) -> float:
        return float(np.dot(embedding.embed_query(one), embedding.embed_query(other)))

    expected = 0.3 * likeness(sentences) + 0.7 * likeness(words)
    assert likeness(Fused(sentences, words, 0.3)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("name", "value", "said"), [("PACKAGE", "no_such_package", ""),
                                                     ("SHA256", "0" * 64, "is not the file that")])  # fmt: skip
def test_without_the_known_model_words_alone_find_notes(
    name: str, value: str, said: str, tmp_path: Path, notes: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """A file that somebody changed is not even opened as a model."""
    monkeypatch.setattr(sentences_module, name, value)
    with KnowledgeStore(tmp_path, notes) as opened:
        assert opened.search("zebras", k=1)[0].id == "zebras"
        assert opened.update()["embedding"].startswith("hashed-words")
    assert said in caplog.text


def test_the_vectors_that_ship_are_those_of_the_notes() -> None:
    """Made anew by `python -m automl_agent.knowledge.sentences` when a note has changed."""
    texts = [document(note) for note in load_notes(default_folder())]
    sentences = sentences_module.Sentences.installed()
    assert sentences is not None, "the extra `knowledge` is not installed"
    shipped = sentences_module._shipped()
    assert set(shipped) == {sentences_module._key(text) for text in texts}
    for text in texts[::60]:
        assert np.dot(shipped[sentences_module._key(text)], sentences.embed_query(text)) > 0.999


# ---------------------------------------------------------------- what is kept


def test_only_changed_notes_are_embedded_anew(tmp_path: Path, notes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded = embedded_from_now(monkeypatch)
    first = api.build(tmp_path / "home", notes)
    assert (first["notes"], first["added"], len(embedded)) == (3, 3, 3)
    embedded.clear()
    same = api.sync(tmp_path / "home", notes)
    assert (same["notes"], same["added"], same["changed"], same["removed"]) == (3, 0, 0, 0)
    assert embedded == []
    write(notes, "zebras", "Zebras now live in a zoo.", family="tabular_classification")
    changed = api.sync(tmp_path / "home", notes)
    assert (changed["changed"], changed["added"], len(embedded)) == (1, 0, 1)
    with KnowledgeStore(tmp_path / "home", notes) as opened:
        old = {note.id for note in opened.search("zebras", family="tabular_regression")}
        new = opened.search("zebras in a zoo", family="tabular_classification")
    assert "zebras" not in old
    assert new[0].id == "zebras"
    assert "zoo" in new[0].text
    (notes / "trains.md").unlink()
    assert api.sync(tmp_path / "home", notes)["removed"] == 1


def test_weights_are_learned_anew_when_the_notes_are_others(tmp_path: Path, notes: Path) -> None:
    first = api.build(tmp_path, notes)
    for place in range(6):
        write(notes, f"planet{place}", f"Planet number {place} circles a star.")
    second = api.sync(tmp_path, notes)
    assert second["embedding"] != first["embedding"]
    assert second["notes"] == 9
    assert second["changed"] == 3


def test_own_notes_join_and_replace(tmp_path: Path, notes: Path) -> None:
    extra = tmp_path / "extra"
    write(extra, "volcanoes", "Volcanoes erupt with lava and ash.")
    write(extra, "prepare-inside-the-fold", "Our team's own rule about preparation and lava lamps.")
    outcome = api.add(tmp_path, extra)
    assert outcome["notes"] > 50
    found = api.search(tmp_path, "lava and ash of volcanoes", k=2)
    assert found[0].id == "volcanoes"
    with KnowledgeStore(tmp_path) as opened:
        mine = next(note for note in opened.notes() if note.id == "prepare-inside-the-fold")
    assert mine.text.startswith("Our team's own rule")
    single = write(notes, "penguins", "Penguins swim under the ice.")
    assert api.add(tmp_path, single)["added"] == 1
    assert api.search(tmp_path, "penguins")[0].id == "penguins"


def test_adding_is_all_or_nothing(tmp_path: Path, notes: Path) -> None:
    (notes / "worse.md").write_text("no front matter")
    with pytest.raises(InputError, match=r"worse.md"):
        api.add(tmp_path / "home", notes)
    assert not (tmp_path / "home" / "knowledge" / "notes").exists()
    with pytest.raises(InputError, match="no note or folder"):
        api.add(tmp_path / "home", tmp_path / "absent.md")
    with pytest.raises(InputError, match="empty"):
        api.search(tmp_path / "home", "  ")
    with pytest.raises(InputError, match="no folder"):
        api.build(tmp_path / "home", tmp_path / "absent")


def test_a_given_embedding_takes_the_place_of_ours(tmp_path: Path, notes: Path) -> None:
    class Letters:
        """Shaped like LangChain's embeddings: no name of its own, vectors of any length."""

        model = "letters-1"

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [self.embed_query(text) for text in texts]

        def embed_query(self, text: str) -> list[float]:
            return [float(text.lower().count(letter)) for letter in "abcdefghijklmnopqrstuvwxyz"]

    api.build(tmp_path, notes)  # another embedding in the same place does no harm
    with KnowledgeStore(tmp_path, notes, embedding=Letters()) as opened:
        assert opened.update()["embedding"] == "Letters-letters-1"
        assert opened.search("zzzz eee rrr aaa sss", k=1)[0].id == "zebras"


# ---------------------------------------------------------------- when it is broken


def test_a_damaged_store_falls_back_to_memory(tmp_path: Path, notes: Path, caplog: pytest.LogCaptureFixture) -> None:
    api.build(tmp_path, notes)
    (tmp_path / "knowledge" / "chroma" / "chroma.sqlite3").write_bytes(b"not a database" * 500)
    with caplog.at_level(logging.WARNING), KnowledgeStore(tmp_path, notes) as opened:
        assert opened.search("stripes of zebras", k=1)[0].id == "zebras"
        assert opened.search("flour and yeast", family="tabular_classification", k=3)[0].id == "bread"
    assert "ranked in memory" in caplog.text
    with pytest.raises(InputError, match="knowledge build"):
        api.sync(tmp_path, notes)
    assert api.build(tmp_path, notes)["added"] == 3  # building repairs it
    assert api.search(tmp_path, "stripes of zebras", k=1, folder=notes)[0].id == "zebras"


def test_a_locked_store_falls_back_to_memory(tmp_path: Path, notes: Path, monkeypatch: pytest.MonkeyPatch,
                                             caplog: pytest.LogCaptureFixture) -> None:  # fmt: skip
    monkeypatch.setattr(store, "LOCK_SECONDS", 0.05)
    (tmp_path / "knowledge").mkdir()
    with exclusive(tmp_path / "knowledge" / "lock", 1.0), KnowledgeStore(tmp_path, notes) as opened:
        assert opened.search("stripes of zebras", k=1)[0].id == "zebras"
        with pytest.raises(TimeoutError):
            opened.update()
        with pytest.raises(InputError, match="held by another process"):
            api.sync(tmp_path, notes)
    assert "ranked in memory" in caplog.text


def test_a_home_that_cannot_be_written_falls_back_to_memory(tmp_path: Path, notes: Path,
                                                           caplog: pytest.LogCaptureFixture) -> None:  # fmt: skip
    (tmp_path / "knowledge").write_text("a file is in the way")
    with KnowledgeStore(tmp_path, notes) as opened:
        assert opened.search("stripes of zebras", k=1)[0].id == "zebras"
    assert "ranked in memory" in caplog.text


def test_an_embedding_that_fails_falls_back_to_ours(tmp_path: Path, notes: Path,
                                                   caplog: pytest.LogCaptureFixture) -> None:  # fmt: skip
    class Offline:
        name = "offline"

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [[1.0, 0.0] for _ in texts]

        def embed_query(self, text: str) -> list[float]:
            raise ConnectionError(f"no network for {text}")

    with KnowledgeStore(tmp_path, notes, embedding=Offline()) as opened:
        assert opened.search("stripes of zebras", k=1)[0].id == "zebras"
    assert "no network" in caplog.text


def test_a_broken_note_of_the_users_own_does_not_stop_a_run(tmp_path: Path, notes: Path,
                                                           caplog: pytest.LogCaptureFixture) -> None:  # fmt: skip
    write(tmp_path / "knowledge" / "notes", "fine", "A fine note.")
    (tmp_path / "knowledge" / "notes" / "broken.md").write_text("---\ntitle: no\n---\n")
    with KnowledgeStore(tmp_path, notes) as opened:
        assert {note.id for note in opened.search("zebras", k=9)} == {"zebras", "trains", "bread", "fine"}
    assert "broken.md" in caplog.text


def test_many_processes_at_once(tmp_path: Path, notes: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from automl_agent.knowledge import api\n"
        "print(api.search(Path(sys.argv[1]), 'stripes of zebras', k=1, folder=Path(sys.argv[2]))[0].id)"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(tmp_path), str(notes)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    results = [process.communicate(timeout=120) for process in running]
    assert [(out.strip(), err) for out, err in results] == [("zebras", "")] * 3
    assert api.sync(tmp_path, notes)["added"] == 0


def test_nothing_is_left_running_and_nothing_heavy_is_imported(tmp_path: Path, notes: Path) -> None:
    before = set(threading.enumerate())
    with KnowledgeStore(tmp_path, notes) as opened:
        threads = [threading.Thread(target=opened.search, args=("zebras",)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert set(threading.enumerate()) == before
    code = (
        "import sys, automl_agent.knowledge.store, automl_agent.knowledge.api\n"
        "print([name for name in ('chromadb', 'pandas', 'torch', 'lightgbm', 'numpy') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
