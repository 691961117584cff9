"""Folders that records refer to by id, on this machine's disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from automl_agent.errors import InputError
from automl_agent.execution.home import checked_name, prepare_home


class LocalArtifactStore:
    """Artifacts below `home/artifacts` (see `protocol.ArtifactStore`). An id is `RUN/NAME`."""

    def __init__(self, home: Path) -> None:
        self._root = prepare_home(home) / "artifacts"

    def create(self, run_id: str, name: str) -> tuple[str, Path]:
        """A fresh, empty folder and its id. A folder of the same run and name is emptied."""
        artifact = f"{checked_name(run_id)}/{checked_name(name)}"
        folder = self._locate(artifact)
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        return artifact, folder

    def path(self, artifact: str) -> Path:
        """The folder of an id.

        Raises:
            InputError: when the id leads outside the store, or its folder is gone.
        """
        folder = self._locate(artifact)
        if not folder.is_dir():
            raise InputError(f"The artifact {artifact} is no longer in {self._root}.", hint="Start the run again.")
        return folder

    def _locate(self, artifact: str) -> Path:
        """The folder of an id, which lies in the store even when somebody placed links there."""
        run_id, _, name = artifact.partition("/")
        folder = self._root / checked_name(run_id) / checked_name(name)
        if not folder.resolve().is_relative_to(self._root.resolve()):
            raise InputError(f"The artifact {artifact} leads outside {self._root}.")
        return folder


def has_private_folder(home: Path, run_id: str) -> bool:
    """Whether a run of this name has come as far as its data."""
    return (home / "private" / checked_name(run_id)).exists()


def private_folder(home: Path, run_id: str) -> Path:
    """The folder, outside the artifact store, of what workers must not have: test targets. Only its owner may enter."""
    folder = prepare_home(home) / "private" / checked_name(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    for path in (folder.parent, folder):
        path.chmod(0o700)
    return folder
