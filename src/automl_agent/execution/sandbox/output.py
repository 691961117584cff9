"""What a program said: its beginning and its end, however much there was."""

from __future__ import annotations

EDGE_BYTES = 4_000
"""Kept of the beginning, and as much of the end: the cause of an error stands at one of them."""


class Output:
    """Takes the chunks of a stream and forgets the middle."""

    def __init__(self) -> None:
        self.total = 0
        self._head = b""
        self._tail = b""

    def add(self, chunk: bytes) -> None:
        self.total += len(chunk)
        room = EDGE_BYTES - len(self._head)
        self._head += chunk[:room]
        self._tail = (self._tail + chunk[room:])[-EDGE_BYTES:]

    def text(self) -> str:
        left_out = self.total - len(self._head) - len(self._tail)
        middle = f"\n... {left_out:,} bytes left out ...\n".encode() if left_out else b""
        return (self._head + middle + self._tail).decode(errors="replace")
