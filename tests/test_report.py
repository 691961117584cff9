"""The report: complete, self-contained, and nothing of a user's text in it becomes markup."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import report_fixture as fixture
from automl_agent.delivery.report import ReportContent, write_report
from automl_agent.delivery.report.plots import canvas, code, data, quality
from automl_agent.delivery.report.render import render
from automl_agent.delivery.report.view import view
from automl_agent.delivery.words import apart, compact, duration, inline, kept, number, percent, short
from automl_agent.records import Breakdown, Subgroup, Verdict

_VOID = {"meta", "br", "use", "path", "rect", "image"}


class Page(HTMLParser):
    """What a browser would see: tags with their attributes, ids, text by section; complains about open tags."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, str] = {}
        self._section, self._open = "", []  # type: ignore[var-annotated]
        self.feed(source)
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._section = dict(attrs).get("id") or "" if tag == "section" else self._section
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text[self._section] = self.text.get(self._section, "") + data

    def ids(self) -> list[str]:
        return [attributes["id"] or "" for _, attributes in self.tags if "id" in attributes]


@pytest.fixture(scope="module")
def source(binary: ReportContent) -> str:
    return render(binary)


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> ReportContent:
    return fixture.classification(tmp_path_factory.mktemp("binary"))


def test_the_page_has_every_section_and_its_facts(binary: ReportContent, source: str) -> None:
    page = Page(source)
    assert [one for one in page.text if one] == [
        "understood", "constraints", "data", "plans", "ensemble", "test", "importance", "watch", "use", "time",
    ]  # fmt: skip
    assert "All 3 requirements are met" in page.text[""]
    assert number(binary.grade.score) in page.text[""]
    assert number(binary.grade.baseline) in page.text[""]
    assert "--target COLUMN" in page.text["understood"]
    assert "patient_no" in page.text["data"]
    assert "On small tables, regularised linear models" in page.text["plans"]
    assert "failed: timeout" in page.text["plans"]
    assert "quantile_scale 0." in page.text["plans"]
    best = max(trial.score or 0 for trial in binary.trials if trial.plan == "p1" and trial.fidelity.folds == 5)
    assert f"best {number(best)} on all rows, 5 folds" in page.text["plans"]  # never one of a lower fidelity
    assert "automl-agent predict 'automl-runs/demo run/bundle' new.csv" in page.text["use"]


@pytest.fixture(scope="module")
def modelled(binary: ReportContent) -> str:
    """The page of a run with language-model agents."""
    content = fixture.with_model(fixture.missed(binary))
    evidence = tuple(one.model_copy(update={"reasons": ("Too few rows.",)}) for one in content.evidence)
    return render(replace(content, evidence=evidence))


def test_the_page_tells_what_the_language_model_did(modelled: str) -> None:
    page = Page(modelled)
    assert "more malignant cases would help." in page.text[""]
    assert "Written by gpt-5 from the library’s numbers." in page.text[""]
    assert "rules, not sure" in page.text["understood"]
    assert "ratios of area and perimeter" in page.text["plans"]
    assert "a small network on standardised columns" in page.text["plans"]
    assert "Kept “Ratios of area and perimeter”." in page.text["plans"]
    assert "Too few rows." in page.text["revisions"]
    assert "2,400" in page.text["time"]
    assert "2 ok" not in page.text["time"]  # one of the planner's calls, one of the coder's
    assert "1 ok, 1 wrong form" in page.text["time"]
    assert "gpt-5: 6 calls, 18,226 tokens, at least $0.033, 1 more from memory." in page.text["time"]
    assert "Limits: $0.50 and 40 calls." in page.text["time"]
    assert "1 call answered from memory, at no cost." in page.text["time"]
    assert "1 call without a reported usage" in page.text["time"]
    assert "1 call of a model whose price is not known" in page.text["time"]
    assert "No language model was called." not in page.text["time"]


