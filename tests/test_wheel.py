"""What `pip install` brings: the wheel holds every file that the library opens, and nothing else."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "automl_agent"
NOTES = ROOT / "knowledge_base"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a wheel that is built from this tree, without a network and without leaving anything in the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    program = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_package_and_the_notes(wheel: dict[str, bytes]) -> None:
    wanted = {f"automl_agent/{name}" for name in files(PACKAGE)}
    wanted |= {f"automl_agent/knowledge/notes/{name}" for name in files(NOTES)}
    held = {name for name in wheel if ".dist-info/" not in name}
    assert held == wanted


@pytest.mark.parametrize(
    "name",
    [
        "py.typed",
        "knowledge/synonyms.txt",
        "delivery/report/template.html",
        "delivery/report/style.css",
        "delivery/runtime/serve.py",
        "delivery/runtime/train.py",
        "tasks/measures.py",
        "tasks/tables/shared/table_io.py",
        "tasks/tables/shared/delimited_text.py",
        "tasks/tables/candidates/lightgbm.py",
    ],
)
def test_what_is_opened_by_path_is_there(wheel: dict[str, bytes], name: str) -> None:
    assert f"automl_agent/{name}" in wheel


def test_the_metadata_name_the_command_the_families_and_the_licence(wheel: dict[str, bytes]) -> None:
    (info,) = {name.split("/")[0] for name in wheel if ".dist-info/" in name}
    points = wheel[f"{info}/entry_points.txt"].decode()
    assert "automl-agent = automl_agent.cli.main:main" in points
    assert "tabular_regression = automl_agent.tasks.tabular_regression:FAMILY" in points
    assert b"Apache License" in wheel[f"{info}/licenses/LICENSE"]
