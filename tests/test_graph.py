"""The whole state machine on real data: what a user of `build_graph()` relies on."""

import json
import threading
from itertools import pairwise
from typing import TypedDict

import pandas as pd
import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command

from automl_agent import (
    Agent,
    CandidateChoice,
    InputError,
    Report,
    Request,
    Settings,
    Suggestions,
    Verdict,
    Verifier,
    build_graph,
)
from automl_agent.errors import ConfigurationError
from automl_agent.testing import InlineExecutor, StaticRetriever
from conftest import CANCER

WORDS = "Predict whether a tumour is malignant. Accuracy at least 0.9."
QUICK = Settings(budget=240, trials=8, max_revisions=0)


@pytest.fixture
def place(tmp_path, tmp_path_factory, monkeypatch):
    """As in conftest, with one home for all tests of this file: what one has trained, the next does not train again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOML_AGENT_HOME", str(tmp_path_factory.getbasetemp() / "graph-home"))
    return tmp_path


@pytest.fixture
def few(place):
    """A part of the table that is quickly learned, with a few values missing."""
    table = pd.read_csv(CANCER).sample(200, random_state=0)
    table = table[["diagnosis", *table.columns.drop("diagnosis")[:6]]]
    table.iloc[::9, 2] = None
    table.to_csv(place / "few.csv", index=False)
    return str(place / "few.csv")


def watch(graph, inputs, settings=QUICK, config=None):
    """Run a graph; returns its events and its final state."""
    events, state = [], {}
    for mode, chunk in graph.stream(inputs, config, context=settings, stream_mode=["custom", "values"]):
        if mode == "custom":
            events.append(chunk)
        else:
            state = chunk
    return events, state


def trials(events):
    return [event.trial for event in events if event.kind == "trial_finished"]


def stages(events):
    return [event.stage for event in events if event.kind == "stage_started"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("delivered")
    settings = Settings(budget=300, trials=14, home=str(folder / "home"), out=str(folder / "out"))
    saver = InMemorySaver()
    graph = build_graph(checkpointer=saver)
    config = {"configurable": {"thread_id": "one"}}
    events, output = watch(graph, {"request": WORDS, "data": str(CANCER)}, settings, config)
    return folder, events, output, graph.get_state(config).values


def test_a_name_that_an_earlier_process_gave_its_thread_begins_a_run_of_its_own(run):
    """A saver in memory forgets; what the home keeps of the earlier run, its grade above all, is not this one's."""
    folder, _, _, state = run
    assert state["run_id"] == "one" and (folder / "home" / "private" / "one" / "grade.json").exists()
    settings = Settings(budget=120, plan_only=True, home=str(folder / "home"), out=str(folder / "again"))
    graph = build_graph(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "one"}}
    graph.invoke({"request": WORDS, "data": str(CANCER)}, config, context=settings)
    assert graph.get_state(config).values["run_id"] != "one"


