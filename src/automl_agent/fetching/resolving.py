"""Links and names in a request become paths, right before the data are first looked at: families see paths only."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from automl_agent.errors import InputError
from automl_agent.fetching.addresses import holds_secret, shown
from automl_agent.fetching.cache import Origin, local, origin_of
from automl_agent.fetching.registry import source_of
from automl_agent.fetching.web import Web
from automl_agent.records import DatasetSpec, Inference, Request, TaskSpec


def localised(request: Request, home: Path, *, max_mb: float, seconds: float, say: Callable[[str], None]) -> Request:
    """The request with a local path in the place of each link and name; the same request when there is none.

    Args:
        home: the home folder, which keeps what is fetched.
        max_mb: megabytes that may be loaded in all; 0 switches the network off.
        seconds: time that everything together may take.
        say: shows progress, and what was fetched.

    Raises:
        InputError: something could not be fetched: one line that says what, why, and what would help.
    """
    given = [*request.data, *([request.test_data] if request.test_data else [])]
    if not any(source_of(place) for place in given):
        return request
    if max_mb <= 0:
        first = next(place for place in given if source_of(place))
        raise InputError(
            f"{shown(first) if '://' in first else first} is not a path, and fetching is switched off.",
            hint="Download the file and give its path, or allow it: --max-download MB.",
        )
    web = Web(time.monotonic() + seconds, int(max_mb * 1e6), say)
    for place in dict.fromkeys(given):
        if "://" in place and holds_secret(place):
            say(
                f"The link {shown(place)} holds a password or a key. It is kept, with the request, in {home}: write "
                "${AUTOML_LINK_NAME} in its place and set that variable, and it is kept nowhere."
            )
    paths = {place: _path(place, home, web) for place in dict.fromkeys(given)}
    test = paths[request.test_data] if request.test_data else None
    return request.model_copy(update={"data": tuple(paths[place] for place in request.data), "test_data": test})


def _path(given: str, home: Path, web: Web) -> str:
    found = source_of(given)
    return str(local(home, *found, given.strip(), web)[0]) if found else given


def suggested_target(request: Request, home: Path) -> tuple[str, str] | None:
    """The column that the source of the data says is to be predicted, and who says so."""
    found = [origin for origin in (origin_of(home, place) for place in request.data) if origin and origin.target]
    if len(found) != 1 or found[0].target is None:
        return None
    return found[0].target, found[0].title or found[0].given


def told_target(task: TaskSpec, target: str, title: str) -> TaskSpec:
    """The task with the true reason for its target: the source named it, not the caller."""
    reason = f"The words name no column; '{target}' is the target that comes with {title}."
    inferences = tuple(
        Inference(field="target", value=each.value, reason=reason, sure=False) if each.field == "target" else each
        for each in task.inferences
    )
    return task.model_copy(update={"inferences": inferences})


def described(task: TaskSpec, home: Path) -> TaskSpec:
    """The task with data sets called what the user called them."""
    return task.model_copy(update={"dataset": tuple(_described(each, home) for each in task.dataset)})


def _described(dataset: DatasetSpec, home: Path) -> DatasetSpec:
    origin: Origin | None = origin_of(home, dataset.location)
    if origin is None:
        return dataset
    source = "link" if "://" in origin.given else "named"
    update = {"name": origin.title or origin.given, "source": source, "location": origin.given}
    return dataset.model_copy(update=update)
