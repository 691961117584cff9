"""What survives a kill: trials, clocks, costs, test reads, leases, artifacts and manifests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from automl_agent.errors import InputError
from automl_agent.execution.artifacts import LocalArtifactStore, private_folder
from automl_agent.execution.database import Database
from automl_agent.execution.home import prepare_home, write_durably
from automl_agent.execution.lease import Holder
from automl_agent.execution.ledger import Ledger
from automl_agent.execution.runs import RunManifest, list_runs, new_run_id, read_manifest, write_manifest
from automl_agent.execution.trials import TrialStore, digest
from automl_agent.records import ModelCall, Request
from automl_agent.settings import Settings


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A process of its own that runs `code`."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True, stdin=subprocess.PIPE
    )


# ---------------------------------------------------------------- home


def test_home_keeps_itself_out_of_version_control(tmp_path: Path) -> None:
    home = prepare_home(tmp_path / "a" / "home")
    assert (home / ".gitignore").read_text() == "*\n"
    assert not (prepare_home(tmp_path / "a") / ".gitignore").exists()  # a folder that was there is not ours to hide


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for home in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match=str(home)):
            prepare_home(home)


def test_a_durable_write_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    write_durably(path, "old")
    write_durably(path, "new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


# ---------------------------------------------------------------- database


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.sqlite", ("CREATE TABLE IF NOT EXISTS t (a)",))

    def half() -> None:
        with database.transaction():
            database.write("INSERT INTO t VALUES (1)")
            raise KeyError

    with pytest.raises(KeyError):
        half()
    assert database.read("SELECT * FROM t") == []


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "trials.sqlite").write_bytes(b"no database, and long enough to be seen as none " * 40)
    with pytest.raises(InputError, match=r"trials\.sqlite"):
        TrialStore(tmp_path)


# ---------------------------------------------------------------- trials


def test_the_key_depends_on_every_part_and_on_no_order() -> None:
    key = TrialStore.key(code="a", params={"x": 1, "y": [1, 2]}, fold=0)
    assert key == TrialStore.key(fold=0, params={"y": [1, 2], "x": 1}, code="a")
    assert key != TrialStore.key(code="a", params={"x": 1, "y": [2, 1]}, fold=0)
    assert key != TrialStore.key(code="a", params={"x": 1, "y": [1, 2]}, fold=1)


def test_a_result_counts_while_its_folder_is_there(tmp_path: Path) -> None:
    store = TrialStore(tmp_path)
    key = store.key(a=1)
    assert store.get(key) is None
    store.put(key, {"score": 0.5})
    assert store.get(key) is None
    store.folder(key).mkdir(parents=True)
    assert store.get(key) == {"score": 0.5}
    assert TrialStore(tmp_path).get(key) == {"score": 0.5}


def test_a_folder_that_was_just_trained_anew_is_not_taken_away(tmp_path: Path) -> None:
    store = TrialStore(tmp_path)
    store.put("abcd", {"score": 0.5, "digest": "of what lay there before"})
    store.folder("abcd").mkdir(parents=True)
    (store.folder("abcd") / "oof.npy").write_bytes(b"new")
    assert store.get("abcd") is None
    assert (store.folder("abcd") / "oof.npy").read_bytes() == b"new"
    store.put("abcd", {"score": 0.5, "digest": digest(store.folder("abcd"))})
    assert store.get("abcd") is not None


@pytest.mark.parametrize(
    ("kind", "kept"), [("error", True), ("timeout", False), ("memory", False), ("crash", False), ("cancelled", False)]
)
def test_only_errors_that_would_happen_again_are_kept(tmp_path: Path, kind: str, kept: bool) -> None:
    store = TrialStore(tmp_path)
    failure = {"error": "ValueError: no", "kind": kind}
    store.put("abcd", failure)
    assert store.get("abcd") == (failure if kept else None)


WRITER = """
import sys
from pathlib import Path
from automl_agent.execution.trials import TrialStore

store = TrialStore(Path(sys.argv[1]))
for i in range(50):
    key = f"{sys.argv[2]}{i:04d}"
    store.folder(key).mkdir(parents=True)
    store.put(key, {"score": i})
