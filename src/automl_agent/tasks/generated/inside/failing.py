"""What went wrong in the sandbox, in words that the author of the code can act on."""

from __future__ import annotations

import json
import linecache
import re
import traceback
from collections.abc import Callable
from pathlib import Path

MODULE = re.compile(r"(features|model|program)_[0-9a-f]{8}\.py")
"""Names of generated modules."""
LINES = 6
"""Places in the generated code that are named at most, the innermost ones."""


def reported(main: Callable[[], None]) -> int:
    """Run a program; what it raises is written to `error.json`. Returns the exit status."""
    try:
        main()
    except Exception as error:
        Path("error.json").write_text(json.dumps(described(error)), encoding="utf-8")
        return 1
    return 0


def described(error: BaseException) -> dict[str, str]:
    """`error`: one line. `trace`: that, after the places in the generated code. No path of the machine is told."""
    line = f"{type(error).__name__}: {error}".strip()
    own = Path(__file__).resolve().parent
    places = []
    for frame, number in traceback.walk_tb(error.__traceback__):
        file = Path(frame.f_code.co_filename)
        if file.parent == own and MODULE.fullmatch(file.name):
            source = linecache.getline(str(file), number).strip()
            places.append(f"  line {number}, in {frame.f_code.co_name}: {source}")
    return {"error": line, "trace": "\n".join([*places[-LINES:], line])}
