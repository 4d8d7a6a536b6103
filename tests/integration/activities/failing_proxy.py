"""A proxy before OpenBao that cuts the k-th call, before or after it took effect. Used by support.py.

The fault suite's proxy knows calls by what they are; here they are only counted.
"""

from __future__ import annotations

import http.client
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}


class FailingProxy:
    """Listens on loopback until `stop`; every call is passed on unless `arm` chose it."""

    def __init__(self, upstream: str) -> None:
        self._upstream = urlsplit(upstream).netloc
        self._lock = threading.Lock()
        self._call, self._after, self._seen = 0, False, 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def arm(self, call: int, *, after: bool) -> None:
        """From now on count calls; number `call` is cut (0: none)."""
        with self._lock:
            self._call, self._after, self._seen = call, after, 0

    def disarm(self) -> int:
        """Cut nothing any more; how many calls there were."""
        with self._lock:
            self._call = 0
            return self._seen

    def _fault(self) -> str:
        with self._lock:
            self._seen += 1
            return ("after" if self._after else "before") if self._seen == self._call else ""

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are two writes: the second must not wait for an answer

            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                fault = proxy._fault()
                answer = proxy._forward(self.command, self.path, self.headers, body) if fault != "before" else None
                if fault or answer is None:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                status, headers, content = answer
                self.send_response_only(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_DELETE = do_LIST = _pass

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing."""

        return Handler

    def _forward(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self._upstream, timeout=30)
        try:
            kept = {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP}
            connection.request(method, path, body, kept)
            answer = connection.getresponse()
            shown = [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP]
            return answer.status, shown, answer.read()
        finally:
            connection.close()
