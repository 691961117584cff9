"""A folder of messages, sorted into sub-folders by who answered them, becomes a model that sorts new ones."""

import random
import subprocess
import sys
import tempfile
from pathlib import Path

from automl_agent import Settings, build_graph

DESKS = {
    "billing": ["invoice", "refund", "payment", "credit card", "receipt", "discount"],
    "delivery": ["parcel", "courier", "tracking number", "shipping", "address", "driver"],
    "account": ["password", "login", "email", "username", "profile", "settings"],
}
PHRASES = [
    "I have a question about my {} and the {}.",
    "The {} is a problem again! What about the {}?",
    "Could you look at the {}? I wrote to you about the {}.",
    "What happened to the {}? And where is my {}?",
]


def write_messages(folder: Path, count: int = 150) -> None:
    """One file a message, in a sub-folder for each desk; every tenth message went to the wrong desk."""
    chance = random.Random(0)
    for number in range(count):
        desk = chance.choice(list(DESKS))
        text = chance.choice(PHRASES).format(*chance.sample(DESKS[desk], 2))
        place = folder / (desk if number % 10 else chance.choice(list(DESKS)))
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.txt").write_text(text)


def main(settings: Settings) -> None:
    with tempfile.TemporaryDirectory() as place:
        write_messages(Path(place, "mail"))
        request = {"request": "Which desk answers a message?", "data": str(Path(place, "mail"))}
        out = build_graph(settings=settings).invoke(request)
        report, bundle = out["report"], Path(out["bundle"].path)
        print(report.status, report.task["family"], report.metric["name"], round(report.score, 3))
        new = Path(place, "new.txt")
        new.write_text("My parcel is late, and the courier does not answer.")
        answers = Path(place, "answers.csv")
        subprocess.run([sys.executable, "-B", bundle / "predict.py", new, "--out", answers], check=True)
        print(answers.read_text().splitlines()[1])


if __name__ == "__main__":
    main(Settings(budget=40, trials=8))
