"""Takes little memory in each of many processes."""

import os
import time

for _ in range(8):
    if os.fork() == 0:
        held = bytearray(os.urandom(1)) * 60_000_000
        time.sleep(60)
time.sleep(60)