"""


def test_processes_and_threads_write_at_once(tmp_path: Path) -> None:
    home = tmp_path / "home"  # both processes also make it
    processes = [python(WRITER, home, name) for name in "ab"]
    codes = [process.communicate(timeout=60) and process.returncode for process in processes]
    assert codes == [0, 0]
    store = TrialStore(home)

    def work(name: str) -> None:
        for i in range(50):
            store.put(f"{name}{i:04d}", {"error": "", "kind": "error"})

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(work, "cde"))
    assert all(store.get(f"{name}{i:04d}") is not None for name in "abcde" for i in range(50))


def test_a_home_that_was_removed_is_started_anew(tmp_path: Path) -> None:
    store = TrialStore(tmp_path)
    store.put("abcd", {"error": "no"})
    for path in tmp_path.glob("trials.sqlite*"):
        path.unlink()
    other = TrialStore(tmp_path)
    assert other.get("abcd") is None
    other.put("abcd", {"error": "yes"})
    assert TrialStore(tmp_path).get("abcd") == {"error": "yes"}


# ---------------------------------------------------------------- ledger

WORKER = """
import sys, time
from pathlib import Path
from automl_agent.execution.ledger import Ledger

ledger = Ledger(Path(sys.argv[1]))
with ledger.lease("run"):
    clock = ledger.clock("run", 100)
    while clock.spent() < 0.6:
        clock.tick()
    print("working", flush=True)
    while True:
        clock.tick()
        time.sleep(0.01)
