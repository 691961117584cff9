"""The family of texts: what it reads, when it is meant, its terms and candidates, and one whole run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import automl_agent
from automl_agent import InputError, Request, Settings, build_graph
from automl_agent.agents.understanding.prompt import understand
from automl_agent.delivery.checks import predict_file
from automl_agent.records import Question, TaskSpec
from automl_agent.tasks.candidate import load_candidate
from automl_agent.tasks.registry import families
from automl_agent.tasks.text_classification import FAMILY, acquiring
from automl_agent.tasks.text_classification.pictures import speaking_words
from automl_agent.tasks.text_classification.shared import text_files, text_vectors
from automl_agent.testing import check_candidate
from conftest import CANCER
from word_tables import TABLES, flag, labels, numbers, table

TASKS = Path(automl_agent.__file__).parent / "tasks"
SHARED = (TASKS / "text_classification" / "shared", TASKS / "tables" / "shared")

THINGS = {
    "billing": ["invoice", "refund", "charged twice", "payment", "credit card", "receipt", "price", "discount code"],
    "delivery": ["parcel", "courier", "late package", "tracking number", "shipping", "wrong address", "box", "driver"],
    "account": [
        "password",
        "login",
        "email address",
        "two factor code",
        "profile",
        "username",
        "locked out",
        "settings",
    ],
}
FRAMES = ["I have a question about my {a} and the {b} from last week, please help.",
          "Hello, the {a} is a problem again! Nobody told me about the {b}.",
          "Could you look at the {a}? I wrote to you about the {b} on day {n}.",
          "Order {n}: what happened to the {a}, and why is the {b} missing?"]  # fmt: skip


def messages(rows: int = 240, seed: int = 0, noise: float = 0.05) -> pd.DataFrame:
    """Messages to a shop with the desk that answers them; some are about two things."""
    random = np.random.default_rng(seed)
    desks, texts = list(THINGS), []
    target = random.choice(desks, rows, p=[0.5, 0.3, 0.2])
    for desk in target:
        other = desk if random.random() > 0.3 else random.choice(desks)
        a, b = random.choice(THINGS[desk]), random.choice(THINGS[str(other)])
        texts.append(str(random.choice(FRAMES)).format(a=a, b=b, n=random.integers(1000)))
    target = np.where(random.random(rows) < noise, random.choice(desks, rows), target)
    return pd.DataFrame({"message": texts, "desk": target})


def pairs(rows: int = 200, seed: int = 0) -> pd.DataFrame:
    """Two sentences each, and whether they are about the same thing."""
    random = np.random.default_rng(seed)
    everything = [thing for things in THINGS.values() for thing in things]
    found = []
    for number in range(rows):
        a, b, c = random.choice(everything, 3, replace=False)
        same = random.random() < 0.5
        told = a if same else b
        question, passage = f"please tell me, {number}, about the {a}", f"this page explains the {told} and not {c}"
        found.append((question, passage, "yes" if same else "no"))
    return pd.DataFrame(found, columns=["question", "passage", "answered"])


def texts_of(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    return frame[list(names)].astype(pd.StringDtype("python"))


def acquired(place: Path, data, target="desk", test=None, **task):
    for name, given in (("table", data), ("test", test)):
        if isinstance(given, pd.DataFrame):
            given.to_csv(place / f"{name}.csv", index=False)
    path = place / "table.csv" if isinstance(data, pd.DataFrame) else data
    request = Request(words="x", data=(str(path),), test_data=None if test is None else str(place / "test.csv"))
    spec = TaskSpec(words="x", family=FAMILY.name, target=target, metric="accuracy", **task)
    profile = acquiring.acquire(spec, request, place / "data", place / "private", seed=0, test_share=0.2)
    return profile, place / "data"


def kinds(profile):
    return {finding.kind: finding for finding in profile.findings}


def model_of(name, **params):
    """A candidate as a worker makes it."""
    module = load_candidate(FAMILY.folder / "candidates" / f"{name}.py", SHARED)
    return lambda classes, metric="accuracy", steps=(): module.Model(
        {"kind": "classification", "classes": classes, "metric": metric, "positive": None}, params, list(steps), 0
    )


def shared(name):
    """A shared file as candidates import it."""
    sys.path[:0] = [str(folder) for folder in SHARED if str(folder) not in sys.path]
    return __import__(name)


def tiny_weights(folder: Path) -> Path:
    """Token vectors of a user: one direction for each desk."""
    tokenizers = pytest.importorskip("tokenizers")
    folder.mkdir()
    known = {"[UNK]": 0}
    for things in THINGS.values():
        for word in " ".join(things).split():
            known.setdefault(word, len(known))
    rows = np.random.default_rng(0).normal(0, 0.1, (len(known), 4))
    for place, things in enumerate(THINGS.values()):
        rows[[known[word] for word in " ".join(things).split()], place] += 1
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(known, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    content = rows.astype(np.float16).tobytes()
    entry = {"dtype": "F16", "shape": list(rows.shape), "data_offsets": [0, len(content)]}
    header = json.dumps({"__metadata__": {"a": "b"}, "vectors": entry}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + content)
    return folder


# ---------------------------------------------------------------- reading


@pytest.fixture
def folder(tmp_path):
    """Texts by class in several encodings, with files that are none."""
    root = tmp_path / "mail"
    for desk, rows in messages(60).groupby("desk"):
        (root / desk).mkdir(parents=True)
        for number, text in enumerate(rows["message"]):
            (root / desk / f"{number}.txt").write_text(text, encoding="utf-8")
    (root / "billing" / "51060").write_bytes("café prix".encode("latin-1"))
    (root / "billing" / "wide.txt").write_bytes("naïve".encode("utf-16"))
    (root / "delivery" / "picture.txt").write_bytes(b"\0\1\2")
    (root / "delivery" / "nothing.txt").write_text(" \n")
    (root / "delivery" / "photo.png").write_bytes(b"\x89PNG")
    (root / "notes").mkdir()
    return root


def test_a_folder_is_read_by_class(folder):
    frame, odd = text_files.read_folder(folder)
    assert set(frame["label"]) == {"account", "billing", "delivery"}
    assert len(frame) == 64 and len(odd["binary"]) == 1
    texts = dict(zip(frame["file"], frame["text"], strict=True))
    assert texts["billing/51060"] == "café prix" and texts["billing/wide.txt"] == "naïve"
    assert len(text_files.read_folder(folder, limit=10)[0]) <= 10


def test_files_without_classes_have_no_label(folder):
    frame, _ = text_files.read_folder(folder / "billing")
    assert frame["label"].isna().all() and frame["text"].notna().all()
    with pytest.raises(ValueError, match="no text files"):
        text_files.read_folder(folder / "notes")


def test_a_link_out_of_the_folder_is_not_read(folder):
    (folder / "billing" / "passwd.txt").symlink_to("/etc/passwd")
    assert not any("passwd" in name for name in text_files.read_folder(folder)[0]["file"])


def test_a_long_file_is_cut_and_counted(tmp_path):
    (tmp_path / "a.txt").write_text("word " * 250_000)
    frame, odd = text_files.read_folder(tmp_path)
    assert odd["long"] == [0] and len(frame["text"][0]) == text_files.MAX_BYTES


def test_a_folder_becomes_a_data_folder(folder, tmp_path):
    profile, data = acquired(tmp_path, folder, target="label")
    schema = json.loads((data / "schema.json").read_text())
    assert schema["classes"] == ["account", "billing", "delivery"]
    assert [column["name"] for column in schema["columns"]] == ["text"]
    assert schema["read"]["format"] == "folder"
    assert kinds(profile)["binary"].count == 1 and kinds(profile)["no_text"].count == 1
    assert profile.rows_train + profile.rows_test == 62


def test_train_and_test_folders_are_the_users_split(tmp_path):
    for part, rows, seed in (("train", 60, 0), ("test", 30, 1)):
        for number, row in messages(rows, seed).iterrows():
            place = tmp_path / "mail" / part / row["desk"] / f"{number}.txt"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(row["message"])
    profile, _ = acquired(tmp_path, tmp_path / "mail", target="label")
    assert (profile.rows_train, profile.rows_test) == (60, 30)


def test_texts_are_told_from_labels_by_their_type(tmp_path):
    frame = messages().assign(channel=["web", "shop", "phone"] * 80)
    _, data = acquired(tmp_path, frame)
    part = FAMILY.fold(data, 0, rows=0, seed=0)
    assert isinstance(part.train["message"].dtype, pd.StringDtype) and part.train["channel"].dtype == object
    assert isinstance(FAMILY.test_inputs(data)["message"].dtype, pd.StringDtype)


def test_rows_without_text_are_left_out_and_counted(tmp_path):
    frame = messages()
    frame.loc[:6, "message"] = ["", " ", None, "NA", "-", "n/a", "?"]
    profile, _ = acquired(tmp_path, frame)
    assert kinds(profile)["no_text"].count == 7
    assert profile.rows_train + profile.rows_test == 233


def test_short_texts_are_texts_when_they_are_named(tmp_path):
    frame = messages().assign(title=lambda rows: rows["message"].str.split().str[3:5].str.join(" "))
    profile, data = acquired(tmp_path, frame, options={"text": "title"})
    schema = json.loads((data / "schema.json").read_text())
    assert [(column["name"], column["kind"]) for column in schema["columns"]] == [("title", "text")]
    assert {"name": "message", "reason": "ignored"} in schema["dropped"]
    assert profile.meta["texts"] == 1 and profile.meta["characters"] < 20


def test_pairs_and_columns_beside_are_kept(tmp_path):
    frame = pairs().assign(length=range(200), source=["a", "b"] * 100)
    profile, _ = acquired(tmp_path, frame, target="answered")
    assert profile.kinds["text"] == 2 and profile.kinds["category"] == 1
    assert profile.meta["texts"] == 2


BAD = {
    "no text at all": (messages().assign(message=""), {"options": {"text": "message"}}, "No row of .* has a text in"),
    "one class": (messages().assign(desk="billing"), {}, "'desk' has one value only"),
    "no column of texts": (messages()[["desk"]].assign(n=range(240)), {}, "looks like texts.*text=COLUMN"),
    "one text everywhere": (messages().assign(message="the same words in every row"), {"options": {"text": "message"}},
                            "the same text in all rows"),
    "a column that is not there": (messages(), {"options": {"text": "mesage"}}, "no column 'mesage'.*Nearest: message"),
    "the target as a text": (messages(), {"options": {"text": "desk"}}, "'desk' cannot be both"),
    "an unknown option": (messages(), {"options": {"depth": 3}}, r"no option depth \(--set\) for texts.*text=COLUMN"),
    "weights that are not there": (messages(), {"options": {"embedding": "/nowhere"}}, "embedding cannot be used"),
    "a numeric target": (messages().assign(desk=np.random.default_rng(0).normal(size=240)), {}, "too many for classes"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_said_in_one_line(case, tmp_path):
    frame, task, said = BAD[case]
    with pytest.raises(InputError, match=said) as caught:
        acquired(tmp_path, frame, **task)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "data").exists()


# ---------------------------------------------------------------- understanding


class Sees:
    """All installed families, every one of which sees the same table."""

    def __init__(self, peek, monkeypatch):
        self.families = families()
        for family in self.families.values():
            monkeypatch.setattr(type(family), "peek", lambda *_: peek)

    def __call__(self, words, **fields):
        return understand(Request(words=words, data=("x.csv",), **fields), self.families)


def text_column(name, words=12):
    from automl_agent.tasks.family import PeekColumn

    return PeekColumn(name, "text", 900, tuple(" ".join(["word"] * words) + str(n) for n in range(20)))


MEANT = {
    "reviews": (table("r", text_column("review"), labels("department", "tops", "dresses", "trend")),
                "Which department is a review about?", "department"),
    "sentiment": (table("s", text_column("body"), flag("sentiment", "neg", "pos"), numbers("price"),
                        labels("shop", "a", "b"), numbers("weight")),
                  "Is the sentiment of a comment positive?", "sentiment"),
    "pairs": (table("q", text_column("question"), text_column("passage"), flag("label", "no", "yes")),
              "Does the passage answer the question?", "label"),
    "the only other column": (table("o", text_column("body"), labels("queue", "a", "b", "c")),
                              "Route what people write", "queue"),
    "coded labels": (table("c", text_column("tweet"), flag("toxic", "0", "1")),
                     "Detect toxic tweets, AUC at least 0.8", "toxic"),
}  # fmt: skip


@pytest.mark.parametrize("case", MEANT)
def test_texts_are_meant(case, monkeypatch):
    peek, words, target = MEANT[case]
    task = Sees(peek, monkeypatch)(words)
    assert isinstance(task, TaskSpec), task
    assert (task.family, task.target) == ("text_classification", target)
    assert [inference.value for inference in task.inferences if inference.field == "family"] == ["text_classification"]


NOT_MEANT = {
    "a mixed business table": (table("m", labels("plan", "a", "b"), numbers("income"), numbers("age"),
                                     text_column("remark"), flag("churn")), "Which customers churn?"),
    "a number": (table("n", text_column("review"), numbers("price")), "Estimate the price of what a review is about."),
    "names": (table("p", text_column("name", words=3), labels("sex", "m", "f")), "Predict the sex."),
    "clusters": (table("k", text_column("review"), labels("kind", "a", "b")), "Cluster the reviews into segments."),
    "no text": (TABLES["telco"], "Which customers churn?"),
}  # fmt: skip


@pytest.mark.parametrize("case", NOT_MEANT)
def test_texts_are_not_meant(case, monkeypatch):
    peek, words = NOT_MEANT[case]
    task = Sees(peek, monkeypatch)(words)
    assert isinstance(task, Question) or task.family != "text_classification"


def test_the_family_can_be_asked_for(tmp_path, monkeypatch):
    peek = table("t", labels("title", "blue shirt", "red hat"), flag("sold"), numbers("price"))
    asked = {"family": "text_classification", "target": "sold"}
    task = Sees(peek, monkeypatch)("Will it be sold?", options={"text": "title"}, **asked)
    assert task.family == "text_classification" and task.options == {"text": "title"}
    with pytest.raises(InputError, match=r"looks like texts.*text=COLUMN"):
        understand(Request(words="classify", data=(str(CANCER),), family="text_classification"), families())


def test_a_folder_of_texts_is_meant_without_a_word_about_it(folder):
    task = understand(Request(words="Sort these.", data=(str(folder),)), families())
    assert (task.family, task.target, task.dataset[0].modality) == ("text_classification", "label", "folder of texts")


# ---------------------------------------------------------------- terms


def test_words_are_weighted_as_scikit_learn_does():
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = messages(80)["message"].tolist()
    known = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"\w+|[!?]")
    expected = known.fit_transform(texts)
    terms = shared("text_terms").WordTerms()
    found = terms.fit_transform(texts)
    place = {name: column for column, name in enumerate(terms.names)}
    assert set(place) == set(known.get_feature_names_out())
    order = [place[name] for name in known.get_feature_names_out()]
    assert np.allclose(found[:, order].toarray(), expected.toarray(), atol=1e-6)
    assert np.allclose(terms.transform(texts).toarray(), found.toarray())


def test_unknown_words_and_no_words_give_empty_rows():
    terms = shared("text_terms").WordTerms()
    terms.fit_transform(["one two three", "two three four", "five six five six", "nothing more"])
    assert terms.transform(["", "völlig unbekannt"]).nnz == 0


def test_runs_of_letters_end_at_words():
    terms = shared("text_terms").LetterTerms(3, 5, bits=20)
    both, one, other = terms.count(["refund parcel", "refund", "parcel"])
    assert (both != one + other).nnz == 0
    assert one.sum() == 6 + 5 + 4  # " refund " has eight signs
    assert terms.count(["日本"]).sum() == 2 + 1 and terms.count([""]).nnz == 0


def test_the_end_of_a_long_text_counts():
    words = shared("text_terms").words
    assert words("a " * 40_000 + "end")[-1] == "end"
    assert len(words("word " * 100_000)) == 20_000


def test_what_two_texts_share():
    features, terms = shared("pair_features"), shared("text_terms").WordTerms(pairs=False)
    first, second = ["is the red box here", "is it late"], ["A tale. The red box is here!", "The driver came"]
    terms.fit_transform([*first, *second])
    found = pd.DataFrame(features.overlap(first, second, terms), columns=features.NAMES)
    assert found["shared share of the first"].tolist() == [1.0, 0.0]
    assert found.loc[0, ["sentences", "best sentence", "place of the best sentence"]].tolist() == [2, 1.0, 0.5]
    assert found["unshared words"].tolist() == [0, 3] and found.loc[1, "closeness"] == 0


# ---------------------------------------------------------------- candidates

CANDIDATES = sorted(FAMILY.candidates())


@pytest.mark.parametrize("name", [name for name in CANDIDATES if name != "pair_overlap"])
def test_candidates_keep_the_contract(name):
    check_candidate(FAMILY.candidates()[name].path, "classification", shared=SHARED)


@pytest.mark.parametrize("name", ["word_linear", "char_linear", "naive_bayes"])
@pytest.mark.parametrize("classes", [2, 3])
def test_candidates_learn_texts(name, classes):
    frame = messages(300, noise=0)
    frame = frame[frame["desk"].isin(list(THINGS)[:classes])]
    labels = sorted(frame["desk"].unique())
    target = frame["desk"].map(labels.index).to_numpy()
    rows = texts_of(frame, "message").reset_index(drop=True)
    model = model_of(name)(labels).fit(rows[:200], target[:200])
    scores = model.predict(rows[200:])
    assert (scores.argmax(axis=1) == target[200:]).mean() > 0.8
    assert np.allclose(scores.sum(axis=1), 1)
    likelihood = -np.log(scores[np.arange(len(scores)), target[200:]]).mean()
    assert likelihood < 0.5, "it is as sure as it may be"


def test_weighted_naive_bayes_learns_too():
    frame = messages(300, noise=0)
    labels = sorted(frame["desk"].unique())
    target = frame["desk"].map(labels.index).to_numpy()
    model = model_of("naive_bayes", form="weighted", alpha=1.0)(labels).fit(
        texts_of(frame, "message")[:200], target[:200]
    )
    assert (model.predict(texts_of(frame, "message")[200:]).argmax(axis=1) == target[200:]).mean() > 0.85


@pytest.mark.parametrize("name", ["pair_overlap"])
def test_pairs_are_told_by_their_relation(name, tmp_path):
    frame = pairs(400)
    target = (frame["answered"] == "yes").to_numpy().astype(int)
    rows = texts_of(frame, "question", "passage")
    model = model_of(name)(["no", "yes"]).fit(rows[:300], target[:300])
    scores = model.predict(rows[300:])
    assert (scores.argmax(axis=1) == target[300:]).mean() > 0.85
    model.save(tmp_path)
    loaded = type(model).load(tmp_path)
    assert np.allclose(loaded.predict(rows[300:]), scores, atol=1e-9)
    assert np.allclose(loaded.predict(rows[300:301].reset_index(drop=True)), scores[:1], atol=1e-9)


def test_columns_beside_the_texts_count():
    random = np.random.default_rng(0)
    frame = messages(240)[["message"]].astype(pd.StringDtype("python"))
    target = random.integers(0, 2, 240)
    frame["channel"] = np.where(target == 1, "web", "phone").astype(object)
    model = model_of("word_linear")(["a", "b"]).fit(frame[:160], target[:160])
    assert (model.predict(frame[160:]).argmax(axis=1) == target[160:]).mean() > 0.95


def test_rare_classes_weigh_more_where_the_metric_wants_it():
    codes = np.array([0] * 90 + [1] * 10)
    make = model_of("word_linear")

    def ratio(metric, steps=()):
        weights = make(["a", "b"], metric, steps).row_weights(codes)
        assert weights.mean() == pytest.approx(1)
        return weights[-1] / weights[0]

    assert [round(ratio(m), 3) for m in ("accuracy", "f1_macro", "balanced_accuracy")] == [1, 3, 9]
    assert ratio("accuracy", ["balance"]) == pytest.approx(3) and ratio("f1_macro", ["balance"]) == pytest.approx(9)


def test_what_does_not_fit_into_the_time_is_not_begun():
    frame = messages(2000)
    target = frame["desk"].map(list(THINGS).index).to_numpy()
    module = load_candidate(FAMILY.folder / "candidates" / "word_linear.py", SHARED)
    task = {"kind": "classification", "classes": list(THINGS), "metric": "accuracy", "positive": None}
    with pytest.raises(TimeoutError, match="Reading 2000 texts needs about"):
        module.Model(task, {}, [], 0, time_limit=0.01).fit(texts_of(frame, "message"), target)


# ---------------------------------------------------------------- embeddings


def test_embeddings_of_the_user_are_used_and_stored(tmp_path):
    weights = tiny_weights(tmp_path / "weights")
    frame = messages(240, noise=0)
    labels = sorted(frame["desk"].unique())
    target = frame["desk"].map(labels.index).to_numpy()
    rows = texts_of(frame, "message")
    module = load_candidate(FAMILY.folder / "candidates" / "embedding_head.py", SHARED)
    task = {
        "kind": "classification",
        "classes": labels,
        "metric": "accuracy",
        "positive": None,
        "embedding": str(weights),
    }
    model = module.Model(task, {}, [], 0).fit(rows[:160], target[:160])
    scores = model.predict(rows[160:])
    assert (scores.argmax(axis=1) == target[160:]).mean() > 0.8
    model.save(tmp_path / "model")
    for file in weights.iterdir():
        file.unlink()
    assert np.allclose(module.Model.load(tmp_path / "model").predict(rows[160:]), scores, atol=1e-9)
    assert json.loads((tmp_path / "model" / "params.json").read_text())["embedding"] == str(weights)


def test_the_weights_of_the_extra_know_words_that_training_never_saw(tmp_path):
    said = {
        "food": ("bread", "soup", "cheese", "noodles", "apple", "butter", "salad", "rice", "chicken", "cake"),
        "travel": ("train", "airport", "bus", "ferry", "luggage", "passport", "taxi", "flight", "station", "ticket"),
    }
    new = {"food": ("potato", "sausage", "pizza", "banana"), "travel": ("airplane", "railway", "suitcase", "visa")}
    train, test = ([(f"The {word} that I had", label) for label, words in group.items() for word in words]
                   for group in (said, new))  # fmt: skip
    labels = sorted(said)

    def model(name):
        return model_of(name)(labels).fit(*split(train))

    def split(rows):
        frame = pd.DataFrame(rows, columns=["message", "topic"])
        return texts_of(frame, "message"), frame["topic"].map(labels.index).to_numpy()

    rows, truth = split(test)
    right = {
        name: (model(name).predict(rows).argmax(axis=1) == truth).mean() for name in ("embedding_head", "word_linear")
    }
    assert right["embedding_head"] > 0.8 > right["word_linear"]


def test_weights_of_the_user_are_part_of_what_trials_depend_on(tmp_path):
    weights = tiny_weights(tmp_path / "weights")
    (tmp_path / "a").mkdir()
    plain, _ = acquired(tmp_path / "a", messages())
    own, data = acquired(tmp_path, messages(), options={"embedding": str(weights)})
    assert own.meta["embeddings"] == 1 and own.fingerprint != plain.fingerprint
    assert FAMILY.describe(data, "accuracy")["embedding"] == str(weights)


def test_without_weights_it_says_what_they_would_bring(tmp_path, monkeypatch):
    monkeypatch.setattr(text_vectors, "installed", lambda: None)
    profile, _ = acquired(tmp_path, messages())
    assert profile.meta["embeddings"] == 0
    assert "automl-agent[text]" in kinds(profile)["no_embeddings"].text


@pytest.mark.parametrize(
    ("content", "said"), [(b"\xff" * 20, "no safetensors"), (b"\x02" + b"\0" * 7 + b"{}", "0 matrices")]
)
def test_damaged_weights_are_refused(content, said, tmp_path):
    (tmp_path / "w.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=said):
        text_vectors.read_matrix(tmp_path / "w.safetensors")


# ---------------------------------------------------------------- a whole run


@pytest.mark.slow
def test_a_whole_run_on_a_folder(place):
    for number, row in messages(150, noise=0.02).iterrows():
        path = place / "mail" / row["desk"] / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(row["message"])
    settings = Settings(budget=240, trials=4, max_revisions=0, out=str(place / "out"))
    out = build_graph(settings=settings).invoke(
        {"request": "Which desk answers a message?", "data": str(place / "mail")}
    )
    report = out["report"]
    assert report.status == "delivered", report.reason
    assert report.task["family"] == "text_classification" and report.score > 0.75 > report.metric["baseline"]
    assert out["bundle"].server.ok, out["bundle"].server.text
    assert out["bundle"].retrain.ok, out["bundle"].retrain.text
    page = Path(report.report).read_text(encoding="utf-8")
    assert "Words of text" in page and "Confusion matrix" in page
    assert "Kappa" in page and "Qwk" not in page, "the classes have no order"
    predictions = pd.read_csv(report.predictions)
    assert (predictions["truth"] == predictions["prediction"]).mean() == pytest.approx(report.score)

    bundle = Path(out["bundle"].path)
    told = speaking_words(bundle, 3)
    assert not told or "Words that speak for each class" in page
    (place / "new").mkdir()
    (place / "new" / "a.txt").write_text("Where is my parcel? The courier lost the box.")
    (place / "new" / "b.txt").write_text("I was charged twice, send the refund to my credit card.")
    found = pd.read_csv(predict_file(bundle, place / "new", place / "new.csv"))
    assert found["prediction"].tolist() == ["delivery", "billing"]
    alone = pd.read_csv(predict_file(bundle, place / "new" / "b.txt", place / "alone.csv"))
    assert alone["prediction"].tolist() == ["billing"]
