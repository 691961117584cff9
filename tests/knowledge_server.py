"""What the services that notes come from answer, put on a stand-in server (`data_server`)."""

from __future__ import annotations

from html import escape
from typing import Any

from data_server import DataServer, Page

ENDPOINTS = ("ARXIV_API_ENDPOINT", "KAGGLE_API_ENDPOINT", "HF_ENDPOINT", "OPENML_ENDPOINT")

ENTRY = """
  <entry>
    <id>http://arxiv.org/abs/{id}v2</id>
    <updated>2024-11-01T17:59:59Z</updated>
    <published>2024-10-03T20:01:09Z</published>
    <title>{title}</title>
    <summary>  {abstract}
</summary>
    {authors}
    <link href="http://arxiv.org/abs/{id}v2" rel="alternate" type="text/html"/>
    <arxiv:primary_category xmlns:arxiv="http://arxiv.org/schemas/atom" term="cs.LG"/>
  </entry>"""
FEED = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <link href="http://arxiv.org/api/query" rel="self" type="application/atom+xml"/>
  <title type="html">ArXiv Query</title>
  <id>http://arxiv.org/api/cHxbiOdZaP56ODnBPIenZhzg5f8</id>
  <opensearch:totalResults xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">1</opensearch:totalResults>{entries}
</feed>"""


def entry(number: str, title: str, abstract: str, authors: tuple[str, ...] = ("Ada Lovelace",)) -> str:
    names = "".join(f"<author><name>{escape(name)}</name></author>" for name in authors)
    return ENTRY.format(id=number, title=escape(title), abstract=escape(abstract), authors=names)


def feed(*entries: str) -> Page:
    return Page(FEED.format(entries="".join(entries)).encode(), 200, "application/atom+xml", version=None)


def arxiv(server: DataServer, *entries: str) -> None:
    server.pages["/api/query"] = feed(*entries)


def kaggle(server: DataServer, *kernels: dict[str, Any]) -> None:
    server.answer("/api/v1/kernels/list", list(kernels))


def hugging_face(server: DataServer, models: list[dict[str, Any]], sets: list[dict[str, Any]]) -> None:
    server.answer("/api/models", models)
    server.answer("/api/datasets", sets)


def openml(server: DataServer, *flows: tuple[str, float]) -> None:
    """One data set (31, credit-g) with a task (59) and the runs of these flows."""
    found = {"data_id": 31, "name": "credit-g", "description": "Who pays a credit back"}
    server.answer("/es/data/_search", {"hits": {"hits": [{"_source": found}]}})
    task = {"task_id": 59, "task_type_id": 1, "task_type": "Supervised Classification", "did": 31, "name": "credit-g",
            "status": "active"}  # fmt: skip
    server.answer("/api/v1/json/task/list/type/1/data_id/31/limit/1", {"tasks": {"task": [task]}})
    runs = [
        {"run_id": 100 + place, "task_id": 59, "setup_id": 7, "flow_id": 8, "flow_name": name, "data_name": "credit-g",
         "function": "predictive_accuracy", "upload_time": "2019-05-06 10:11:12", "value": value}
        for place, (name, value) in enumerate(flows)
    ]  # fmt: skip
    place = "/api/v1/json/evaluation/list/function/predictive_accuracy/task/59/sort_order/desc/limit/5"
    server.answer(place, {"evaluations": {"evaluation": runs}})
