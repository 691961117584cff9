"""Takes memory without end."""

held = []
while True:
    held.append(bytearray(20_000_000))
