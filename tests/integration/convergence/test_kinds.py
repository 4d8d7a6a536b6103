"""Every usual kind: applied, then looked at by an engine that remembers nothing; the second look must write nothing."""

from __future__ import annotations

from typing import Any

import pytest

from activities.kubernetes import Converger
from nautes.clients.kubernetes import Clusters
from nautes.messages.convergence import ConvergeInput
from tests.integration.convergence.support import REF, Runtime

POD: dict[str, Any] = {
    "serviceAccountName": "web",
    "containers": [
        {
            "name": "web",
            "image": "web:1",
            "command": ["serve"],
            "args": ["--port", "80"],
            "ports": [{"containerPort": 80}, {"name": "dns", "containerPort": 53, "protocol": "UDP"}],
            "env": [
                {"name": "EMPTY", "value": ""},
                {"name": "A", "value": "1"},
                {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "0.001"}}},
            ],
            "envFrom": [{"configMapRef": {"name": "settings"}}],
            "resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}, "requests": {"cpu": "0.1", "memory": "128Mi"}},
            "livenessProbe": {"httpGet": {"path": "/", "port": 80}},
            "readinessProbe": {"tcpSocket": {"port": "dns"}, "periodSeconds": 5},
            "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": False}],
            "securityContext": {"capabilities": {"drop": ["ALL"]}},
        }
    ],
    "initContainers": [{"name": "init", "image": "web:1"}],
    "volumes": [
        {"name": "data", "emptyDir": {"sizeLimit": "1024Mi"}},
        {"name": "conf", "configMap": {"name": "settings", "items": [{"key": "a", "path": "a"}]}},
        {"name": "secret", "secret": {"secretName": "s"}},
        {"name": "all", "projected": {"sources": [{"secret": {"name": "s"}}, {"serviceAccountToken": {"path": "t"}}]}},
    ],
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
    "nodeSelector": {"disk": "ssd"},
    "imagePullSecrets": [{"name": "pull"}],
    "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "host"}]}},
}
TEMPLATE = {"metadata": {"labels": {"app": "web"}, "creationTimestamp": None}, "spec": POD}
SELECTOR = {"matchLabels": {"app": "web"}}
RBAC = "rbac.authorization.k8s.io/v1"

