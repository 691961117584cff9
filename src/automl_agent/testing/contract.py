"""What all contract checks share."""

from __future__ import annotations


def must(holds: bool, contract: str) -> None:
    if not holds:
        raise AssertionError(f"Broken: {contract}.")