def test_the_page_shows_each_module_with_its_fate_and_source(modelled: str) -> None:
    page = Page(modelled)
    told = page.text["code"]
    titles = ("Ratios of area and perimeter", "Small network", "Bins of texture", "Codes of hospitals")
    assert sorted(titles, key=told.index) == list(titles)  # the kept ones first
    assert "Accuracy 0.9516 without → 0.9604 with: 0.0088 better" in told
    assert "0.0011 worse" in told
    assert "5 versions, none ran" in told
    assert "ValueError: shapes (120, 30) and (12,) not aligned" in told
    assert "No column of the target is read." in told
    assert "It was confined while it ran: namespaces of its own" in told
    assert 'ratio = frame["mean area"] / frame["mean perimeter"]' in told
    labels = [attributes.get("aria-label") or "" for tag, attributes in page.tags if tag == "svg"]
    assert any("area_per_perimeter: 0.0071; concave_share: 0.0013; mean_texture_rank: −0.0004" in one for one in labels)
    assert len(page.ids()) == len(set(page.ids()))


def test_generated_candidates_are_shown_by_their_title(modelled: str) -> None:
    assert "/home/someone" not in modelled
    assert "module.py" not in modelled
    page = Page(modelled)
    assert "Built from linear, lightgbm and Small network." in page.text[""]
    assert "Small network" in page.text["ensemble"]
    assert "Small network" in page.text["plans"]


def test_who_wrote_the_summary_is_said(binary: ReportContent) -> None:
    told = replace(binary, summary="All is well.\n\x1b[31mWatch it.")
    expected = {"paragraphs": ["All is well.", "[31mWatch it."], "by": "the library’s rules"}
    assert view(replace(told, summary_by="rules"))["summary"] == expected
    assert view(replace(told, summary_by="model"))["summary"]["by"] == "a language model from the library’s numbers"
    assert view(binary)["summary"] is None


def test_characters_that_hide_in_source_are_written_as_escapes(binary: ReportContent) -> None:
    content = fixture.with_model(binary)
    hidden = replace(content, sources={"r/ratios-p1": "access = 1  # \u202e secret \x1b[2J\r\n\tok\u200b\n"})
    assert view(hidden)["code"][0]["source"] == "access = 1  # \\u202e secret \\u001b[2J\n\tok\\u200b\n"


def test_ablations_are_drawn_whatever_their_signs() -> None:
    assert code.ablation({}, "a") == ""
    assert code.ablation({"x": float("nan")}, "a") == ""
    for losses in ({"x": 0.0}, {"x": -1.0, "y": -2.0}, {f"c{index}": index / 7 for index in range(40)}):
        drawn = code.ablation(losses, "a")
        assert drawn.count("<text") == 2 * min(len(losses), 12)


def test_plots_are_inline_readable_and_titled(source: str) -> None:
    page = Page(source)
    plots = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(plots) >= 12 + 10
    assert all(plot["role"] == "img" and plot["aria-label"] for plot in plots)
    assert any("Confusion matrix: of 72 true benign, 71 right" in (plot["aria-label"] or "") for plot in plots)
    assert "malignant" in page.text["test"]  # text is text, not outlines
    assert len(page.ids()) == len(set(page.ids()))


def test_the_page_needs_nothing_else_and_is_small(source: str) -> None:
    page = Page(source)
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "img", "iframe", "object", "embed", "image"}
        assert "src" not in attributes
        href = attributes.get("href") or "#"
        assert href.startswith("#") or tag == "a"
    assert not re.search(r"url\((?!#)|@import|@font-face", source)
    assert "default-src 'none'" in source
    assert len(source.encode()) < 1_500_000


def test_references_inside_plots_resolve(source: str) -> None:
    ids = set(Page(source).ids())
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', source)) <= ids


