"""A bundle that somebody changed runs nothing that lies in its data, whether or not it was sealed anew."""

from __future__ import annotations

import importlib.util
import json
import marshal
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import automl_agent
from automl_agent.cli import main as command
from automl_agent.delivery import jobs
from tampered import DEEP, Payload, edited, replaced, sealed_anew
from tiny_bundle import make_bundle, make_table

CANDIDATES = Path(automl_agent.__file__).parent / "tasks" / "tables" / "candidates"
Change = Callable[[Path, Payload], None]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A folder with a bundle of two members of one kind; of the tiny one by default."""
    known: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in known:
            known[kind] = tmp_path_factory.mktemp("made")
            make_bundle(known[kind], candidate=None if kind == "tiny" else CANDIDATES / f"{kind}.py")
        return known[kind]

    return make


@pytest.fixture
def payload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Payload:
    payload = Payload(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (payload.path, os.environ.get("PYTHONPATH")))))
    return payload


def one_line(err: str) -> str:
    """What the command line said: one line, no traceback."""
    assert err.startswith("automl-agent: error: ") and err.count("\n") == 1, err
    return err.removeprefix("automl-agent: error: ")


# ---------------------------------------------------------------- not sealed anew: nothing is run, not even its code


def before(name: str) -> Change:
    """Python put before a program of the bundle."""
    return lambda bundle, bad: replaced(bundle / name, bad.python + (bundle / name).read_text())


def new(name: str) -> Change:
    """Python in a file that was not there."""
    return lambda bundle, bad: replaced(bundle / name, bad.python)


def manifest(text: str) -> Change:
    return lambda bundle, _: replaced(bundle / "manifest.json", text)


CHANGED: dict[str, tuple[Change, str]] = {
    "the check itself": (before("ensemble.py"), "ensemble.py was changed"),
    "the program": (before("predict.py"), "predict.py was changed"),
    "the server": (before("serve.py"), "serve.py was changed"),
    "a candidate": (before("candidates/tiny.py"), "tiny.py was changed"),
    "the reader": (before("table_io.py"), "table_io.py was changed"),
    "a module that hides numpy": (new("numpy.py"), "numpy.py is not part of the bundle"),
    "a package that hides pandas": (new("pandas/__init__.py"), "pandas/__init__.py is not part of the bundle"),
    "a compiled module": (new("json.pyc"), "json.pyc is not part of the bundle"),
    "a library": (new("_json.so"), "_json.so is not part of the bundle"),
    "another candidate": (new("candidates/more.py"), "candidates/more.py is not part of the bundle"),
    "a model file": (lambda bundle, bad: replaced(bundle / "model/m0/fold0/tiny.json", bad.pickle()), "was changed"),
    "a model file that is gone": (lambda bundle, _: (bundle / "model/m0/fold0/tiny.json").unlink(), "is missing"),
    "a manifest of another kind": (manifest("[]"), "manifest.json cannot be read"),
    "a manifest without files": (manifest("{}"), "manifest.json cannot be read"),
    "a manifest of numbers": (manifest('{"files": 3}'), "manifest.json cannot be read"),
    "a deep manifest": (manifest(DEEP), "manifest.json cannot be read"),
    "a page as the manifest": (manifest("<script>alert(1)</script>"), "manifest.json cannot be read"),
    "a pickled manifest": (lambda bundle, bad: replaced(bundle / "manifest.json", bad.pickle()), "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGED)
def test_of_a_changed_bundle_nothing_is_run(
    name: str, made: Callable[[str], Path], payload: Payload, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    change, said = CHANGED[name]
    bundle = Path(shutil.copytree(made("tiny") / "bundle", tmp_path / "bundle"))
    change(bundle, payload)
    make_table(tmp_path / "new.csv", "classification")
    monkeypatch.setattr("os.execv", lambda *_: pytest.fail("the bundle's server was started"))
    for words in (["predict", str(bundle), str(tmp_path / "new.csv")], ["serve", str(bundle)]):
        assert command.main(words) == 2
        assert said in one_line(capsys.readouterr().err)
    assert command.main(["verify", str(bundle)]) == 1
    assert said in capsys.readouterr().out
    assert not payload.canary.exists()


def test_bytecode_beside_the_sources_is_not_run(
    made: Callable[[str], Path], payload: Payload, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """No checksum speaks of it: Python would take it for the modules' own, and whoever uses a bundle leaves some."""
    bundle = Path(shutil.copytree(made("tiny") / "bundle", tmp_path / "bundle"))
    code = compile(payload.python, "planted", "exec")
    header = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8)  # by hash, and not to be checked
    for source in (*bundle.glob("*.py"), *bundle.glob("candidates/*.py")):
        place = Path(importlib.util.cache_from_source(str(source)))
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(header + marshal.dumps(code))
    make_table(tmp_path / "new.csv", "classification")
    plain = subprocess.run([sys.executable, "predict.py", str(tmp_path / "new.csv")], cwd=bundle, capture_output=True)
    assert payload.canary.exists(), plain.stderr  # the trap goes off where nothing is done against it
    payload.canary.unlink()
    monkeypatch.chdir(tmp_path)
    assert command.main(["predict", str(bundle), str(tmp_path / "new.csv")]) == 0, capsys.readouterr().err
    assert command.main(["verify", str(bundle)]) == 0, capsys.readouterr().out
    served: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda _, command: served.append(command))
    command.main(["serve", str(bundle)])
    told = subprocess.run([*served[0], "--help"], capture_output=True, text=True, timeout=60, check=True)
    assert "--in-flight" in told.stdout
    assert not payload.canary.exists()


