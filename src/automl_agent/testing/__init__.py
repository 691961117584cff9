"""Test doubles and contract checks, for the tests of whoever extends the library.

graph = build_graph(executor=InlineExecutor(), retriever=StaticRetriever(notes))
check_candidate(Path("my_model.py"), kind="classification")
check_executor(MyExecutor())
"""

from automl_agent.testing.candidates import check_candidate
from automl_agent.testing.doubles import InlineExecutor, StaticRetriever
from automl_agent.testing.executors import check_executor

__all__ = ["InlineExecutor", "StaticRetriever", "check_candidate", "check_executor"]
