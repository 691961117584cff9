"""`automl-agent runs` and `automl-agent show RUN`: what was run, and how it went."""

from __future__ import annotations

import argparse
import json

from automl_agent.cli.folders import RunFolder, all_runs, find_run, home_of
from automl_agent.cli.progress import View
from automl_agent.delivery.summary import score_line, summarize
from automl_agent.delivery.words import printable


def runs(args: argparse.Namespace) -> int:
    """One line a run, newest first."""
    rows = [_row(run) for run in all_runs(home_of(args))]
    if args.json:
        print(json.dumps(rows, indent=2))
    elif not rows:
        print(f"There are no runs in {home_of(args)}.")
    else:
        width = max(len(row["run"]) for row in rows)
        for row in rows:
            words = " ".join(row["request"].split())
            print(f"{row['run']:<{width}}  {row['status']:<12}  {row['score']:<34}  {words[:60]}".rstrip())
    return 0


def show(args: argparse.Namespace) -> int:
    """What a run was asked, how far it came, and its result."""
    run = find_run(home_of(args), args.run)
    status, report = run.status(), run.report()
    if args.json:
        whole = {
            "status": status,
            "manifest": run.manifest.model_dump(mode="json"),
            "result": report.model_dump(mode="json") if report else None,
            "events": [event.model_dump(mode="json") for event in run.events()],
        }
        print(json.dumps(whole, indent=2))
        return 0
    print(printable("\n".join([f"{run.run_id}  {status}", *_asked(run), *_course(run)])))
    if report is not None:
        print(f"\n{summarize(report)}")
    elif status != "running":
        print(f"\n{status}{': ' if run.error() else ''}{printable(run.error())}")
        print(f"Continue with: automl-agent run --resume {run.run_id}")
    return 0


def _row(run: RunFolder) -> dict[str, str]:
    report = run.report()
    return {
        "run": run.run_id,
        "created": run.manifest.created,
        "status": run.status(),
        "score": score_line(report) if report else "",
        "request": run.manifest.request.words,
        "out": str(run.out),
    }


def _asked(run: RunFolder) -> list[str]:
    request = run.manifest.request
    lines = [f"  request  {' '.join(request.words.split())}", f"  started  {run.manifest.created}"]
    lines += [f"  varies   {request.based_on}"] if request.based_on else []
    lines += [f"  data     {', '.join(request.data)}"] if request.data else []
    return [*lines, f"  out      {run.out}"]


def _course(run: RunFolder) -> list[str]:
    """Stages with their seconds (of parallel ones the sum), trials and the best score, from the events kept."""
    view = View(run.run_id, started=0.0)
    seconds: dict[str, float] = {}
    for event in run.events():
        view.take(event)
        if event.kind == "stage_finished":
            seconds[event.stage] = seconds.get(event.stage, 0.0) + event.seconds
    lines = [
        f"  {stage.title:<32} {seconds.get(name, 0.0):>8.1f} s" + ("" if name in seconds else "  not finished")
        for name, stage in view.stages.items()
    ]
    if view.trials:
        lines.append(f"  {view.counted()}" + (f"; best {view.best}" if view.best else ""))
    lines += [f"  model   {view.asked()}"] if view.called else []
    lines += [f"  code    {view.judged()}"] if view.code else []
    return lines
