"""Two tables, accounts and their links, become a model that labels accounts, old and new."""

import random
import tempfile
from pathlib import Path

from automl_agent import Settings, build_graph


def write_network(folder: Path, accounts: int = 240) -> None:
    """Two kinds of accounts: each has mostly friends of its own kind, and its habits say a little about it."""
    draw = random.Random(0)
    kinds = ["trader" if number % 3 else "collector" for number in range(accounts)]
    rows = ["account,age,posts,kind"]
    for number, kind in enumerate(kinds):
        posts = draw.gauss(20 if kind == "trader" else 26, 8)
        rows.append(f"a{number},{draw.randint(18, 70)},{posts:.1f},{kind if number % 4 else ''}")
    links = ["source,target"]
    for number, kind in enumerate(kinds):
        alike = [other for other, same in enumerate(kinds) if same == kind and other != number]
        friends = draw.sample(alike, 3) + draw.sample(range(accounts), 1)
        links += [f"a{number},a{friend}" for friend in friends]
    (folder / "accounts.csv").write_text("\n".join(rows), encoding="utf-8")
    (folder / "links.csv").write_text("\n".join(links), encoding="utf-8")


def main(settings: Settings) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_network(folder)
        data = [str(folder / "accounts.csv"), str(folder / "links.csv")]
        words = "Predict the kind of each account in this network. Accuracy at least 0.8."
        out = build_graph(settings=settings).invoke({"request": words, "data": data})
    report = out["report"]
    print(report.status, report.task["family"], report.metric["name"], round(report.score, 3))
    print("serve it with: python", Path(out["bundle"].path) / "serve.py")


if __name__ == "__main__":
    main(Settings(budget=40))
