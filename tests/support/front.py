"""One address before two servers, as nginx is in docker-compose.yml: sockets and the health page to one, all else to the other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

LIVE = (b"/ws/", b"/healthz")


class Front:
    """A connection goes where its first request leads; browsers open one of its own for every socket."""

    def __init__(self, api: int, live: int) -> None:
        self.api, self.live, self.port = api, live, 0

    async def serve(self, ready: threading.Event, ended: asyncio.Event) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await ended.wait()
        server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            line = await reader.readuntil(b"\r\n")
            path = line.split(b" ")[1] if line.count(b" ") == 2 else b""
            there, back = await asyncio.open_connection("127.0.0.1", self.live if path.startswith(LIVE) else self.api)
            back.write(line)
            await asyncio.gather(_pour(reader, back), _pour(there, writer))
        writer.close()


async def _pour(source: asyncio.StreamReader, into: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65_536):
            into.write(data)
            await into.drain()
    into.close()


@contextmanager
def front(api: int, live: int) -> Iterator[int]:
    """The port of a front before servers on the ports `api` and `live`."""
    ready, loops = threading.Event(), []
    it = Front(api, live)

    async def main() -> None:
        ended = asyncio.Event()
        loops.append((asyncio.get_running_loop(), ended))
        await it.serve(ready, ended)

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    if not ready.wait(10):
        raise AssertionError("the front does not listen")
    try:
        yield it.port
    finally:
        loop, ended = loops[0]
        loop.call_soon_threadsafe(ended.set)
        thread.join(5)
