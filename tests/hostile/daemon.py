"""Leaves a process behind that belongs to no group, session or parent of ours."""

import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in (0, 1, 2):
            os.close(number)
        time.sleep(60)
    os._exit(0)
os.wait()
