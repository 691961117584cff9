"""Training jobs run where you say: here through a wrapper that counts them on their way to the local workers."""

from pathlib import Path
from typing import Any

from automl_agent import Settings, build_graph
from automl_agent.execution.local import LocalExecutor
from automl_agent.execution.protocol import Job, Pool

DATA = Path(__file__).parent / "breast_cancer.csv"


class CountingPool:
    def __init__(self, pool: Pool, counts: dict[str, int]) -> None:
        self.pool, self.counts, self.size = pool, counts, pool.size

    def prepare(self) -> None:
        self.pool.prepare()

    def submit(self, job: Job) -> Any:
        name = job.call.rpartition(":")[2]
        self.counts[name] = self.counts.get(name, 0) + 1
        return self.pool.submit(job)

    def cancel(self) -> None:
        self.pool.cancel()

    def close(self) -> None:
        self.pool.close()


class CountingExecutor:
    def __init__(self) -> None:
        self.local = LocalExecutor()
        self.counts: dict[str, int] = {}

    def pool(self, run_id: str, size: int) -> CountingPool:
        return CountingPool(self.local.pool(run_id, size), self.counts)

    def release(self, run_id: str) -> None:
        self.local.release(run_id)


def main(settings: Settings) -> None:
    executor = CountingExecutor()
    graph = build_graph(executor=executor, settings=settings)
    out = graph.invoke({"request": "Predict the diagnosis.", "data": str(DATA)})
    print(out["report"].status, executor.counts)


if __name__ == "__main__":
    main(Settings(budget=30))
