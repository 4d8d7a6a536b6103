"""A network that adds a delay to each request: what a server far away feels like. Used by measurements in bench/."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import yaml


@contextmanager
def slow(kubeconfig: Path, delay: float) -> Iterator[Path]:
    """A kubeconfig for the same cluster behind `delay` seconds."""
    config = yaml.safe_load(kubeconfig.read_text())
    entry = config["clusters"][0]["cluster"]
    with away(entry["server"], delay) as server:
        entry["server"] = server
        path = kubeconfig.with_name("kubeconfig-slow")
        path.write_text(yaml.safe_dump(config))
        path.chmod(0o600)
        yield path


@contextmanager
def away(url: str, delay: float) -> Iterator[str]:
    """An address for the same server behind `delay` seconds; bytes are passed on as they are, TLS and all."""
    target = urlsplit(url)
    loop, open_ones = asyncio.new_event_loop(), set[asyncio.StreamWriter]()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(
        _serve(str(target.hostname), int(target.port or 443), delay, open_ones), loop
    ).result()
    try:
        yield f"{target.scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server, open_ones), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _serve(host: str, port: int, delay: float, open_ones: set[asyncio.StreamWriter]) -> asyncio.Server:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, port)
        open_ones.update((writer, back))
        await asyncio.gather(_pass(reader, back, delay), _pass(there, writer, 0))
        open_ones.difference_update((writer, back))

    return await asyncio.start_server(connected, "127.0.0.1", 0)


async def _stop(server: asyncio.Server, open_ones: Iterable[asyncio.StreamWriter]) -> None:
    """Connections that are kept alive end as well."""
    server.close()
    for each in open_ones:
        each.close()
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            if delay:
                await asyncio.sleep(delay)
            writer.write(data)
            await writer.drain()
    with suppress(OSError):
        writer.close()