class TestDelivered:
    def test_it_delivers_and_says_so(self, run):
        folder, _, output, _ = run
        report = output["report"]
        assert report.status == "delivered", report.reason
        assert report.score > 0.9 > report.metric["baseline"]
        assert report.constraints[0].measure == "accuracy"
        assert report.constraints[0].met
        assert output["bundle"].server.ok
        assert output["bundle"].retrain.ok
        stored = json.loads((folder / "out" / "result.json").read_text())
        assert stored["score"] == report.score
        for name in ("bundle/serve.py", "report.html", "predictions.csv"):
            assert (folder / "out" / name).exists()

    def test_every_stage_runs_in_order(self, run):
        order = list(dict.fromkeys(stages(run[1])))
        for one, other in pairwise(EXPECTED):
            assert order.index(one) < order.index(other)

    def test_a_quick_model_is_in_place_before_any_plan_is_made(self, run):
        kinds = [event.kind for event in run[1]]
        early = [event for event in run[1][: kinds.index("plan_made")] if event.kind == "best_so_far"]
        assert [event.candidate for event in early] == ["baseline", "lightgbm"]
        assert early[1].score > early[0].score

    def test_plans_differ_in_the_work_that_they_do(self, run):
        by_plan = {}
        for trial in trials(run[1]):
            by_plan.setdefault(trial.plan, set()).add((trial.candidate, str(trial.params), trial.steps))
        first = [by_plan[plan] for plan in ("r0p1", "r0p2", "r0p3")]
        assert first[0] != first[1] != first[2]

    def test_plans_cite_notes(self, run):
        state = run[3]
        assert len(state["notes"]) > 0
        known = {note.id for note in state["notes"]}
        cited = {note for plan in state["plans"].values() for note in plan.notes}
        assert cited
        assert cited <= known

    def test_the_state_is_small_and_holds_records_after_a_round_trip(self, run):
        state = run[3]
        assert type(state["profile"]).__name__ == "DataProfile"
        size = sum(
            len(json.dumps(value, default=lambda record: record.model_dump(mode="json"))) for value in state.values()
        )
        assert size < 70_000

    def test_the_best_score_never_gets_worse_in_the_bundle(self, run):
        scores = [event.score for event in run[1] if event.kind == "best_so_far" and event.candidate != "ensemble"]
        assert scores == sorted(scores)

    def test_the_test_targets_lie_outside_the_artifacts(self, run):
        home = run[0] / "home"
        assert list((home / "private").rglob("test_target.npy"))
        assert not list((home / "artifacts").rglob("test_target.npy"))


EXPECTED = [
    "begin",
    "verify_request",
    "parse_request",
    "acquire_data",
    "baseline",
    "retrieve_knowledge",
    "make_plans",
    "agent_data",
    "gather",
    "try_plan",
    "verify_plans",
    "implement",
    "verify_solution",
    "grade",
    "deliver",
    "report",
]


