"""Settings come from the environment, secrets from files it names: in no process list, in no representation."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from nautes.clients.settings import Settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine has set is not looked at."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"NAUTES_{name.upper()}", raising=False)


def test_defaults_are_safe_and_on_this_machine() -> None:
    settings = Settings()
    addresses = (settings.gitlab_url, settings.vault_addr, settings.api_host)
    assert all("127.0.0.1" in each for each in addresses)
    assert settings.allow_loopback is False


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAUTES_GITLAB_URL", "https://gitlab.example.com")
    monkeypatch.setenv("NAUTES_API_PORT", "9000")
    monkeypatch.setenv("NAUTES_ALLOW_LOOPBACK", "true")
    monkeypatch.setenv("NAUTES_SWEEP_SECONDS", "2.5")
    monkeypatch.setenv("NAUTES_STATE_DIR", "cache")
    monkeypatch.setenv("NAUTES_SOMETHING_NEWER", "ignored")
    monkeypatch.setenv("GITLAB_URL", "https://elsewhere.example.com")
    settings = Settings()
    assert settings.gitlab_url == "https://gitlab.example.com"
    assert (settings.api_port, settings.allow_loopback, settings.sweep_seconds) == (9000, True, 2.5)
    assert settings.state_dir == Path("cache")


@pytest.mark.parametrize(
    ("name", "value"), [("API_PORT", "many"), ("ALLOW_LOOPBACK", "perhaps"), ("BODY_LIMIT", "1 MB")]
)
def test_a_wrong_value_stops_the_start_and_names_the_setting(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"NAUTES_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_settings_do_not_change_while_running() -> None:
    with pytest.raises(ValidationError):
        Settings().tenant = "other"  # type: ignore[misc]


@pytest.mark.parametrize("secret", ["gitlab_token", "vault_secret_id"])
def test_a_secret_is_read_from_the_file_the_environment_names(
    secret: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text("hunter2\n")
    monkeypatch.setenv(f"NAUTES_{secret.upper()}_FILE", str(file))
    settings = Settings()
    assert getattr(settings, secret) == "hunter2"
    assert "hunter2" not in repr(settings) + str(settings) + settings.model_dump_json()


@pytest.mark.parametrize("secret", ["gitlab_token", "vault_secret_id"])
def test_a_secret_is_never_taken_from_the_environment_itself(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"NAUTES_{secret.upper()}", "hunter2")
    with pytest.raises(ValueError, match=f"NAUTES_{secret.upper()}_FILE is not set"):
        getattr(Settings(), secret)


def test_a_secret_whose_file_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NAUTES_GITLAB_TOKEN_FILE", str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError):
        _ = Settings().gitlab_token
