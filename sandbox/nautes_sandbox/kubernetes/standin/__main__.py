"""`python -m nautes_sandbox.kubernetes.standin`: the stand-in API server as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import logging
import socket
from pathlib import Path
from types import FrameType

import uvicorn

from nautes_sandbox.kubernetes.standin.server import Server

TIMEOUT = 0.1  # seconds that clients have to close their connections when we end


class _Listener(uvicorn.Server):
    """Ends watches and idle connections by itself: uvicorn would wait for its clients to do so."""

    def __init__(self, config: uvicorn.Config, server: Server) -> None:
        super().__init__(config)
        self._server = server

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._server.stop()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().call_later(TIMEOUT, self._abort)
        await super().shutdown(sockets)

    def _abort(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def main() -> None:
    """Serve until TERM."""
    parser = argparse.ArgumentParser(prog="python -m nautes_sandbox.kubernetes.standin")
    parser.add_argument("--directory", type=Path, required=True, help="certificates and keys; state is kept below it")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--issuer", required=True, help="of service account tokens")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    server = Server(given.directory, given.issuer)
    logging.warning(
        "this is a stand-in for a Kubernetes API server: RBAC, quotas and admission webhooks are not played"
    )
    config = uvicorn.Config(
        server,
        host="127.0.0.1",
        port=given.port,
        ssl_certfile=str(given.directory / "serving.crt"),
        ssl_keyfile=str(given.directory / "serving.key"),
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        timeout_keep_alive=120,
        timeout_graceful_shutdown=2,
    )
    _Listener(config, server).run()


if __name__ == "__main__":
    main()
