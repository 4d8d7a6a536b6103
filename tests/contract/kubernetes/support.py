"""A cluster as the contract's tests speak to it: plain HTTP, kubectl, and small objects to put there."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import yaml

Object = dict[str, Any]
APPLY, MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
STRATEGIC, JSON_PATCH = "application/strategic-merge-patch+json", "application/json-patch+json"


class Api:
    """Requests as the bearer of a token; the administrator's unless another is given ("" is none)."""

    def __init__(self, kubeconfig: Path, token: str | None = None) -> None:
        self.kubeconfig = kubeconfig
        config = yaml.safe_load(kubeconfig.read_text())
        self.server = str(config["clusters"][0]["cluster"]["server"])
        bearer = config["users"][0]["user"]["token"] if token is None else token
        headers = {"User-Agent": "contract/1"} | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
        context = ssl.create_default_context(cafile=str(kubeconfig.with_name("ca.crt")))
        self._http = httpx2.Client(base_url=self.server, headers=headers, verify=context, timeout=30)

    def call(self, method: str, path: str, body: Any = None, sort: str = "application/json", **query: Any) -> Any:
        """One request, whatever comes back. `sort` is the content type."""
        return self.send(method, path, None if body is None else json.dumps(body), sort, **query)

    def send(self, method: str, path: str, content: str | None, sort: str, **query: Any) -> Any:
        """One request with a body that is text."""
        headers = {"Content-Type": sort} if content else {}
        return self._http.request(method, path, content=content, headers=headers, params=query)

    def get(self, path: str, **query: Any) -> Object:
        return _good(self.call("GET", path, **query))

    def create(self, path: str, item: Object, **query: Any) -> Object:
        return _good(self.call("POST", path, item, **query))

    def replace(self, path: str, item: Object, **query: Any) -> Object:
        return _good(self.call("PUT", path, item, **query))

    def patch(self, path: str, patch: Any, sort: str = MERGE, **query: Any) -> Object:
        return _good(self.call("PATCH", path, patch, sort, **query))

    def delete(self, path: str, body: Object | None = None, **query: Any) -> Object:
        return _good(self.call("DELETE", path, body, **query))

    def apply(self, path: str, item: Object, manager: str = "one", *, force: bool = False, **query: Any) -> Object:
        return _good(self.applying(path, item, manager, force=force, **query))

    def applying(self, path: str, item: Object, manager: str = "one", *, force: bool = False, **query: Any) -> Any:
        """Apply, whatever comes back."""
        query = {"fieldManager": manager, **({"force": "true"} if force else {}), **query}
        return self.call("PATCH", path, item, APPLY, **query)

    @contextmanager
    def watch(self, path: str, seconds: int = 20, **query: Any) -> Iterator[Iterator[Object]]:
        """Events as they come, for so many seconds at most."""
        query = {"watch": "1", "timeoutSeconds": seconds, **query}
        with self._http.stream("GET", path, params=query, timeout=seconds + 10) as answer:
            assert answer.status_code == 200, answer.read()
            yield (json.loads(line) for line in answer.iter_lines() if line)

    def kubectl(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """kubectl as the administrator; `text` is its standard input."""
        command = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or "kubectl"
        return subprocess.run(
            [command, "--kubeconfig", str(self.kubeconfig), *arguments],
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@dataclass
class Space:
    """A namespace of a test's own."""

    api: Api
    name: str

    def path(self, plural: str, name: str = "", group: str = "") -> str:
        """Path of a collection or an object in it. `group` is with its version."""
        base = f"/apis/{group}" if group else "/api/v1"
        return f"{base}/namespaces/{self.name}/{plural}" + (f"/{name}" if name else "")

    def maps(self, name: str = "") -> str:
        """Path of ConfigMaps."""
        return self.path("configmaps", name)


def new_space(api: Api) -> Space:
    name = f"t-{uuid.uuid4().hex[:10]}"
    api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return Space(api, name)


def _good(answer: Any) -> Object:
    assert answer.status_code < 300, answer.text
    return dict(answer.json())


def refused(answer: Any) -> tuple[int, str]:
    """(code, reason) of a Status that tells a failure."""
    status = answer.json()
    assert (status["kind"], status["apiVersion"], status["status"]) == ("Status", "v1", "Failure")
    assert status["code"] == answer.status_code
    return status["code"], status["reason"]


def gone(api: Api, path: str) -> bool:
    """Whether there is nothing at a path."""
    return bool(api.call("GET", path).status_code == 404)


def config(name: str, data: dict[str, str] | None = None, **meta: Any) -> Object:
    """A ConfigMap."""
    data = {"k": "1"} if data is None else data
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **meta}, "data": data}


def owner_of(item: Object, **more: Any) -> Object:
    """An owner reference to an object."""
    meta = item["metadata"]
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], "name": meta["name"], "uid": meta["uid"], **more}


def deployment(name: str = "web", image: str = "web:1") -> Object:
    """A Deployment with one container."""
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "web", "image": image}]}}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def fields_of(item: Object, manager: str) -> Object:
    """What a manager owns of an object."""
    found = [each for each in item["metadata"].get("managedFields") or [] if each["manager"] == manager]
    return dict(found[0]["fieldsV1"]) if found else {}