def test_hostile_texts_stay_text(tmp_path: Path) -> None:
    content = fixture.hostile(fixture.missed(fixture.with_model(fixture.classification(tmp_path, required=0.999))))
    source = render(content)
    page = Page(source)
    assert "script" not in {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert not any((attributes.get("href") or "").startswith("javascript") for _, attributes in page.tags)
    for section in ("", "data", "plans", "code", "time"):
        assert fixture.HOSTILE in page.text[section]
    assert "病院" in page.text["data"]
    assert "\x00" not in source
    assert "cd '/tmp/a b/" in page.text["use"]


def test_lone_surrogates_do_not_stop_the_report(binary: ReportContent, tmp_path: Path) -> None:
    content = replace(binary, warnings=("broken \udce9 name",))
    write_report(tmp_path / "deep" / "report.html", content)
    assert "broken ? name" in (tmp_path / "deep" / "report.html").read_text(encoding="utf-8")


def test_writing_replaces_the_old_file_or_leaves_it(binary: ReportContent, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(TypeError):
        write_report(path, replace(binary, importance=({"column": "x", "mean": None, "std": 0},)))
    assert path.read_text() == "old"
    write_report(path, binary)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]


def test_regression_shows_residuals(tmp_path: Path) -> None:
    page = Page(render(fixture.regression(tmp_path)))
    labels = " ".join(attributes.get("aria-label") or "" for tag, attributes in page.tags if tag == "svg")
    assert "Residuals: median" in labels
    assert "Predicted against actual values of 89 test rows" in labels
    assert "ROC" not in labels
    assert "lower is better" in page.text[""]
    assert "Targets inside the 90 % prediction interval" in page.text["test"]


def test_multiclass_has_a_matrix_and_no_curves(tmp_path: Path) -> None:
    page = Page(render(fixture.classification(tmp_path, multiclass=True)))
    labels = " ".join(attributes.get("aria-label") or "" for tag, attributes in page.tags if tag == "svg")
    assert "true grignolino" in labels
    assert "ROC" not in labels
    assert "barbera" in page.text["test"]


def test_a_missed_requirement_is_explained(tmp_path: Path) -> None:
    content = fixture.missed(fixture.classification(tmp_path, required=0.999))
    page = Page(render(content))
    assert "1 of 3 requirements missed" in page.text[""]
    assert "The nearest limit that this model keeps is at least 0.9736" in page.text["missed"]
    assert "training rows" in page.text["missed"]  # the learning curve
    assert "ran 3 new trials" in page.text["revisions"]
    assert "interactions of the strongest columns" in page.text["revisions"]


def test_a_bare_run_gives_a_page_too(binary: ReportContent, tmp_path: Path) -> None:
    none = Verdict(subject="solution", passed=True)
    content = replace(
        binary, data=tmp_path, grade_folder=tmp_path, plans=(), notes=(), results=(), trials=(), plan_verdicts={},
        verdict=none, final_verdict=none, evidence=(), importance=(), learning_curve=(), progress=(), seconds={},
        cost={}, warnings=(), versions={}, bundle=binary.bundle.model_copy(update={"server": None, "retrain": None}),
        task=binary.task.model_copy(update={"inferences": (), "constraints": (), "target": None}),
    )  # fmt: skip
    page = Page(render(content))
    assert "importance" not in page.text
    assert "revisions" not in page.text
    assert "code" not in page.text
    assert "No language model was called." in page.text["time"]
    assert "No requirement was set" in page.text[""]
    assert "Nothing stood out" in page.text["watch"]


def test_the_threshold_decides_the_confusion_matrix(binary: ReportContent) -> None:
    lax = replace(binary, solution=binary.solution.model_copy(update={"threshold": 0.0}))
    assert lax.predicted is not None
    assert set(lax.predicted.tolist()) == {1}
    strict = replace(binary, solution=binary.solution.model_copy(update={"threshold": 0.35}))
    assert "“malignant” from a probability of 0.35 on" in view(strict)["ensemble"]["facts"][1]


def test_folds_that_there_was_no_time_for_are_told(binary: ReportContent) -> None:
    member = binary.solution.members[0].trial
    (trial,) = [trial for trial in binary.trials if trial.id == member][:1] or [binary.trials[0]]
    some = trial.model_copy(
        update={"id": member, "fidelity": trial.fidelity.model_copy(update={"rows": 0, "folds": 2})}
    )

    def folds(**changes: object) -> str:
        return dict(view(replace(binary, **changes))["data"]["facts"])["Folds"]

    profile = binary.profile.model_copy(update={"folds": 5})
    assert folds(profile=profile, trials=(some,)).startswith("5, of which 2 were trained")
    assert folds(profile=profile, trials=()) == "5"


def test_many_classes_and_columns_are_folded() -> None:
    classes = [f"class {index}" for index in range(40)]
    truth = np.arange(400) % 40
    assert "true others" in quality.confusion(truth, truth, classes)
    assert "29 others" in data.target(truth, classes, "kind")


def test_plots_do_not_read_or_change_the_hosts_matplotlib_settings(binary: ReportContent) -> None:
    import matplotlib as mpl

    with mpl.rc_context({"text.usetex": True, "axes.grid": True, "figure.autolayout": True}):
        before = dict(mpl.rcParams)
        drawn = quality.importance(binary.importance, binary.metric)
        assert dict(mpl.rcParams) == before
    assert "worst texture" in drawn
    assert "var(--accent)" in drawn
    assert not re.search(r"fill: #(?!fff)", drawn)


def test_labels_are_never_mathematics() -> None:
    axes = canvas.chart(50)
    canvas.label(axes, 0, 0, "$x_{1$ & <b>")
    drawn = canvas.svg(axes, "math", 'a "quoted" <name>')
    assert "$x_{1$ &amp; &lt;b&gt;" in drawn
    assert 'aria-label="a &quot;quoted&quot; &lt;name&gt;"' in drawn


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.97368, "0.9737"), (1.0, "1"), (0.99996, "0.99996"), (1234.56, "1,235"), (31, "31"), (None, "–"),
        (-0.5, "−0.5"), (float("nan"), "–"), (0.00001234, "1.234e−05"), (1e15, "1.000e+15"), ("text", "text"),
        (12345678.0, "12,345,678"),
    ],
)  # fmt: skip
def test_numbers_have_four_significant_digits(value: object, text: str) -> None:
    assert number(value) == text


