"""Texts as vectors of meaning, by weights that somebody has trained: a table of token vectors, or a network as ONNX.

Where the weights come from: a folder of the user's, or the package `wordllama` (MIT), whose files are read without
importing it. A folder holds `tokenizer.json` and either one `*.safetensors` file with one matrix of token vectors (as
model2vec writes it) or `model.onnx` (as sentence-transformers exports it). Texts are embedded once in a process.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

LONGEST = 100_000
"""Characters of one text that are read."""
WINDOW = 256
"""Tokens that a network sees at once; of longer texts the windows are averaged."""
BATCH = 16
KEPT = 100_000
"""Vectors that a process keeps."""

_NO_TELEMETRY = "ORT_DISABLE_TELEMETRY"

_known: dict[tuple[str, str], Array] = {}
"""(encoder, text) -> vector; an encoder is known by size and time of its files, which a hard link shares."""
_loaded: dict[str, TextVectors] = {}


def installed() -> tuple[Path, Path] | None:
    """Tokenizer and weights of an installed package; `None` where there is none, or no `tokenizers`."""
    found = importlib.util.find_spec("wordllama")
    if found is None or not found.submodule_search_locations or importlib.util.find_spec("tokenizers") is None:
        return None
    root = Path(found.submodule_search_locations[0])
    files = (
        root / "tokenizers" / "l2_supercat_tokenizer_config.json",
        root / "weights" / "l2_supercat_256.safetensors",
    )
    return files if all(file.is_file() for file in files) else None


def in_folder(folder: str | Path) -> tuple[Path, Path]:
    """Tokenizer and weights of a folder.

    Raises:
        ValueError: it does not hold them, or what they need is not installed.
    """
    folder = Path(folder).expanduser()
    tokenizer = folder / "tokenizer.json"
    weights = [*folder.glob("*.onnx"), *folder.glob("*.safetensors")]
    if not tokenizer.is_file() or len(weights) != 1:
        raise ValueError(f"{folder} does not hold a tokenizer.json and one .onnx or .safetensors file")
    needed = ["tokenizers", *(["onnxruntime"] if weights[0].suffix == ".onnx" else [])]
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(f"the weights in {folder} need {', '.join(missing)}, which is not installed")
    return tokenizer, weights[0]


class TextVectors:
    """Embeds texts. Loading is cheap to repeat: a process keeps what it has read."""

    def __init__(self, tokenizer: Path, weights: Path, *, few: bool = False) -> None:
        """Read the files.

        Args:
            few: only a few texts will be embedded: a network of 8-bit weights is not unpacked beforehand, which takes
                longer for each batch, and a quarter of the memory.

        Raises:
            ValueError: they are not what their names say.
        """
        from tokenizers import Tokenizer

        self.files = (tokenizer, weights)
        self.name = "|".join(f"{stat.st_size}-{stat.st_mtime_ns}" for stat in (weights.stat(), tokenizer.stat()))
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._table: Array | None = None
        self._session: Any = None
        if weights.suffix == ".onnx":
            onnxruntime = quiet_runtime()
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            if few:
                options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
                options.enable_cpu_mem_arena = options.enable_mem_pattern = False
            self._session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
        else:
            self._table = read_matrix(weights)

    @classmethod
    def of(cls, files: tuple[Path, Path]) -> TextVectors:
        """The vectors of these files, read once in a process."""
        key = "|".join(f"{file.resolve()}@{file.stat().st_mtime_ns}" for file in files)
        if key not in _loaded:
            _loaded.clear()
            _loaded[key] = cls(*files)
        return _loaded[key]

    def embed(self, texts: Sequence[str]) -> Array:
        """(rows,) texts -> (rows, width) float32, each of length one (by a table, an empty text is all zeros)."""
        unknown = list(dict.fromkeys(text for text in texts if (self.name, text) not in _known))
        if len(_known) + len(unknown) > KEPT:
            _known.clear()
            unknown = list(dict.fromkeys(texts))
        for start in range(0, len(unknown), 256):
            part = unknown[start : start + 256]
            for text, vector in zip(part, self._embedded(part), strict=True):
                _known[self.name, text] = vector
        if not len(texts):
            return np.zeros((0, self.width), dtype=np.float32)
        return np.stack([_known[self.name, text] for text in texts])

    @property
    def width(self) -> int:
        if self._table is not None:
            return int(self._table.shape[1])
        return int(self._embedded(["a"]).shape[1])

    def copy(self, folder: Path) -> None:
        """Put the files into a folder where `in_folder` finds them; links where the file system allows it."""
        for source, name in zip(self.files, ("tokenizer.json", f"weights{self.files[1].suffix}"), strict=True):
            try:
                os.link(source.resolve(), folder / name)
            except OSError:
                shutil.copyfile(source, folder / name)

    def _embedded(self, texts: list[str]) -> Array:
        special = self._table is None
        found = [self._tokenizer.encode(text[:LONGEST], add_special_tokens=special) for text in texts]  # in one thread
        tokens = [np.array(one.ids, dtype=np.int64) for one in found]
        vectors = np.stack([self._mean(ids) for ids in tokens]) if self._table is not None else self._seen(tokens)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.where(lengths > 0, lengths, 1.0), dtype=np.float32)

    def _mean(self, ids: Array) -> Array:
        assert self._table is not None
        ids = ids[ids < len(self._table)]
        return self._table[ids].mean(axis=0, dtype=np.float32) if len(ids) else np.zeros(self._table.shape[1])

    def _seen(self, tokens: list[Array]) -> Array:
        """Mean of the network's token vectors; windows of one text are averaged, texts of like length go together."""
        windows = [(row, ids[start : start + WINDOW]) for row, ids in enumerate(tokens)
                   for start in range(0, max(1, len(ids)), WINDOW)]  # fmt: skip
        windows.sort(key=lambda window: len(window[1]))
        names = {entry.name for entry in self._session.get_inputs()}
        total: Array | None = None
        for start in range(0, len(windows), BATCH):
            part = windows[start : start + BATCH]
            width = max(1, *(len(ids) for _, ids in part))
            inputs = {name: np.zeros((len(part), width), dtype=np.int64) for name in names}
            mask = np.zeros((len(part), width), dtype=np.int64)
            for place, (_, ids) in enumerate(part):
                inputs["input_ids"][place, : len(ids)] = ids
                mask[place, : len(ids)] = 1
            if "attention_mask" in names:
                inputs["attention_mask"] = mask
            states = self._session.run(None, inputs)[0]
            if states.ndim == 3:
                states = (states * mask[:, :, None]).sum(axis=1)
            if total is None:
                total = np.zeros((len(tokens), states.shape[1]))
            np.add.at(total, [row for row, _ in part], states)
        assert total is not None
        return total