@pytest.fixture(scope="module")
def varied(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("varied")
    settings = Settings(budget=300, home=str(run[0] / "home"), out=str(folder / "out"))
    request = Request(words="smaller", based_on=str(run[0] / "out"))
    return folder, watch(build_graph(), {"request": request}, settings)[1]


class TestVaried:
    def test_another_limit_takes_the_trials_that_there_are(self, run, varied):
        report, earlier = varied[1]["report"], run[2]["report"]
        beside = report.earlier
        assert (beside.run_id, beside.words, beside.metric) == ("one", WORDS, "accuracy")
        assert beside.trials >= beside.trials_reused > 0
        assert beside.measured["test"] == (earlier.score, report.score)
        assert report.task["required"][0] == "accuracy at least 0.9"
        assert report.task["required"][1].startswith("size at most")
        assert report.constraints[1].value < beside.measured["size_mb"][0]

    def test_the_locked_test_is_the_same_and_was_read_before(self, run, varied):
        report = varied[1]["report"]
        assert report.earlier.same_test
        assert "The locked test of these data was read 2 times" in " ".join(report.warnings)
        page = (varied[0] / "out" / "report.html").read_text()
        assert "Compared with before" in page

    def test_fewer_columns_keep_the_test_and_reuse_nothing(self, run, varied, tmp_path):
        settings = Settings(home=str(run[0] / "home"), out=str(tmp_path), plan_only=True)
        request = Request(words="without worst_area", based_on="one")
        state = watch(build_graph(), {"request": request}, settings)[1]
        before, now = run[3]["profile"], state["profile"]
        assert now.columns == before.columns - 1
        assert now.fingerprint != before.fingerprint
        assert now.test == before.fingerprint
        assert now.test_reads == 2
        assert state["report"].earlier.changes == ("without column worst_area",)
        assert state["report"].earlier.trials_reused == 0


def test_what_is_not_machine_learning_is_refused(place):
    out = build_graph().invoke({"request": "Write me a poem about the sea.", "data": str(CANCER)})
    assert out["report"].status == "refused"
    assert out["report"].reason
    assert out["report"].exit_status == 4


def test_an_open_question_is_the_result_where_nobody_can_be_asked(place):
    out = build_graph().invoke({"request": "Predict which customers churn."})
    assert out["report"].status == "needs_answer"
    assert out["report"].question.field == "data"


def test_a_question_is_asked_and_its_answer_used(place):
    graph = build_graph(checkpointer=InMemorySaver(), settings=Settings(plan_only=True))
    config = {"configurable": {"thread_id": "ask"}}
    asked = graph.invoke({"request": "Predict whether a tumour is malignant."}, config)
    assert asked["__interrupt__"][0].value["question"]["field"] == "data"
    out = graph.invoke(Command(resume=str(CANCER)), config)
    assert out["report"].status == "planned"
    assert out["report"].task["target"] == "diagnosis"


def test_plan_only_trains_nothing(place):
    events, out = watch(build_graph(), {"request": WORDS, "data": str(CANCER)}, Settings(plan_only=True))
    assert out["report"].status == "planned"
    assert len(out["report"].plans) == 3
    assert not trials(events)
    assert not list(place.glob("automl-runs"))


def test_what_was_compared_is_delivered_where_the_search_had_no_time(place, few, monkeypatch):
    """Also where it misses what was asked, and more data might help."""
    for step in ("_train", "_promote", "_tune"):
        monkeypatch.setattr(f"automl_agent.search.engine.Search.{step}", lambda *_: None)
    words = "Predict whether a tumour is malignant. Accuracy at least 0.9999."
    _, out = watch(build_graph(), {"request": Request(words=words, data=(few,))})
    assert out["report"].status == "missed"
    assert (out["bundle"].server.ok, out["solution"].members[0].candidate != "baseline") == (True, True)


def test_a_missed_score_is_revised_with_new_candidates(place, few):
    settings = Settings(budget=240, trials=16, max_revisions=1)
    request = {"request": "Predict malignancy with accuracy 0.9999.", "data": few}
    events, out = watch(build_graph(executor=InlineExecutor()), request, settings)
    report = out["report"]
    assert report.status == "missed"
    assert report.exit_status == 3
    assert report.revisions == 1
    assert "0.9999" in report.reason
    first = {trial.id for trial in trials(events) if trial.revision == 0}
    revised = {trial.id for trial in trials(events) if trial.revision == 1 and trial.score is not None}
    assert revised - first, "the revision ran nothing new"
    assert out["bundle"] is not None


def test_the_agents_of_all_plans_work_at_the_same_time(place, few):
    barrier = threading.Barrier(3, timeout=20)

    def meet(subtask, bench):
        barrier.wait()  # breaks unless all three plans are here at once
        return Suggestions()

    agents = [Agent("meet", "Meets the others.", meet), Agent("data", "", None), Agent("model", "", None)]
    graph = build_graph(agents=agents, executor=InlineExecutor())
    _, out = watch(graph, {"request": WORDS, "data": few})
    assert out["report"].status in ("delivered", "missed")
    assert not barrier.broken


def test_agents_decide_which_trials_run(place, few):
    """Taking an agent out, or adding one, changes what is executed; a crashing one costs only its part."""

    def neighbours(subtask, bench):
        assert bench.seconds_left > 0
        return Suggestions(choices=(CandidateChoice(candidate="nearest_neighbours", params={"neighbours": 3}),))

    def crash(subtask, bench):
        raise ValueError("no idea")

    def executed(*agents, whole=False):
        graph = build_graph(agents=agents, executor=InlineExecutor(), retriever=StaticRetriever(()))
        settings = Settings(budget=240, trials=16, plans=1, max_revisions=0)
        events = []
        for event in graph.stream({"request": WORDS, "data": few}, context=settings, stream_mode="custom"):
            if event.kind == "stage_started" and event.stage == "verify_plans" and not whole:
                break  # from here on nothing is decided by agents
            events.append(event)
        assert not whole or stages(events)[-1] == "report"
        return {
            (t.candidate, t.params.get("neighbours"), t.steps)
            for t in trials(events)
            if t.origin.startswith(("agent", "try"))
        }

    usual = executed()
    crashing = Agent("crash", "Crashes.", crash)
    added = executed(Agent("neighbours", "Adds three neighbours.", neighbours), crashing, whole=True)
    removed = executed(Agent("data", "", None))
    assert 3 in {neighbours for _, neighbours, _ in added} - {neighbours for _, neighbours, _ in usual}
    assert usual - removed
    assert all(not steps for _, _, steps in removed)


def test_what_an_agent_misspells_is_named_and_left_out(place, few):
    def misspelt(subtask, bench):
        choices = [CandidateChoice(candidate="nearest_neighbors"),
                   CandidateChoice(candidate="nearest_neighbours", params={"neighbours": 3})]  # fmt: skip
        return Suggestions(choices=choices, steps=("interaction",))

    graph = build_graph(
        agents=[Agent("misspelt", "", misspelt)], executor=InlineExecutor(), retriever=StaticRetriever(())
    )
    settings = Settings(budget=240, trials=16, plans=1, max_revisions=0)
    events, out = watch(graph, {"request": WORDS, "data": few}, settings)
    assert out["report"].status in ("delivered", "missed")
    assert 3 in {trial.params.get("neighbours") for trial in trials(events)}, "the one that there is"
    remarks = [event.text for event in events if event.kind == "remark" and event.level == "warning"]
    remarks = [text for text in remarks if "misspelt" in text]
    assert len(remarks) == 2
    assert "'nearest_neighbors'" in remarks[0] and "Did you mean 'nearest_neighbours'?" in remarks[0]
    assert "'interaction'" in remarks[1] and "Did you mean 'interactions'?" in remarks[1]


def test_a_tight_limit_ships_fewer_models_that_still_serve_and_retrain(place, few):
    request = {"request": "Predict the diagnosis. An answer within 0.8 ms.", "data": few}
    graph = build_graph(executor=InlineExecutor(), retriever=StaticRetriever(()))
    _, out = watch(graph, request, Settings(budget=240, trials=12, plans=2, max_revisions=0, out=str(place / "out")))
    members = json.loads((place / "out" / "bundle" / "model" / "solution.json").read_text())["members"]
    assert sum(len(member["folds"]) for member in members) < 8
    assert out["bundle"].server.ok, out["bundle"].server.text
    assert out["bundle"].retrain.ok, out["bundle"].retrain.text
    assert out["report"].constraints[0].measure == "latency_ms"


def test_a_replaced_verifier_decides(place, few):
    never = Verifier(
        "solution",
        "solution",
        "Never content.",
        lambda case: Verdict(subject="solution", passed=False, reasons=("never",)),
    )
    graph = build_graph(verifiers=[never], executor=InlineExecutor())
    request = {"request": WORDS, "data": few}
    events, out = watch(graph, request, Settings(budget=240, trials=8, max_revisions=1))
    assert out["report"].revisions == 1
    assert stages(events).count("implement") == 2


def test_as_a_node_of_a_larger_graph_with_its_own_context_and_checkpointer(place):
    class State(TypedDict, total=False):
        request: str
        data: str
        report: Report

    parent = StateGraph(State, context_schema=dict)
    parent.add_node("automl", build_graph(settings=QUICK, require_approval=True, executor=InlineExecutor()))
    parent.add_edge(START, "automl")
    parent.add_edge("automl", END)
    graph = parent.compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "parent"}}
    asked = graph.invoke({"request": WORDS, "data": str(CANCER)}, config, context={"ours": 1})
    assert len(asked["__interrupt__"][0].value["approve"]["plans"]) == 3
    out = graph.invoke(Command(resume=True), config, context={"ours": 1})
    assert out["report"].status == "delivered", out["report"].reason
    # a second request in the same thread starts afresh
    again = graph.invoke({"request": "Tell me a joke.", "data": ""}, config, context={"ours": 1})
    assert again["report"].status == "refused"


