"""Addresses of the outside systems and our accounts there: read once from the environment, by the worker and the API.

Every secret comes from a file named by a setting, never from the environment itself, so that it shows in no process list.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """`NAUTES_*` settings. URLs carry no credentials; times are seconds.

    The connection to Temporal has Temporal's own: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE... (nautes/clients/temporal.py).
    """

    model_config = SettingsConfigDict(env_prefix="NAUTES_", extra="ignore", frozen=True)

    tenant: str = "nautes"
    temporal_ui_url: str = ""  # for links, and the one origin that may call the codec endpoint from a browser
    codec_keys_file: Path | None = None  # keys of the payload codec: a file of `<id>: <base64>` lines, or a directory
    codec_current: str = ""  # of them, the one that encrypts; needed when there are several
    codec_transit: str = ""  # "<mount>/<name>" of a key of Vault's transit engine that wraps data keys instead
    codec_data_key_seconds: float = 86_400.0  # after which a process asks for a new data key
    deployment: str = "nautes"  # name of the Worker Deployment that all builds of this installation belong to
    commit: str = "development"  # that the image was made of; the image sets it
    build_id: str = ""  # of the workers; "" is version and commit
    gitlab_url: str = "http://127.0.0.1:8080"
    gitlab_token_file: Path | None = None
    gitlab_share: float = (
        0.9  # of GitLab's rate limits that one worker may use; 0 counts nothing, as where they are off
    )
    vault_addr: str = "http://127.0.0.1:8200"
    vault_role_id: str = ""
    vault_secret_id_file: Path | None = None
    api_url: str = "http://127.0.0.1:8000"  # public base address of the API: webhooks point there
    api_host: str = "127.0.0.1"
    api_port: int = 8000
    metrics_host: str = (
        "127.0.0.1"  # where worker and API serve /metrics, each on its own port; the worker its health too
    )
    worker_metrics_port: int = 9464
    api_metrics_port: int = 9465
    log_format: Literal["text", "json"] = "text"
    state_dir: Path = Path(".nautes")  # cache of repositories; may be lost
    allow_loopback: bool = False  # clusters on loopback and plain http: the sandbox sets it
    sweep_seconds: float = 30.0  # between two sweeps for pushes that no webhook reported
    resync_seconds: float = Field(
        default=600.0, gt=0, le=3000
    )  # until an observer lists its cluster anew; below an hour
    credential_seconds: float = 86_400.0  # between two sweeps for keys and tokens that expire
    credential_days: int = 180  # that deploy keys and access tokens are valid; GitLab allows tokens a year at most
    renew_before_days: int = 30  # before they expire, in days, they are renewed
    deletions_free: int = 3  # deletions in one change that need no confirmation
    deletions_share: float = 0.5  # of a product's resources: more deletions need a confirmation
    deletions_number: int = 20  # more deletions than this need a confirmation
    heartbeat_seconds: float = 10.0  # silence after which an activity's worker counts as dead
    retry_maximum_seconds: float = 30.0  # longest back-off while an outside system cannot be reached
    body_limit: int = 1 << 20  # bytes of a request
    request_seconds: float = 10.0  # one HTTP call to an outside system

    @cached_property
    def gitlab_token(self) -> str:
        """The platform's own GitLab token."""
        return _read(self.gitlab_token_file, "NAUTES_GITLAB_TOKEN_FILE")

    @cached_property
    def vault_secret_id(self) -> str:
        """Secret id of our AppRole."""
        return _read(self.vault_secret_id_file, "NAUTES_VAULT_SECRET_ID_FILE")


def _read(path: Path | None, setting: str) -> str:
    if path is None:
        raise ValueError(f"{setting} is not set")
    return path.read_text().strip()
