"""Data are never run: no pickle in any form, no `eval`, no shell; arrays are loaded as arrays only."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import automl_agent

ROOT = Path(automl_agent.__file__).parent
MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
CALLS = {"eval", "exec", "read_pickle", "to_pickle", "unsafe_load", "full_load", "system", "popen", "extractall"}


def offences(source: str) -> list[str]:
    """What in a source could run code that lies in data."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            found.append(str(node.module))
        elif isinstance(node, ast.Call):
            name, keywords = ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
            mode_of_a_network = name.endswith(".eval") and not node.args and not keywords
            if (name.rpartition(".")[2] in CALLS and not mode_of_a_network) or name == "yaml.load":
                found.append(name)
            if name == "torch.load" and keywords.get("weights_only") != "True":
                found.append(f"{name} without weights_only=True")
            if keywords.get("shell", "False") != "False" or keywords.get("allow_pickle", "False") != "False":
                found.append(f"{name} with {keywords}")
            if name in ("np.load", "numpy.load") and "allow_pickle" not in keywords:
                found.append(f"{name} without allow_pickle=False")
    return found


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_that_lies_in_data_is_run(path: Path) -> None:
    assert offences(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    ["import pickle", "from joblib import load", "eval('1')", "pd.read_pickle(p)", "subprocess.run(c, shell=True)",
     "np.load(p)", "np.load(p, allow_pickle=True)", "yaml.load(text)", "archive.extractall(folder)", "torch.load(p)",
     "frame.eval(words)"],
)  # fmt: skip
def test_an_offence_would_be_found(source: str) -> None:
    assert len(offences(source)) == 1