def test_plans_that_are_not_approved_are_not_run(place):
    graph = build_graph(require_approval=True, checkpointer=InMemorySaver(), settings=QUICK, executor=InlineExecutor())
    config = {"configurable": {"thread_id": "no"}}
    graph.invoke({"request": WORDS, "data": str(CANCER)}, config)
    out = graph.invoke(Command(resume=False), config)
    assert out["report"].status == "refused"
    assert "not approved" in out["report"].reason


def test_approval_without_a_checkpointer_is_a_mistake_that_is_named(place):
    graph = build_graph(require_approval=True, settings=QUICK, executor=InlineExecutor())
    with pytest.raises(ConfigurationError, match="checkpointer"):
        graph.invoke({"request": WORDS, "data": str(CANCER)})


async def _ainvoke(graph, inputs):
    return await graph.ainvoke(inputs, context=Settings(plan_only=True))


def test_asynchronously(place):
    import asyncio

    out = asyncio.run(_ainvoke(build_graph(), {"request": WORDS, "data": str(CANCER)}))
    assert out["report"].status == "planned"


def test_data_frames_are_taken(place):
    import pandas as pd

    frame = pd.read_csv(CANCER)
    out = build_graph().invoke({"request": WORDS, "data": frame}, context=Settings(plan_only=True))
    assert out["report"].task["target"] == "diagnosis"
    request = Request(words=WORDS, data=frame)  # with a checkpointer
    graph = build_graph(checkpointer=InMemorySaver(), settings=Settings(plan_only=True))
    out = graph.invoke({"request": request}, {"configurable": {"thread_id": "frame"}})
    assert out["report"].task["target"] == "diagnosis"