def test_numbers_for_people() -> None:
    assert apart(0.92996, 0.93) == ("0.92996", "0.93")
    assert kept(0.97368, ">=") == "0.9736"
    assert kept(2.3101, "<=") == "2.311"
    assert kept(0.93, ">=") == "0.93"
    assert kept(0.93, "<=") == "0.93"
    assert [duration(value) for value in (0.02, 58.24, 200, 8000)] == ["20 ms", "58.2 s", "3 min 20 s", "2 h 13 min"]
    assert [compact(value) for value in (3_400_000, 12_000, 0.25)] == ["3.4M", "12k", "0.25"]
    assert percent(0.0004) == "< 0.1 %"
    assert short("a\nb\x00\u202e  c", 24) == "a b c"


def test_the_headline_says_it_without_a_metric(source: str) -> None:
    lead = Page(source).text[""]
    assert "that are “malignant” it finds" in lead
    assert "A trivial model, which looks at no column, reaches" in lead
    assert inline("Balanced accuracy") == "balanced accuracy"
    assert (inline("F1"), inline("Brier score"), inline("R²")) == ("F1", "Brier score", "R²")


def test_scores_by_subgroup_are_a_table_and_a_picture(binary: ReportContent, source: str) -> None:
    assert 'id="subgroups"' not in source
    groups = (
        Subgroup(name="north", rows=200, enough=True, score=0.9, interval=(0.85, 0.94), recall=0.8),
        Subgroup(name="<i>south</i>", rows=150, enough=True, score=0.66, interval=(0.6, 0.72), worse=True, recall=0.7),
        Subgroup(name="(missing)", rows=10, enough=False, score=0.4, interval=(0.1, 0.7)),
        Subgroup(name="west", rows=40, enough=True, recall=1.0),
    )
    breakdowns = (Breakdown(column="re<b>gion", groups=groups), Breakdown(column="other", groups=groups[:1]))
    grade = binary.grade.model_copy(update={"subgroups": breakdowns})
    drawn = render(replace(binary, grade=grade))
    page = Page(drawn)
    assert len(page.ids()) == len(set(page.ids()))
    assert {"i", "b"}.isdisjoint(tag for tag, attributes in page.tags if not attributes)
    text = page.text["subgroups"]
    for told in ("By re<b>gion", "By other", "<i>south</i>", "0.6 to 0.72", "worse", "too small to judge",
                 "recall 70 % (<i>south</i>) to 100 % (west)"):  # fmt: skip
        assert told in text
    assert "Predicted positive" not in text  # nothing is known of it
    section = drawn[drawn.index('<section id="subgroups">') :]
    assert section[: section.index("</section>")].count("<svg") == 2
