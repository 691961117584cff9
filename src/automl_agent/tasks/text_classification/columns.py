"""Which columns are texts: those that the user named, or those that look like it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from automl_agent.errors import InputError
from automl_agent.records import Scalar
from automl_agent.tasks.words.text import nearest


def named_texts(options: Mapping[str, Scalar], names: Collection[str], source: str) -> tuple[str, ...]:
    """The columns of the option `text` (one name, or several with commas between); empty where it is not given.

    Raises:
        InputError: there is no such column.
    """
    given = options.get("text")
    if given is None or given == "":
        return ()
    if str(given) in names:  # a name may hold a comma
        return (str(given),)
    found = tuple(part.strip() for part in str(given).split(",") if part.strip())
    for name in found:
        if name not in names:
            near = nearest(name, list(names), 5) or sorted(names)[:5]
            raise InputError(
                f"There is no column {name!r} in {source!r} (option text).", hint=f"Nearest: {', '.join(near)}."
            )
    return tuple(dict.fromkeys(found))
