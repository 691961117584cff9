"""Notes from your own knowledge base: any object with `retrieve` will do."""

from collections.abc import Mapping
from pathlib import Path

from automl_agent import Note, Settings, build_graph

DATA = Path(__file__).parent / "breast_cancer.csv"


class TeamNotes:
    """Here one note in memory; a wiki, a search engine or a vector store in earnest."""

    def retrieve(self, query: str, *, family: str, meta: Mapping[str, float], k: int = 8) -> tuple[Note, ...]:
        return (
            Note(
                id="team-1",
                title="Our cell measurements are close to linear after scaling",
                kind="practice",
                source="Team wiki",
                families=(family,),
                models=("linear",),
                steps=("quantile_scale",),
                applies=meta["rows"] < 5000,
            ),
        )[:k]


def main(settings: Settings) -> None:
    graph = build_graph(retriever=TeamNotes(), settings=settings)
    out = graph.invoke({"request": "Predict the diagnosis.", "data": str(DATA)})
    for plan in out["report"].plans:
        print(plan["title"], "rests on", plan["notes"])


if __name__ == "__main__":
    main(Settings(budget=30))
