"""The command line without any server: what it sends is caught by an HTTP server of this process."""

from __future__ import annotations

import pytest

from cli import client


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """No server, no token, an empty directory, and no patience."""
    for name in ("API_SERVER", "GIT_TOKEN", "NAUTES_TOKEN_FILE", "PRODUCT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(str(tmp_path))
    monkeypatch.setattr(client, "PATIENCE", 0.0)
