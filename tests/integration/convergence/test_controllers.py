"""What clients rely on of a controller manager, at an API server that has none: namespaces end, accounts get their tokens."""

from __future__ import annotations

import base64
import uuid
from typing import Any

import pytest

from nautes.clients.kubernetes import Cluster, Kind
from nautes.messages.errors import NotFound
from nautes_sandbox.controllers import ACCOUNT, NAMESPACE, OF_ACCOUNT, SECRET, TOKEN_TYPE
from tests.waiting import until

CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps", namespaced=True)
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    name = f"controlled-{uuid.uuid4().hex[:8]}"
    cluster.create(NAMESPACE.path(), {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name


def _made(cluster: Cluster, kind: Kind, namespace: str, name: str, **more: Any) -> None:
    meta = {"name": name, **more.pop("metadata", {})}
    cluster.create(kind.path(namespace), {"apiVersion": "v1", "kind": kind.kind, "metadata": meta, **more})


def _gone(cluster: Cluster, namespace: str) -> bool:
    try:
        cluster.get(NAMESPACE, "", namespace)
    except NotFound:
        return True
    return False


def test_a_namespace_ends_with_all_that_is_in_it(cluster: Cluster, namespace: str) -> None:
    for name in ("a", "b"):
        _made(cluster, CONFIG_MAP, namespace, name)
    cluster.delete(NAMESPACE, "", namespace)
    until(lambda: _gone(cluster, namespace), "the namespace is gone")


def test_a_namespace_waits_for_what_somebody_holds_back(cluster: Cluster, namespace: str) -> None:
    _made(cluster, CONFIG_MAP, namespace, "held", metadata={"finalizers": ["example.com/held"]})
    _made(cluster, CONFIG_MAP, namespace, "free")
    cluster.delete(NAMESPACE, "", namespace)

    def only_held() -> bool:
        return [
            each["metadata"]["name"]
            for each in cluster.list(CONFIG_MAP, namespace=namespace).items
            if each["metadata"]["name"] in ("held", "free")
        ] == ["held"]

    until(only_held, "the rest is gone")
    assert not _gone(cluster, namespace)
    body = {"metadata": {"finalizers": []}}
    path = CONFIG_MAP.path(namespace, "held")
    cluster.call("PATCH", path, body=body, content_type="application/merge-patch+json")
    until(lambda: _gone(cluster, namespace), "the namespace is gone")


def _token_secret(cluster: Cluster, namespace: str) -> None:
    meta = {"annotations": {OF_ACCOUNT: "robot"}}
    _made(cluster, SECRET, namespace, "robot-token", type=TOKEN_TYPE, metadata=meta)


def test_a_token_secret_gets_a_token_that_is_the_accounts(cluster: Cluster, namespace: str) -> None:
    _made(cluster, ACCOUNT, namespace, "robot")
    _token_secret(cluster, namespace)

    def data() -> dict[str, str]:
        return cluster.get(SECRET, namespace, "robot-token").get("data") or {}

    until(lambda: "token" in data(), "the token is there")
    assert base64.b64decode(data()["namespace"]).decode() == namespace
    assert b"BEGIN CERTIFICATE" in base64.b64decode(data()["ca.crt"])
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
    token = base64.b64decode(data()["token"]).decode()
    status = cluster.create(REVIEWS, {**review, "spec": {"token": token}})["status"]
    assert status["authenticated"]
    assert status["user"]["username"] == f"system:serviceaccount:{namespace}:robot"


def test_a_token_secret_of_nobody_goes(cluster: Cluster, namespace: str) -> None:
    _token_secret(cluster, namespace)
    until(lambda: not cluster.list(SECRET, namespace=namespace, selector="").items, "the Secret is gone")
