"""Fills the disk by files that have no name, which a walk through the folder does not see."""

import tempfile

held = []
while True:
    file = tempfile.TemporaryFile(dir=".")  # noqa: SIM115
    file.write(bytes(5_000_000))
    file.flush()
    held.append(file)
