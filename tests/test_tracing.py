"""LangSmith and OpenTelemetry see the calls of language models, with stage, plan and role, without code of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import json, sys
from pathlib import Path
from langchain_core.tracers.langchain import wait_for_all_tracers
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

memory, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(memory))
trace.set_tracer_provider(provider)

from automl_agent.llm.client import Client
from automl_agent.llm.models import model_book
from automl_agent.llm.prompt import Prompt
from automl_agent.settings import Settings
from automl_agent.testing import ScriptedChatModel

client = Client(model_book(ScriptedChatModel("```python\\nx = 1\\n```")), Settings(), home=Path(sys.argv[1]),
                run_id="run-1", emit=lambda event: None, seconds_left=lambda: 60.0, stage="agent_data")
assert client.write("coder", Prompt("system", "user"), plan="r0p2").ok
wait_for_all_tracers()
provider.force_flush()
print(json.dumps([[span.name, dict(span.attributes)] for span in memory.get_finished_spans()], default=str))
"""


def test_spans_carry_stage_plan_and_role(tmp_path: Path) -> None:
    """Through LangChain's own tracer: what LangSmith would be sent, as OpenTelemetry spans."""
    traced = {
        "LANGSMITH_TRACING": "true",
        "LANGSMITH_OTEL_ENABLED": "true",
        "LANGSMITH_OTEL_ONLY": "true",
        "LANGSMITH_API_KEY": "none",
        "LANGSMITH_ENDPOINT": "http://127.0.0.1:9",
    }
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, **traced}, check=True
    )
    spans = dict(json.loads(done.stdout.splitlines()[-1]))
    seen = {key.rpartition(".")[2]: value for key, value in spans["automl_agent.coder"].items()}
    assert (seen["role"], seen["stage"], seen["plan"], seen["run_id"]) == ("coder", "agent_data", "r0p2", "run-1")