"""


def test_a_killed_run_keeps_its_seconds_and_frees_its_lease(tmp_path: Path) -> None:
    home = tmp_path / "home"
    process = python(WORKER, home)
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    ledger = Ledger(home)
    with pytest.raises(InputError, match=f"process {process.pid}"), ledger.lease("run"):
        pass
    with ledger.lease("another"):
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with ledger.lease("run"):
        clock = ledger.clock("run", 100, already=2.0)
        assert 2.3 < clock.spent() < 60
        assert clock.remaining() == pytest.approx(100 - clock.spent(), abs=1)


def test_a_clock_is_one_in_a_process_and_stops_for_people(tmp_path: Path) -> None:
    clock = Ledger(tmp_path).clock("run", 10, already=3.0)
    assert Ledger(tmp_path).clock("run", 20) is clock
    assert clock.budget == 20
    clock.pause()
    stood = clock.spent()
    time.sleep(0.02)
    assert clock.spent() == stood >= 3.0
    clock.resume()
    time.sleep(0.02)
    assert clock.spent() > stood
    assert Ledger(tmp_path).clock("run", 1).remaining() == 0.0


def test_the_lease_stops_the_clock_when_it_ends(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with ledger.lease("run"):
        clock = ledger.clock("run", 10)
    stood = clock.spent()
    with ledger.lease("run"):
        time.sleep(0.02)
        assert clock.spent() > stood
    assert clock.spent() == clock.spent()


def test_one_process_cannot_take_a_lease_twice(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with ledger.lease("run"), pytest.raises(InputError, match="already"), ledger.lease("run"):
        pass
    with ledger.lease("run"):
        pass


def test_a_holder_is_told_from_another_process_with_its_number() -> None:
    me = Holder.this_process()
    assert me.is_live(heartbeat=0.0)
    assert not Holder(me.pid, me.machine, "1", "token").is_live(heartbeat=time.time())
    elsewhere = Holder(me.pid, "another machine", me.started, "token")
    assert elsewhere.is_live(heartbeat=time.time() - 5)
    assert not elsewhere.is_live(heartbeat=time.time() - 300)


PAID = ModelCall(role="planner", model="gpt-5", outcome="ok", seconds=1.5, input_tokens=100, output_tokens=10, usd=0.5,
                 stage="make_plans", plan="p1")  # fmt: skip


def test_calls_add_up_and_answers_from_memory_cost_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    nothing = {"usd": 0.0, "calls": 0, "input_tokens": 0, "output_tokens": 0, "cached_calls": 0}
    assert ledger.costs("run") == nothing
    unpriced = PAID.model_copy(update={"usd": None, "outcome": "truncated"})
    cached = PAID.model_copy(update={"cached": True})
    for call in (PAID, PAID, unpriced, cached):
        ledger.record_call("run", call, key="key")
    ledger.record_call("other", PAID)
    costs = Ledger(tmp_path).costs("run")
    assert costs == {"usd": 1.0, "calls": 3, "input_tokens": 300, "output_tokens": 30, "cached_calls": 1}
    assert Ledger(tmp_path).calls("run") == (PAID, PAID, unpriced, cached)


def test_a_call_is_recorded_before_it_is_made_and_settled_afterwards(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    number = ledger.record_call("run", PAID)
    ledger.record_call("run", PAID)
    settled = PAID.model_copy(update={"outcome": "server", "input_tokens": 0, "output_tokens": 0, "usd": 0.0})
    ledger.settle_call(number, settled)
    assert ledger.calls("run") == (settled, PAID)
    assert ledger.costs("run")["calls"] == 2


def test_a_home_of_the_first_release_takes_calls_of_this_one(tmp_path: Path) -> None:
    old = Database(tmp_path / "ledger.sqlite", ("CREATE TABLE calls (run_id TEXT, role TEXT, usd REAL)",))
    old.write("INSERT INTO calls VALUES ('run', 'planner', 1.0)")
    ledger = Ledger(tmp_path)
    ledger.record_call("run", PAID)
    assert ledger.costs("run")["usd"] == 0.5


def test_test_reads_count_runs(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    assert ledger.test_reads("data") == 0
    assert [ledger.read_test("data", run) for run in ("one", "one", "two")] == [1, 1, 2]
    assert ledger.read_test("others", "one") == 1
    assert Ledger(tmp_path).test_reads("data") == 2


# ---------------------------------------------------------------- artifacts


def test_artifacts_are_found_by_id_and_made_afresh(tmp_path: Path) -> None:
    store = LocalArtifactStore(tmp_path)
    artifact, folder = store.create("run", "data")
    assert artifact == "run/data"
    (folder / "x").write_text("")
    assert LocalArtifactStore(tmp_path).path(artifact) == folder
    assert list(store.create("run", "data")[1].iterdir()) == []
    with pytest.raises(InputError, match="run/other"):
        store.path("run/other")


@pytest.mark.parametrize(
    "artifact", ["../x", "run/..", "run/../../x", "/etc", "run//etc", "run", "", "run/a/b", "a/\0"]
)
def test_an_id_cannot_lead_outside(tmp_path: Path, artifact: str) -> None:
    with pytest.raises(InputError):
        LocalArtifactStore(tmp_path).path(artifact)
    with pytest.raises(InputError):
        LocalArtifactStore(tmp_path).create(artifact.partition("/")[0], artifact.partition("/")[2])


def test_a_link_in_the_store_cannot_lead_outside(tmp_path: Path) -> None:
    store = LocalArtifactStore(tmp_path / "home")
    store.create("run", "data")
    (tmp_path / "secret").mkdir()
    (tmp_path / "home" / "artifacts" / "run" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError, match="outside"):
        store.path("run/link")


def test_the_private_folder_is_the_owners_and_no_artifact(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = private_folder(tmp_path, "run")
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.is_relative_to(tmp_path / "artifacts")
    assert private_folder(tmp_path, "run") == folder


# ---------------------------------------------------------------- runs


def manifest(run_id: str, created: str = "2026-11-22T13:00:00+00:00") -> RunManifest:
    return RunManifest(
        run_id=run_id, created=created, request=Request(words="who churns?", data=("a.csv",)), settings=Settings(seed=3)
    )


def test_a_manifest_comes_back_as_it_was(tmp_path: Path) -> None:
    home = tmp_path / "home"
    write_manifest(home, manifest("one"))
    assert read_manifest(home, "one") == manifest("one")


def test_runs_are_listed_newest_first_and_damage_is_left_out(tmp_path: Path) -> None:
    assert list_runs(tmp_path) == ()
    write_manifest(tmp_path, manifest("old"))
    write_manifest(tmp_path, manifest("new", "2026-11-23T13:00:00+00:00"))
    write_manifest(tmp_path, manifest("bad")).write_text("{")
    assert [run.run_id for run in list_runs(tmp_path)] == ["new", "old"]
    with pytest.raises(InputError, match="bad"):
        read_manifest(tmp_path, "bad")


def test_an_unknown_run_is_answered_with_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No run has been started"):
        read_manifest(tmp_path, "churn")
    write_manifest(tmp_path, manifest("20261122-132455-churn-a1b2"))
    with pytest.raises(InputError, match="20261122-132455-churn-a1b2"):
        read_manifest(tmp_path, "20261122-132455-churn-a1b3")
    with pytest.raises(InputError, match="not a valid name"):
        read_manifest(tmp_path, "../../etc")


@pytest.mark.parametrize(
    ("words", "middle"),
    [
        ("Predict which customers churn. F1 at least 0.6.", "churn"),
        ("Predict whether a tumour is malignant.", "tumour-malignant"),
        ("../../etc/passwd; rm -rf /", "etc-passwd"),
        ("Prédire le prix élevé", "predire-le-prix-eleve"),
        ("预测客户流失", "run"),
        ("", "run"),
        ("x" * 500, "x" * 24),
    ],
)
def test_run_ids_say_what_they_are_about_and_are_safe(words: str, middle: str) -> None:
    date, clock, *slug, suffix = new_run_id(words).split("-")
    assert "-".join(slug) == middle
    assert (len(date), len(clock), len(suffix)) == (8, 6, 4)
    assert len({new_run_id(words) for _ in range(3)}) > 1
