"""Which secrets a world holds, and whether a text shows one of them."""

from __future__ import annotations

import base64
import re

import httpx2
import yaml

from nautes_sandbox import openbao
from nautes_sandbox.actions import Actions

# What a secret looks like, wherever it comes from.
SHAPES = {
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "GitLab token": re.compile(r"glpat-[A-Za-z0-9_-]{10,}"),
    "webhook signing token": re.compile(r"whsec_[A-Za-z0-9+/=]{10,}"),
    "Vault token": re.compile(r"\b(hvs|hvb|s)\.[A-Za-z0-9_-]{20,}"),
    "service account token": re.compile(r"eyJhbGciOi[A-Za-z0-9_-]{10,}\."),
    "kubeconfig": re.compile(r"current-context|certificate-authority-data"),
}
PUBLIC = ("expires_at",)  # kept beside a secret, and no secret
SHORT = 8  # characters below which a value is no secret worth looking for


def of(actions: Actions) -> dict[str, str]:
    """Name -> value of everything secret: tokens of people and of the platform, kubeconfigs, all that Vault keeps."""
    world = actions.world
    found = {f"token of {name}": each.token for name, each in actions.people.items()}
    found |= {f"file {each.name}": each.read_text().strip() for each in (world.directory / "secrets").iterdir()}
    for name, cluster in world.clusters.items():
        found[f"token in the kubeconfig of {name}"] = yaml.safe_load(cluster.kubeconfig.read_text())["users"][0][
            "user"
        ]["token"]
    logins = openbao.credentials(world.directory / "openbao")
    for login in (logins.platform, logins.api):
        found[f"secret id of {login.role_id}"] = login.secret_id_file.read_text().strip()
    for path, values in in_vault(actions).items():
        found |= {f"{path} {key}": value for key, value in values.items() if key not in PUBLIC}
    return {name: value for name, value in found.items() if len(value) >= SHORT}


def within(text: str, known: dict[str, str]) -> list[str]:
    """Names of the secrets and shapes of secrets that the text shows, also in base64."""
    found = [name for name, shape in SHAPES.items() if shape.search(text)]
    for name, value in known.items():
        encoded = base64.b64encode(value.encode()).decode().rstrip("=")[:60]
        if value in text or encoded in text:
            found.append(name)
    return found


def in_vault(actions: Actions) -> dict[str, dict[str, str]]:
    """Everything in the tenant's engines: path -> values."""
    client = vault(actions)
    found: dict[str, dict[str, str]] = {}
    for engine in ("git", "cluster", "tenant", "pki"):
        for path in _walk(client, engine, ""):
            data = client.get(f"/v1/{engine}/data/{path}").json()
            values = (data.get("data") or {}).get("data") or {}
            found[f"{engine}/{path}"] = {key: str(value) for key, value in values.items()}
    return found


def left_in_vault(actions: Actions) -> list[str]:
    """Paths of repositories' secrets: once the product is gone there are none but the tenant repository's own."""
    management = actions.gitlab("/projects/nautes%2Fmanagement")["id"]
    return [path for path in in_vault(actions) if path.startswith("git/") and f"/repo-{management}/" not in path]


def vault(actions: Actions) -> httpx2.Client:
    """Logged in as the platform."""
    login = openbao.credentials(actions.world.directory / "openbao").platform
    body = {"role_id": login.role_id, "secret_id": login.secret_id_file.read_text().strip()}
    answer = httpx2.post(f"{actions.world.vault_url}/v1/auth/approle/login", json=body)
    token = answer.json()["auth"]["client_token"]
    return httpx2.Client(base_url=actions.world.vault_url, headers={"X-Vault-Token": token}, timeout=10)


def _walk(client: httpx2.Client, engine: str, path: str) -> list[str]:
    answer = client.request("LIST", f"/v1/{engine}/metadata/{path}")
    if answer.status_code != 200:
        return []
    found: list[str] = []
    for key in answer.json()["data"]["keys"]:
        found += _walk(client, engine, f"{path}{key}") if key.endswith("/") else [f"{path}{key}"]
    return found
