"""A chat application that can make models: a LangGraph agent that calls the pipeline as a tool and talks about it.

The agent's model is the caller's own; so is the pipeline's, which may be another one or none. Without a key the script
below stands in for the chat model: what it says is made of the tool's answer, as a real model's words would be.

    python examples/embed_in_chat_app.py                      scripted, no key
    CHAT_MODEL=openai:gpt-5 python examples/embed_in_chat_app.py
"""

import json
import os
from pathlib import Path

from langchain.agents import create_agent
from langgraph.checkpoint.memory import InMemorySaver

from automl_agent import Settings, as_tool, build_graph
from automl_agent.testing import Call, Reply, ScriptedChatModel

DATA = Path(__file__).parent / "breast_cancer.csv"
QUESTIONS = (
    f"I have measurements of tumours in {DATA}. Can you predict which ones are malignant, with accuracy at least 0.9?",
    "How sure is that number?",
)


def main(settings: Settings) -> None:
    word = os.environ.get("CHAT_MODEL")
    tool = as_tool(build_graph(word, settings=settings))
    chat = create_agent(
        word or ScriptedChatModel(stand_in),
        tools=[tool],
        system_prompt="You help people who know their problem, not machine learning. Make models with the automl tool, "
        "and say only what its answers say.",
        checkpointer=InMemorySaver(),
    )
    config = {"configurable": {"thread_id": "visitor-1"}}
    for question in QUESTIONS:
        print(f"user   {question.replace(str(DATA), DATA.name)}")
        reply = chat.invoke({"messages": [("user", question)]}, config)
        print(f"agent  {reply['messages'][-1].content}")


def stand_in(call: Call) -> Reply | str:
    """What a chat model would do: call the tool once, and speak from its answer."""
    answers = [message for message in call.messages if message["role"] == "tool"]
    if not answers:
        request = "Predict whether a tumour is malignant. Accuracy at least 0.9."
        return Reply(tool_calls=[{"name": "automl", "args": {"request": request, "data": str(DATA)}}])
    result = json.loads(answers[-1]["content"])
    low, high = result["metric"]["interval"]
    if call.messages[-1]["role"] == "tool":
        met = "as you asked" if result["status"] == "delivered" else "short of what you asked"
        right = f"It is right on {result['score']:.1%} of the tumours that it had never seen, {met}."
        return f"{right} It lies in {result['bundle']}."
    return f"On other tumours of the same kind it will be right on {low:.1%} to {high:.1%}, with 95 % confidence."


if __name__ == "__main__":
    main(Settings(budget=30))
