"""Networks train on a GPU where there is one. There is none here: on torch's device without data, which refuses tensors
of another device as a GPU does, a training step must go through; and what was trained on one may differ when trained
again."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from automl_agent.delivery.checks import check_retrain
from automl_agent.tasks.candidate import load_candidate
from automl_agent.tasks.registry import get_family

torch = pytest.importorskip("torch")

TABLES, IMAGES = get_family("tabular_classification"), get_family("image_classification")


def loaded(family, name):
    return load_candidate(family.candidates()[name].path, family.shared)


@pytest.mark.parametrize("there", [True, False])
def test_the_gpu_is_used_where_there_is_one(there, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert loaded(TABLES, "network").fastest(torch).type == ("cuda" if there else "cpu")


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_a_network_for_tables_trains_on_one_device(kind):
    module = loaded(TABLES, "network")
    model = module.Model({"kind": kind, "classes": ["a", "b", "c"], "metric": "rmse"}, {}, [], 0)
    model.numbers, model.present = 3, np.arange(3)
    target = torch.arange(300) % 3 if kind == "classification" else torch.rand(300)
    data = [part.to("meta") for part in (torch.rand(300, 5), target, torch.ones(300))]
    training = module.Training(torch, model, data, torch.arange(250), torch.arange(250, 300))
    weights = training._begun()
    assert {value.device.type for value in weights.values()} == {"meta"}
    assert next(training._batches(weights, 2)) == 1
    assert training._loss(weights, training.outer).device.type == "meta"


def test_a_network_for_images_trains_on_one_device():
    module = loaded(IMAGES, "small_network")
    model = module.Model({"kind": "classification", "classes": ["a", "b"], "metric": "accuracy"}, {}, [], 0)
    model.statistics, model.changes = np.array([0.5, 0.2], np.float32), ("shifts",)
    model.network = module.build(torch, 1, 8, 2, 16).to("meta")
    pixels = np.zeros((40, 16, 16, 1), np.uint8)
    model._train(torch, pixels, np.arange(40) % 2, 1, most=1)
    assert next(model.network.parameters()).device.type == "meta"


@pytest.mark.parametrize(("device", "ok"), [("cuda", True), (None, False)])
def test_what_was_trained_on_a_gpu_need_not_be_the_same_to_the_last_digit(device, ok, tmp_path, monkeypatch):
    """`train.py` in a folder as a bundle has it: what it says is believed."""
    (tmp_path / "model").mkdir()
    member = {"id": "m0", "candidate": "network", "validated": [0], "fit_seconds": 1.0}
    (tmp_path / "model" / "solution.json").write_text(json.dumps({"members": [member]}))
    runtime = Path(get_family.__code__.co_filename).parents[1] / "delivery" / "runtime"
    train = load_candidate(runtime / "train.py", (runtime, runtime.parents[1] / "tasks"))
    folder = tmp_path / "model" / "m0" / "fold0"
    folder.mkdir(parents=True)
    (folder / "params.json").write_text(json.dumps({"epochs": 32} | ({"device": device} if device else {})))
    (tmp_path / "oof").mkdir()
    np.save(tmp_path / "oof" / "m0.npy", np.array([1.0, 2.0]))
    monkeypatch.setattr(train, "fit", lambda *given: (None, np.array([1.001, 2.0])))
    rows = SimpleNamespace(folds=np.array([0, 0]))
    (found,) = train.verify(tmp_path, {"members": [member]}, {}, rows)
    said = json.dumps(found)
    done = SimpleNamespace(stdout=said, stderr="", returncode=0)
    monkeypatch.setattr("automl_agent.delivery.checks.run_isolated", lambda *given: done)
    assert found["same"] == check_retrain(tmp_path, tmp_path, 10.0).ok == ok