NAMESPACED: list[tuple[str, str, dict[str, Any]]] = [
    ("v1", "ConfigMap", {"data": {"limits": "1000m", "empty": ""}, "binaryData": {"b": "AAE="}}),
    ("v1", "Secret", {"stringData": {"a": "hello"}, "data": {"b": "aGVsbG8=\n"}}),
    (
        "v1",
        "Service",
        {
            "spec": {
                "selector": {"app": "web"},
                "ports": [
                    {"name": "h", "port": 80, "targetPort": "http"},
                    {"name": "d", "port": 53, "protocol": "UDP"},
                ],
            }
        },
    ),
    (
        "v1",
        "Service",
        {"spec": {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"name": "a", "port": 80}]}},
    ),
    ("v1", "Service", {"spec": {"clusterIP": "None", "selector": {"app": "web"}, "ports": []}}),
    ("v1", "ServiceAccount", {"automountServiceAccountToken": False, "imagePullSecrets": [{"name": "pull"}]}),
    (
        "v1",
        "PersistentVolumeClaim",
        {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}}},
    ),
    ("v1", "ResourceQuota", {"spec": {"hard": {"pods": 10, "limits.cpu": "2000m"}}}),
    (
        "v1",
        "LimitRange",
        {"spec": {"limits": [{"type": "Container", "default": {"cpu": "1000m"}, "defaultRequest": {"cpu": "0.5"}}]}},
    ),
    ("v1", "Pod", {"spec": POD}),
    (
        "apps/v1",
        "Deployment",
        {
            "spec": {
                "replicas": 2,
                "selector": SELECTOR,
                "template": TEMPLATE,
                "strategy": {"rollingUpdate": {"maxSurge": "50%", "maxUnavailable": 0}},
            }
        },
    ),
    ("apps/v1", "Deployment", {"spec": {"replicas": 0, "selector": SELECTOR, "template": TEMPLATE, "paused": False}}),
    (
        "apps/v1",
        "StatefulSet",
        {
            "spec": {
                "serviceName": "web",
                "selector": SELECTOR,
                "template": TEMPLATE,
                "volumeClaimTemplates": [
                    {
                        "metadata": {"name": "v"},
                        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
                    }
                ],
            }
        },
    ),
    ("apps/v1", "DaemonSet", {"spec": {"selector": SELECTOR, "template": TEMPLATE}}),
    ("batch/v1", "Job", {"spec": {"backoffLimit": 2, "template": {"spec": {**POD, "restartPolicy": "Never"}}}}),
    (
        "networking.k8s.io/v1",
        "Ingress",
        {
            "spec": {
                "rules": [
                    {
                        "host": "a.example.com",
                        "http": {
                            "paths": [
                                {
                                    "path": "/",
                                    "pathType": "Prefix",
                                    "backend": {"service": {"name": "web", "port": {"number": 80}}},
                                }
                            ]
                        },
                    }
                ],
                "tls": [{"hosts": ["a.example.com"], "secretName": "t"}],
            }
        },
    ),
    (
        "networking.k8s.io/v1",
        "NetworkPolicy",
        {
            "spec": {
                "podSelector": {},
                "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 80}]}],
                "policyTypes": ["Ingress"],
            }
        },
    ),
    (RBAC, "Role", {"rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]}),
    (
        RBAC,
        "RoleBinding",
        {
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "web"},
            "subjects": [{"kind": "ServiceAccount", "name": "web"}],
        },
    ),
    (
        "autoscaling/v1",
        "HorizontalPodAutoscaler",
        {"spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}},
    ),
]


def cron_job(runtime: Runtime) -> tuple[str, str, dict[str, Any]]:
    """In the newest version the cluster serves."""
    version = "batch/v1" if runtime.cluster.kind("batch/v1", "CronJob") else "batch/v1beta1"
    template = {"spec": {"template": {"spec": {**POD, "restartPolicy": "OnFailure"}}}}
    return version, "CronJob", {"spec": {"schedule": "0 3 * * *", "jobTemplate": template}}


def looked_at_twice(runtime: Runtime, kubeconfig: str, item: dict[str, Any], **changes: Any) -> None:
    """Apply, then converge with a client made anew, as after a restart of the worker."""
    values: dict[str, Any] = {
        "cluster": REF,
        "owner": runtime.owner,
        "objects": [item],
        "namespaces": [runtime.namespace],
    }
    input = ConvergeInput(**(values | {"account": runtime.account} | changes))
    first = Converger(runtime.clusters).converge(input)
    assert (first.applied, first.outcomes[0].action) == (1, "applied"), first.outcomes
    again = Converger(Clusters(lambda ref: kubeconfig, allow_loopback=True)).converge(input)
    assert (again.unchanged, again.writes, again.outcomes) == (1, 0, [])


@pytest.mark.parametrize("number", range(len(NAMESPACED)), ids=lambda number: f"{NAMESPACED[number][1]}-{number}")
def test_a_second_look_writes_nothing(runtime: Runtime, kubeconfig: str, number: int) -> None:
    version, kind, rest = NAMESPACED[number]
    looked_at_twice(runtime, kubeconfig, {"apiVersion": version, "kind": kind, "metadata": {"name": "web"}, **rest})


def test_a_second_look_at_a_cron_job_writes_nothing(runtime: Runtime, kubeconfig: str) -> None:
    version, kind, rest = cron_job(runtime)
    looked_at_twice(runtime, kubeconfig, {"apiVersion": version, "kind": kind, "metadata": {"name": "web"}, **rest})


def test_a_second_look_at_cluster_scoped_kinds_writes_nothing(runtime: Runtime, kubeconfig: str) -> None:
    name = f"{runtime.namespace}-more"
    platform: dict[str, Any] = {"account": None, "namespaces": []}
    bootstrap = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "nautes"}}
    Converger(runtime.clusters).converge(
        ConvergeInput(cluster=REF, owner="bootstrap-of-tests", objects=[bootstrap], **platform)
    )
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]
    items: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"a": "b"}}},
        {"apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules},
        {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": 1},
    ]
    for item in items:
        looked_at_twice(runtime, kubeconfig, item, owner=f"{runtime.owner}-{item['kind'].lower()}", **platform)


def test_a_field_left_out_of_a_workload_is_seen_after_a_restart(runtime: Runtime, kubeconfig: str) -> None:
    spec = {"replicas": 1, "selector": SELECTOR, "template": TEMPLATE}
    item = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    runtime.converge([item])
    container = {key: value for key, value in POD["containers"][0].items() if key != "args"}
    container["env"] = container["env"][:1]
    template = {**TEMPLATE, "spec": {**POD, "containers": [container]}}
    report = Converger(Clusters(lambda ref: kubeconfig, allow_loopback=True)).converge(
        runtime.input([{**item, "spec": {**spec, "template": template}}])
    )
    assert report.applied == 1
    live = runtime.get("Deployment", "web", "apps/v1")["spec"]["template"]["spec"]["containers"][0]
    assert "args" not in live
    assert live["env"] == [{"name": "EMPTY"}]
