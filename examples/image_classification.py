"""A folder of images, a folder for each class, becomes a model; then it names an image that it has not seen."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from sklearn.datasets import load_digits

from automl_agent import Settings, build_graph


def write_images(folder: Path) -> None:
    """The handwritten digits 0 to 4 that come with scikit-learn, as PNG files."""
    digits = load_digits(n_class=5)
    for number, (pixels, label) in enumerate(zip(digits.images[:400], digits.target[:400], strict=True)):
        place = folder / f"digit_{label}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray((pixels * 15).astype("uint8")).save(place / f"{number}.png")


def main(settings: Settings) -> None:
    with TemporaryDirectory() as scratch:
        write_images(Path(scratch, "digits"))
        graph = build_graph(settings=settings)
        words = "Which digit is in these images? Accuracy at least 0.9."
        out = graph.invoke({"request": words, "data": str(Path(scratch, "digits"))})
    report = out["report"]
    print(report.status, report.metric["name"], round(report.score, 3))
    schema = json.loads(Path(report.bundle, "schema.json").read_text(encoding="utf-8"))
    print("classes:", ", ".join(schema["classes"]))


if __name__ == "__main__":
    main(Settings(budget=45))
