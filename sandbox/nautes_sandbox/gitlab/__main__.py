"""`python -m nautes_sandbox.gitlab serve`: the GitLab stand-in as a process of its own."""

from __future__ import annotations

import argparse
from pathlib import Path

import uvicorn

from nautes_sandbox.gitlab.application import Application
from nautes_sandbox.gitlab.instance import Instance


def main() -> None:
    """Serve until TERM."""
    parser = argparse.ArgumentParser(prog="python -m nautes_sandbox.gitlab")
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--external-url", required=True)
    parser.add_argument("--root-token-file", type=Path, required=True)
    parser.add_argument("--platform-token-file", type=Path, required=True)
    given = parser.parse_args()
    instance = Instance(given.data, given.external_url)
    instance.seed(given.root_token_file.read_text().strip(), given.platform_token_file.read_text().strip())
    application = Application(instance)
    uvicorn.run(
        application, host=given.host, port=given.port, log_level="warning", access_log=False, timeout_keep_alive=60
    )


if __name__ == "__main__":
    main()