@pytest.mark.parametrize(
    ("agents", "message"),
    [
        ([Agent("a", "", lambda s, b: None), Agent("a", "", lambda s, b: None)], "Two agents"),
        ([Agent("Bad Name", "", lambda s, b: None)], "lower-case"),
        ([Agent("nobody", "", None)], "no built-in agent"),
        (["not an agent"], "takes automl_agent.Agent"),
    ],
)
def test_mistakes_with_agents_are_named(agents, message):
    with pytest.raises(ConfigurationError, match=message):
        build_graph(agents=agents)


def test_a_model_that_is_none_is_named():
    with pytest.raises(ConfigurationError, match="openai:gpt-5"):
        build_graph(42)


def test_a_wish_that_leaves_no_model_is_refused_before_any_work(place):
    request = Request(words="Predict the diagnosis. Use a support vector machine only.", data=(str(CANCER),))
    with pytest.raises(InputError, match="support vector"):
        build_graph(executor=InlineExecutor()).invoke({"request": request}, context=QUICK)


def test_a_run_starts_from_what_won_on_similar_data(place, few):
    """And not from its own data, nor where the settings forbid it; the report traces what it brought."""
    home = str(place / "own-home")
    table = pd.read_csv(CANCER).sample(200, random_state=1)
    table[["diagnosis", *table.columns.drop("diagnosis")[:7]]].to_csv(place / "other.csv", index=False)
    settings = QUICK.model_copy(update={"home": home, "trials": 6})
    inputs = {"request": WORDS, "data": few}
    graph = build_graph(executor=InlineExecutor(), retriever=StaticRetriever(()))
    first = watch(graph, inputs, settings)[1]["report"]
    again = watch(graph, inputs, settings)[1]["report"]
    assert not first.knowledge and not again.knowledge and again.score == first.score
    other = {"request": WORDS, "data": str(place / "other.csv")}
    assert not watch(graph, other, settings.model_copy(update={"experience": "off"}))[1]["report"].knowledge
    report = watch(graph, other, settings.model_copy(update={"experience": "read"}))[1]["report"]
    (use,) = report.knowledge
    assert use.kind == "experience" and use.plans
    assert any(one.outcome == "kept" for one in use.suggestions)
    kept = list((place / "own-home" / "knowledge" / "experience").iterdir())
    assert len(kept) == 1  # neither "off" nor "read" added one
    assert "diagnosis" not in kept[0].read_text() and "malignant" not in kept[0].read_text()
