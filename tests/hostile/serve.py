"""A server that answers what it could do besides serving. Arguments: its port, a port of the host."""

import asyncio
import errno
import json
import socket
import sys

PORT, HOST_PORT = map(int, sys.argv[1:])


def attempt(call):
    try:
        call()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"


def bind_another():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))


async def answer(reader, writer):
    tried = {
        "connect": attempt(lambda: socket.create_connection(("127.0.0.1", HOST_PORT), 2)),
        "connect by sending": attempt(lambda: socket.socket().sendto(b"x", 0x20000000, ("127.0.0.1", HOST_PORT))),
        "bind another": attempt(bind_another),
        "udp": attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
        "ipv6": attempt(lambda: socket.socket(socket.AF_INET6)),
        "multipath": attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)),
    }
    await reader.readline()
    writer.write(json.dumps(tried).encode())
    await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", PORT)
    await server.serve_forever()


asyncio.run(main())