# ---------------------------------------------------------------- sealed anew: data are still no code


def file(name: str, content: Callable[[Payload, Path], bytes | str]) -> Change:
    """Other content in the first file of this name."""

    def change(bundle: Path, bad: Payload) -> None:
        path = next(bundle.rglob(name))
        replaced(path, content(bad, path))

    return change


def tagged(name: str) -> Change:
    return file(name, lambda bad, _: json.dumps(bad.tags()))


def elsewhere(bundle: Path, bad: Payload) -> None:
    """A candidate that lies outside the bundle."""
    (bad.folder / "outside.py").write_text(bad.python)

    def change(solution: dict[str, object]) -> None:
        solution["members"][0]["candidate"] = "../../outside"  # type: ignore[index]

    edited(bundle / "model" / "solution.json", change)


def reader(bundle: Path, bad: Payload) -> None:
    (bad.folder / "outside.py").write_text(bad.python)
    edited(bundle / "model" / "solution.json", lambda solution: solution.update(reader="../outside.py"))


def columns(bundle: Path, bad: Payload) -> None:
    """Code wherever the schema holds a word."""

    def change(schema: dict[str, object]) -> None:
        schema["columns"][0]["kind"] = f"__import__('os').system('touch {bad.canary}')"  # type: ignore[index]
        schema["columns"][3]["format"] = "{0.__class__.__init__.__globals__}"  # type: ignore[index]

    edited(bundle / "schema.json", change)


