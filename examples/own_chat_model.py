"""A LangChain chat model of your own, one for all roles or one per role.

The agents of this release work by rules: the model is kept for the language-model agents and is not called, and the
report says so. Here a scripted model from langchain-core stands in for a real one.
"""

from pathlib import Path

from langchain_core.language_models.fake_chat_models import FakeListChatModel

from automl_agent import Settings, build_graph

DATA = Path(__file__).parent / "breast_cancer.csv"


def main(settings: Settings) -> None:
    model = FakeListChatModel(responses=["I was asked."])
    graph = build_graph({"planner": model, "default": model}, settings=settings)
    out = graph.invoke({"request": "Predict the diagnosis.", "data": str(DATA)})
    print(out["report"].status)
    print([text for text in out["report"].warnings if "language model" in text])


if __name__ == "__main__":
    main(Settings(budget=30))
