"""Prints without end."""

while True:
    print("the same words again and again " * 1000)