def read_matrix(path: Path) -> Array:
    """The matrix of a safetensors file: eight bytes for the length of a JSON header, the header, the numbers.

    Raises:
        ValueError: it is damaged, or holds something else than one matrix of floats.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length < min(size, 10_000_000):
            raise ValueError(f"{path.name} is no safetensors file")
        header = json.loads(file.read(length))
        tensors = [entry for name, entry in header.items() if name != "__metadata__"]
        kinds = {"F16": np.float16, "F32": np.float32}
        fitting = [entry for entry in tensors if len(entry["shape"]) == 2 and entry["dtype"] in kinds]
        if len(fitting) != 1:
            raise ValueError(f"{path.name} holds {len(fitting)} matrices of floats; one was expected")
        start, end = fitting[0]["data_offsets"]
        file.seek(8 + length + start)
        content = file.read(end - start)
    matrix = np.frombuffer(content, dtype=kinds[fitting[0]["dtype"]])
    return matrix.reshape(fitting[0]["shape"])


def quiet_runtime() -> Any:
    """The module `onnxruntime` without its telemetry, which it else begins when it is imported: reports to its maker,
    kept in the user's cache until they can be sent, and a file in the folder of temporary files."""
    before = os.environ.get(_NO_TELEMETRY)
    os.environ[_NO_TELEMETRY] = "1"
    try:
        import onnxruntime
    finally:
        if before is None:
            del os.environ[_NO_TELEMETRY]
        else:
            os.environ[_NO_TELEMETRY] = before
    return onnxruntime
