"""Makes small files without end."""

from itertools import count
from pathlib import Path

for number in count():
    Path(f"{number}.txt").write_text("x")
