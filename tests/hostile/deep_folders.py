"""Folders in folders: deeper than whoever clears up may call itself, and than a path may be long."""

import os
from pathlib import Path

for _ in range(3000):
    Path("d").mkdir()
    os.chdir("d")
print("deep")
