"""Stores what generated code has learned, in formats that run no code when they are read.

The state is a dictionary of JSON values, numpy arrays, LightGBM boosters, CatBoost models and fitted scikit-learn
estimators, as deep as it likes. It becomes `NAME.json`, `NAME.npz`, and a file for each model.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

ACCEPTED = (
    "numbers, texts, None, lists, tuples, sets, dicts, numpy arrays, LightGBM boosters, CatBoost models "
    "and fitted scikit-learn estimators"
)
HINTS = {
    "Series": "use .to_dict() or .to_numpy()",
    "DataFrame": "use .to_dict('list') or .to_numpy()",
    "Index": "use .tolist()",
    "Categorical": "use a list of the categories",
    "Timestamp": "use .isoformat()",
    "datetime": "use .isoformat()",
    "Timedelta": "use .total_seconds()",
    "DataFrameGroupBy": "aggregate it, then use .to_dict()",
    "csr_matrix": "use .toarray()",
    "csc_matrix": "use .toarray()",
    "function": "define it at the top of the module, where predict finds it",
    "module": "import it at the top of the module, where predict finds it",
}
DEEPEST = 30
TRUSTED = [
    "collections.OrderedDict",
    "collections.defaultdict",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
    "numpy.dtype",
    "scipy.interpolate._bsplines.BSpline",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.feature_selection._univariate_selection.f_regression",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.Matern",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RBF",
    "sklearn.gaussian_process.kernels.Sum",
    "sklearn.gaussian_process.kernels.WhiteKernel",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._dist_metrics.ManhattanDistance64",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
]
"""Besides what skops trusts by itself. Never taken from the file: its author could name anything."""


def save_state(state: dict[str, Any], folder: Path, name: str) -> None:
    """Write a state.

    Raises:
        TypeError: names the first value that cannot be stored, and what to use instead.
    """
    packer = _Packer(folder, name)
    text = json.dumps(packer.pack(state, "state", 0), ensure_ascii=False)
    (folder / f"{name}.json").write_text(text, encoding="utf-8")
    if packer.arrays:
        np.savez_compressed(folder / f"{name}.npz", **packer.arrays)


def load_state(folder: Path, name: str) -> dict[str, Any]:
    stored = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    arrays: dict[str, Array] = {}
    if (folder / f"{name}.npz").exists():
        with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
            arrays = dict(file)
    state: dict[str, Any] = _unpacked(stored, arrays, folder)
    return state


class _Packer:
    """Turns values into what JSON can hold; arrays and models are put aside under numbers."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.arrays: dict[str, Array] = {}
        self.models = 0

    def pack(self, value: Any, place: str, depth: int) -> Any:
        if depth > DEEPEST:
            raise TypeError(f"{place} is nested more than {DEEPEST} deep, or contains itself")
        if value is None or isinstance(value, bool | str | int | float):
            return _plain(value)
        if isinstance(value, np.ndarray):
            return self._array(value, place, depth)
        if isinstance(value, np.bool_ | np.number):
            return value.item()
        if isinstance(value, dict):
            pairs = [[_key(key, place), self.pack(item, f"{place}[{key!r}]", depth + 1)] for key, item in value.items()]
            return {"dict": pairs}
        if isinstance(value, list | tuple | set | frozenset):
            items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
            packed = [self.pack(item, f"{place}[{number}]", depth + 1) for number, item in enumerate(items)]
            return packed if isinstance(value, list) else {"tuple" if isinstance(value, tuple) else "set": packed}
        return self._model(value, place)

    def _array(self, array: Array, place: str, depth: int) -> Any:
        if array.dtype.hasobject:
            flat = self.pack(array.reshape(-1).tolist(), place, depth + 1)
            return {"objects": flat, "shape": list(array.shape)}
        key = str(len(self.arrays))
        self.arrays[key] = array
        return {"array": key}

    def _model(self, value: Any, place: str) -> Any:
        stem = f"{self.name}_{self.models}"
        self.models += 1
        if _is(value, "lightgbm", "Booster"):
            (self.folder / f"{stem}.txt").write_text(value.model_to_string(), encoding="utf-8")
            return {"booster": f"{stem}.txt"}
        if _is(value, "catboost", "CatBoost"):
            value.save_model(str(self.folder / f"{stem}.cbm"), format="cbm")
            return {"catboost": f"{stem}.cbm", "kind": type(value).__name__}
        if _is(value, "sklearn.base", "BaseEstimator"):
            return {"estimator": self._estimator(value, place, f"{stem}.skops")}
        raise TypeError(_refusal(place, value))

    def _estimator(self, value: Any, place: str, file: str) -> str:
        from skops_io import io

        try:
            io.dump(value, self.folder / file)
            strange = sorted(set(io.get_untrusted_types(file=self.folder / file)) - set(TRUSTED))
        except Exception as error:  # skops raises what the estimator's own parts raise
            raise TypeError(f"{place}, a {type(value).__name__}, cannot be stored: {error}") from error
        if strange:
            raise TypeError(
                f"{place}, a {type(value).__name__}, holds {', '.join(strange)}, which cannot be stored: "
                "use other estimators of scikit-learn, with no functions or classes of yours in them"
            )
        return file


def _unpacked(stored: Any, arrays: dict[str, Array], folder: Path) -> Any:
    if isinstance(stored, list):
        return [_unpacked(item, arrays, folder) for item in stored]
    if not isinstance(stored, dict):
        return stored
    kind, value = next(iter(stored.items()))
    if kind == "dict":
        return {key: _unpacked(item, arrays, folder) for key, item in value}
    if kind in ("tuple", "set"):
        return (tuple if kind == "tuple" else set)(_unpacked(value, arrays, folder))
    if kind == "array":
        return arrays[value]
    if kind == "objects":
        array = np.empty(len(value), dtype=object)
        array[:] = _unpacked(value, arrays, folder)
        return array.reshape(stored["shape"])
    return _loaded(kind, folder / Path(value).name, stored.get("kind", ""))


def _loaded(kind: str, file: Path, model: str) -> Any:
    if kind == "booster":
        return importlib.import_module("lightgbm").Booster(model_file=file)
    if kind == "catboost":
        classes = importlib.import_module("catboost")
        allowed = {known.__name__: known for known in (classes.CatBoostClassifier, classes.CatBoostRegressor)}
        return allowed.get(model, classes.CatBoost)().load_model(str(file), format="cbm")
    if kind == "estimator":
        from skops_io import io

        return io.load(file, trusted=TRUSTED)
    raise ValueError(f"{kind} is no kind of stored value")


def _plain(value: Any) -> Any:
    """Without the subclasses of numpy."""
    for kind in (bool, str, int, float):
        if isinstance(value, kind):
            return kind(value)
    return None


def _key(key: Any, place: str) -> Any:
    if isinstance(key, np.bool_ | np.number):
        key = key.item()
    if key is None or isinstance(key, bool | str | int | float):
        return _plain(key)
    raise TypeError(f"{place} has the key {key!r}, a {type(key).__name__}: keys must be texts or numbers")


def _is(value: Any, module: str, name: str) -> bool:
    """Whether a value is an instance of a class whose module, if nobody has imported it, need not be."""
    known = getattr(sys.modules.get(module), name, None)
    return known is not None and isinstance(value, known)


def _refusal(place: str, value: Any) -> str:
    name = type(value).__name__
    hint = HINTS.get(name) or f"what can be: {ACCEPTED}"
    return f"{place} is a {name}, which cannot be stored: {hint}"
