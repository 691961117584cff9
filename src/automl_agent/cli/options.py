"""Every command and option, with its help. Imports nothing but argparse: `--help` answers at once."""

from __future__ import annotations

import argparse
import json
import math
from typing import NoReturn

from automl_agent.errors import InputError
from automl_agent.llm.roles import ROLES

EPILOG = """\
exit status:
  0  a model was delivered and meets every constraint
  3  a model was delivered, but a constraint is missed
  4  the request was refused, or a question must be answered
  2  bad input        1  a fault of ours, or a check that failed        130  interrupted
"""


class Parser(argparse.ArgumentParser):
    """Raises `InputError` where argparse would print its usage and exit."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message.rstrip('.')}.", hint=f"See: {self.prog} --help")


def make_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="automl-agent",
        description="From a sentence and some data to a verified, served machine-learning model.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.set_defaults(handler=None, home=None)
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")
    _add_run(commands)
    _add_bundle_commands(commands)
    _add_looks(commands)
    _add_bench(commands)
    _add_knowledge(commands)
    _add_experience(commands)
    return parser


Commands = argparse._SubParsersAction  # the type has no public name


def _command(commands: Commands[Parser], name: str, handler: str, text: str) -> Parser:
    parser = commands.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}.", epilog=EPILOG if name == "run" else None,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip
    parser.set_defaults(handler=f"automl_agent.cli.{handler}")
    return parser


def _home(parser: Parser) -> None:
    parser.add_argument("--home", metavar="DIR", help="runs, trials, notes (AUTOML_AGENT_HOME or .automl-agent)")


def _server(group: argparse._ActionsContainer) -> None:
    group.add_argument("--knowledge-server", metavar="ADDRESS",
                       help="Chroma server where a team shares notes, e.g. http://notes.example:8000; a token is taken "
                       "from AUTOML_AGENT_KNOWLEDGE_TOKEN")  # fmt: skip


def _json(parser: Parser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")


def _add_run(commands: Commands[Parser]) -> None:
    run = _command(commands, "run", "run:run", "make a model from a request in plain words")
    run.add_argument("words", nargs="?", metavar="REQUEST", help="what you want, in plain words")
    run.add_argument(
        "--from", dest="based_on", metavar="RUN",
        help="vary a finished run: its id, the folder of its result, or 'last'; REQUEST says what shall be different",
    )  # fmt: skip
    data = run.add_argument_group("data")
    places = (
        "files or folders; also links and names: https://..., openml:credit-g, hf:imdb, kaggle:titanic, sklearn:wine"
    )
    data.add_argument("--data", nargs="+", action="extend", metavar="PATH", help=places)
    data.add_argument("--test-data", metavar="PATH", help="your own test file, with the target column")
    task = run.add_argument_group("what is meant (overrules what is inferred)")
    task.add_argument("--family", metavar="NAME", help="task family, e.g. tabular_regression")
    task.add_argument("--target", metavar="C", help="column to predict")
    task.add_argument("--positive", metavar="V", help="class that counts as positive")
    task.add_argument("--metric", metavar="M", help="metric to optimise")
    task.add_argument("--time", metavar="C", help="column that orders rows in time; the test is the last part")
    task.add_argument("--group", metavar="C", help="column whose equal values stay on one side of every split")
    task.add_argument("--weight", metavar="C", help="column that says how much each row counts, in fits and scores")
    task.add_argument("--ignore", nargs="+", action="extend", metavar="C", help="columns that no model may see")
    task.add_argument("--by", nargs="+", action="extend", metavar="C",
                      help="columns by whose values the test scores are told apart; ignored ones too")  # fmt: skip
    task.add_argument("--set", type=_pair, action="append", metavar="KEY=VALUE", help="option of the task family")
    _add_limits(run)
    _add_language_model(run)
    course = run.add_argument_group("course of the run")
    course.add_argument(
        "--plan-only", action="store_true", default=None, help="show understanding and plans, train nothing"
    )
    course.add_argument("--no-retrieval", action="store_true", default=None, help="plan without the knowledge base")
    course.add_argument("--experience", choices=("on", "read", "off"), help="what earlier runs on other data measured: "
                        "use and extend it (on), use it only (read), neither (off)")  # fmt: skip
    course.add_argument("--notes", metavar="FOLDER", help="folder of a team's notes, besides the shipped ones")
    _server(course)
    _sources(course)
    course.add_argument("--approve", action="store_true", default=None, help="ask before the costly part")
    course.add_argument("--resume", metavar="RUN", help="continue a run: its id, or 'last'")
    course.add_argument("--answer", metavar="TEXT", help="answer to the question that a run stopped at")
    course.add_argument("--yes", action="store_true", help="approve the plans that a run stopped at")
    output = run.add_argument_group("output")
    output.add_argument("--out", metavar="DIR", help="folder for the result (automl-runs/RUN)")
    _home(run)
    _json(run)


def _add_limits(run: Parser) -> None:
    limits = run.add_argument_group("limits")
    limits.add_argument("--budget", type=_number, metavar="SECONDS", help="from the start to the result (120)")
    limits.add_argument("--trials", type=_whole, metavar="N", help="bound on the number of trials")
    limits.add_argument("--plans", type=_whole, metavar="N", help="plans made in each round (3)")
    limits.add_argument("--max-rows", type=_whole, metavar="N", help="of a table, drawn (those of 5 million cells)")
    limits.add_argument("--max-memory", type=_number, metavar="MB", help="of all its processes (80 %% of the machine)")
    limits.add_argument("--max-download", type=_number, metavar="MB", help="of links and named data (500); 0: none")
    limits.add_argument("--cpus", type=_whole, metavar="N", help="worker processes (all cores)")
    limits.add_argument("--seed", type=_whole, metavar="N", help="seed of splits, models and search (0)")


def _add_language_model(run: Parser) -> None:
    group = run.add_argument_group("language model (without one the agents work by rules)")
    _model(group)
    group.add_argument("--temperature", type=_number, metavar="T", help="of the model (its own default)")
    group.add_argument("--max-cost", type=_number, metavar="USD", help="bound on what its calls cost")
    group.add_argument("--max-tokens", type=_whole, metavar="N", help="bound on its tokens, in and out")
    group.add_argument("--max-calls", type=_whole, metavar="N", help="bound on the number of calls")
    group.add_argument("--prices", metavar="FILE", help="JSON file with prices of models, besides the shipped ones")
    group.add_argument("--call-timeout", type=_number, metavar="SECONDS", help="for one answer, retries included (90)")
    group.add_argument("--concurrency", type=_whole, metavar="N", help="calls at once (4)")
    group.add_argument("--cache", action="store_true", default=None, help="answer repeated calls from memory")
    group.add_argument("--share-rows", type=_whole, metavar="N", help="sample rows that it may see, 0 to 5 (5)")
    group.add_argument("--share-names", type=_yes, metavar="yes|no", help="whether it sees names of columns (yes)")
    group.add_argument("--no-code", action="store_true", default=None, help="let it write no code")
    group.add_argument(
        "--sandbox",
        metavar="MODE",
        help="for its code: auto, require (refuse a weak one), off, or package.module:Class",
    )


def _model(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--model", type=_named, action="append", metavar="NAME",
        help="e.g. openai:gpt-5; for one role again as ROLE=NAME, with a ROLE of " + ", ".join(ROLES),
    )  # fmt: skip
    group.add_argument("--base-url", metavar="URL", help="OpenAI-compatible server, e.g. http://127.0.0.1:8000/v1")


def _add_bundle_commands(commands: Commands[Parser]) -> None:
    predict = _command(commands, "predict", "bundles:predict", "predict the rows of a file with a bundle")
    predict.add_argument("bundle", metavar="BUNDLE")
    predict.add_argument("file", metavar="FILE")
    predict.add_argument(
        "--out", dest="output", metavar="FILE", help="where to write (NAME_predictions.csv in this folder)"
    )
    predict.add_argument("--reasons", action="store_true", help="add what contributed most to each prediction")
    serve = _command(commands, "serve", "bundles:serve", "serve a bundle over HTTP until interrupted")
    serve.add_argument("bundle", metavar="BUNDLE")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    serve.add_argument("--port", type=int, default=8000, help="port to listen on (%(default)s)")
    verify = _command(commands, "verify", "bundles:verify", "check a bundle: hashes, golden rows, retraining")
    verify.add_argument("bundle", metavar="BUNDLE")
    verify.add_argument(
        "--data", metavar="PATH", help="the data it was made from: every member and fold is trained again"
    )
    for parser in (predict, verify):
        _json(parser)


def _add_looks(commands: Commands[Parser]) -> None:
    runs = _command(commands, "runs", "inspect:runs", "list the runs")
    show = _command(commands, "show", "inspect:show", "show one run")
    show.add_argument("run", metavar="RUN", help="its id, or 'last'")
    doctor = _command(commands, "doctor", "doctor:doctor", "check that everything works here")
    _model(doctor)
    _server(doctor)
    for parser in (runs, show, doctor):
        _home(parser)
        _json(parser)


def _add_bench(commands: Commands[Parser]) -> None:
    bench = _command(commands, "bench", "bench:bench", "run a suite of sentences and score it as the paper does")
    bench.add_argument("suite", metavar="SUITE", help="YAML file of sentences, data and what they should come to")
    bench.add_argument("--only", action="append", metavar="NAME", help="only this entry (again for more)")
    bench.add_argument("--out", metavar="DIR", help="for outcomes and bundles (automl-runs/bench-NAME)")
    bench.add_argument("--budget", type=_number, metavar="SECONDS", help="for each sentence that sets none (120)")
    bench.add_argument("--trials", type=_whole, metavar="N", help="bound on the number of trials of a sentence")
    bench.add_argument("--seed", type=_whole, metavar="N", help="seed of splits, models and search (0)")
    bench.add_argument("--plans", type=_whole, metavar="N", help="plans made in each round (3)")
    bench.add_argument("--no-retrieval", action="store_true", help="plan without notes")
    bench.add_argument("--no-decomposition", action="store_true", help="no agents for data and models")
    bench.add_argument("--no-verification", action="store_true", help="no verifiers and no revision")
    _model(bench)
    _home(bench)
    _json(bench)


def _add_knowledge(commands: Commands[Parser]) -> None:
    knowledge = _command(commands, "knowledge", "knowledge:knowledge", "build, search and extend the knowledge base")
    actions = knowledge.add_subparsers(dest="action", metavar="ACTION", required=True)
    build = actions.add_parser("build", help="index the notes of a folder (those of the library by default)")
    build.add_argument("folder", nargs="?", metavar="FOLDER")
    search = actions.add_parser("search", help="show the notes that fit a query")
    search.add_argument("query", metavar="QUERY")
    search.add_argument("--family", metavar="NAME", help="only notes for this task family")
    search.add_argument("--k", type=int, default=8, metavar="N", help="number of notes (%(default)s)")
    _sources(search)
    listing = actions.add_parser("list", help="list all notes")
    listing.add_argument("--family", metavar="NAME", help="only notes for this task family")
    add = actions.add_parser("add", help="add a note, a folder of notes, or a paper of arXiv")
    add.add_argument("path", metavar="PATH", help="file, folder, address of a note, arXiv id or address")
    add.add_argument("--family", metavar="NAME", help="of a paper: only for this task family (all)")
    remove = actions.add_parser("remove", help="take a note of your own out")
    remove.add_argument("name", metavar="ID")
    sync = actions.add_parser("sync", help="bring the index up to date with its notes")
    for parser in (search, listing, sync):
        parser.add_argument("--notes", metavar="FOLDER", help="folder of a team's notes, besides the shipped ones")
    for parser in (build, search, add, remove, sync):
        _server(parser)
    for parser in (build, search, listing, add, remove, sync):
        _home(parser)
        _json(parser)


def _add_experience(commands: Commands[Parser]) -> None:
    experience = _command(commands, "experience", "experience:experience", "what earlier runs measured, by hand")
    actions = experience.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="show what is kept")
    export = actions.add_parser("export", help="write all of it to a file")
    load = actions.add_parser("import", help="take over what export wrote")
    for parser in (export, load):
        parser.add_argument("file", metavar="FILE")
    forget = actions.add_parser("forget", help="delete what is kept of some data, or all")
    forget.add_argument("ids", nargs="*", metavar="ID", help="as list names them")
    forget.add_argument("--all", action="store_true", help="delete everything")
    for parser in (listing, export, load, forget):
        _home(parser)
        _json(parser)


def _sources(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--sources", type=_several, metavar="A,B",
        help="ask on the network, too: arxiv, hf, kaggle, openml, or package.module:Class (none)",
    )  # fmt: skip


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _whole(text: str) -> int:
    return int(text)


_number.__name__, _whole.__name__ = "number", "whole number"  # argparse names the type in its message


def _several(text: str) -> tuple[str, ...]:
    """Names with commas between."""
    return tuple(name.strip() for name in text.split(","))


def _yes(text: str) -> bool:
    if text not in ("yes", "no"):
        raise argparse.ArgumentTypeError(f"expected yes or no, got {text!r}")
    return text == "yes"


def _named(text: str) -> tuple[str, str]:
    """`NAME` for all roles, or `ROLE=NAME` for one."""
    role, equals, name = text.partition("=")
    if not equals:
        role, name = "default", text
    if role not in (*ROLES, "default"):
        raise argparse.ArgumentTypeError(f"{role!r} is no role; roles are {', '.join(ROLES)}")
    if not name.strip():
        raise argparse.ArgumentTypeError("the name of the model is empty")
    return role, name.strip()


def _pair(text: str) -> tuple[str, str | int | float | bool | None]:
    """`KEY=VALUE`, where a value that reads as a JSON scalar is one: `k=5`, `fast=true`."""
    key, equals, raw = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"expected KEY=VALUE, got {text!r}")
    try:
        value = json.loads(raw)
    except ValueError:
        value = raw
    return key, raw if isinstance(value, dict | list) else value
