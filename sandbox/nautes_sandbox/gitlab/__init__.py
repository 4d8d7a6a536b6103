"""A stand-in for GitLab: the part of the v4 REST API that the platform uses, real repositories over HTTP, real webhooks.

No GitLab-compatible server exists as a package. It refuses what it does not implement (501). Production
code does not depend on it: only the address and the token differ.
"""

from __future__ import annotations

import sys
from pathlib import Path

import httpx2

from nautes_sandbox.process import Service


def service(*, data: Path, port: int, root_token_file: Path, platform_token_file: Path) -> Service:
    """The stand-in as a process; data and repositories in `data`."""
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "nautes_sandbox.gitlab", "serve", "--data", str(data), "--port", str(port)]
    command += ["--external-url", url, "--root-token-file", str(root_token_file)]
    command += ["--platform-token-file", str(platform_token_file)]

    def ready() -> bool:
        try:
            return httpx2.get(f"{url}/api/v4/version", timeout=2).status_code == 401
        except httpx2.HTTPError:
            return False

    return Service("gitlab", command, ports=(port,), ready=ready)
