"""Ignores every signal that can be ignored, and sleeps."""

import signal
import time

for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
print("asleep", flush=True)
time.sleep(60)