SEALED: dict[str, tuple[str, Change, str]] = {
    "skops that names a class": ("hist_gradient_boosting", file("model.skops", lambda bad, _: bad.skops()), "planted"),
    "skops with pickled arrays": ("hist_gradient_boosting", file("model.skops", Payload.skops_with_pickle), "pickle"),
    "a pickle named skops": ("hist_gradient_boosting", file("model.skops", lambda bad, _: bad.pickle()), "zip"),
    "npz with pickled arrays": ("linear", file("*.npz", Payload.npz), "pickle"),
    "a pickle named npz": ("linear", file("*.npz", lambda bad, _: bad.pickle()), "pickle"),
    "a pickle named LightGBM": ("lightgbm", file("lightgbm.txt", lambda bad, _: bad.pickle()), "LightGBM"),
    "a pickle named CatBoost": ("catboost", file("catboost.cbm", lambda bad, _: bad.pickle()), "CatBoost|catboost"),
    "a model's JSON with tags": ("linear", tagged("model.json"), "KeyError|TypeError"),
    "an encoder's JSON with tags": ("linear", tagged("encoder.json"), "KeyError|TypeError"),
    "the tiny model's JSON with tags": ("tiny", tagged("tiny.json"), "KeyError"),
    "a pickle named JSON": ("tiny", file("tiny.json", lambda bad, _: bad.pickle()), "Unicode|JSON"),
    "deep JSON": ("tiny", file("tiny.json", lambda *_: DEEP), "Recursion"),
    "a solution with tags": ("tiny", lambda bundle, bad: edited(bundle / "model/solution.json",
                             lambda solution: bad.tags() | {"run_id": "x", "metric": "y"}), "KeyError"),
    "a candidate outside the bundle": ("tiny", elsewhere, "outside"),
    "a reader outside the bundle": ("tiny", reader, "outside"),
    "a schema full of code": ("tiny", columns, "."),
    "a schema of another kind": ("tiny", file("schema.json", lambda *_: "[1]"), "TypeError"),
    "known rows with tags": ("tiny", tagged("golden.json"), "KeyError"),
    "known rows that are a pickle": ("tiny", file("golden.json", lambda bad, _: bad.pickle()), "Unicode|JSON"),
}  # fmt: skip


def spoiled(name: str, made: Callable[[str], Path], payload: Payload, tmp_path: Path) -> Path:
    kind, change, _ = SEALED[name]
    if kind == "catboost":
        pytest.importorskip("catboost")
    bundle = Path(shutil.copytree(made(kind) / "bundle", tmp_path / "bundle"))
    change(bundle, payload)
    sealed_anew(bundle)
    return bundle


@pytest.mark.parametrize("name", SEALED)
def test_data_that_were_sealed_anew_are_not_run(
    name: str, made: Callable[[str], Path], payload: Payload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, said = spoiled(name, made, payload, tmp_path), SEALED[name][2]
    monkeypatch.syspath_prepend(payload.path)
    with pytest.raises(RuntimeError, match=said) as caught, jobs.loaded(bundle) as model:
        model.check_golden()
    assert type(caught.value).__name__ == "DamagedBundle", caught.value
    assert "\n" not in str(caught.value)
    assert not payload.canary.exists()


@pytest.mark.long
@pytest.mark.parametrize("name", SEALED)
def test_the_bundles_own_programs_do_not_run_them_either(
    name: str, made: Callable[[str], Path], payload: Payload, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    bundle, table = spoiled(name, made, payload, tmp_path), str(made("tiny") / "table.csv")
    for script, *given in (["ensemble.py"], ["predict.py", table, "--out", str(tmp_path / "o")],
                           ["serve.py", "--port", "0"],
                           ["train.py", "--data", table, "--out", str(tmp_path / "again")]):  # fmt: skip
        command = [sys.executable, "-B", script, *given]
        try:
            done = subprocess.run(command, cwd=bundle, capture_output=True, text=True, timeout=15)
        except subprocess.TimeoutExpired:
            assert script == "serve.py"  # a server that answers 503, see /readyz
        else:
            assert "Traceback" not in done.stderr or script == "train.py", done.stderr
        assert not payload.canary.exists(), script
    figure(f"{name}: not run by predict.py, serve.py, train.py, ensemble.py")


def test_arrays_of_a_bundle_that_are_pickles_are_not_read(
    made: Callable[[str], Path], payload: Payload, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("rows", "folds", "m0"):
        bundle = Path(shutil.copytree(made("tiny") / "bundle", tmp_path / name))
        replaced(bundle / "oof" / f"{name}.npy", payload.npy())
        sealed_anew(bundle)
        assert command.main(["verify", str(bundle), "--data", str(made("tiny") / "table.csv")]) == 1
        assert "Object arrays cannot be loaded when allow_pickle=False" in capsys.readouterr().out
    assert not payload.canary.exists()
