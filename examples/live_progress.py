"""Typed events while the pipeline runs, asynchronously."""

import asyncio
from pathlib import Path

from automl_agent import Settings, build_graph
from automl_agent.events import BestSoFar, StageFinished, TrialFinished

DATA = Path(__file__).parent / "breast_cancer.csv"


async def watch(settings: Settings) -> None:
    graph = build_graph()
    inputs = {"request": "Predict whether a tumour is malignant.", "data": str(DATA)}
    async for event in graph.astream(inputs, context=settings, stream_mode="custom"):
        match event:
            case StageFinished(stage=stage, seconds=seconds):
                print(f"{stage:20} {seconds:6.2f} s")
            case TrialFinished(trial=trial) if trial.score is not None:
                print(f"  {trial.candidate:20} {trial.score:.4f}")
            case BestSoFar(score=score, candidate=candidate):
                print(f"  best so far: {candidate} {score:.4f}")


def main(settings: Settings) -> None:
    asyncio.run(watch(settings))


if __name__ == "__main__":
    main(Settings(budget=30))
