"""The chart of deploy/helm as objects, rendered by Helm itself. Used by the tests beside it, and by those on clusters."""

from __future__ import annotations

import functools
from typing import Any

import helm_python
import yaml

from tests.unit.wheels import ROOT

CHART = ROOT / "deploy" / "helm" / "nautes"
MINIMUM: dict[str, Any] = {
    "temporal": {"address": "temporal.example.com:7233"},
    "gitlab": {"url": "https://gitlab.example.com"},
    "vault": {"address": "https://vault.example.com"},
    "api": {"url": "https://nautes.example.com"},
}
SPLIT: dict[str, Any] = {
    "workers": {
        "all": None,
        "workflows": {"queues": ["workflows"], "replicas": 3},
        "gitlab": {"queues": ["gitlab"]},
        "clusters": {"queues": ["clusters", "observe"], "resources": {"limits": {"memory": "3Gi"}}},
    }
}
SCALED = {"enabled": True, "minReplicas": 2, "maxReplicas": 6, "tasksPerReplica": 10}
EVERYTHING: dict[str, Any] = {
    **SPLIT,
    "image": {"digest": "sha256:" + "0123456789abcdef" * 4},
    "imagePullSecrets": ["registry"],
    "previousBuilds": [{"id": "0.1.0-75a62411b0aa", "tag": "0.1.0"}, {"id": "12e4", "tag": "1.10"}],
    "rollout": {"args": ["--rate", "20"]},
    "temporal": {
        "uiUrl": "https://temporal.example.com",
        "tls": {"enabled": True, "serverName": "temporal", "caSecret": "temporal", "clientSecret": "temporal"},
        "profile": {"secret": "temporal-profile", "name": "platform"},
    },
    "codec": {"current": "second", "transit": "transit/nautes"},
    "trust": {"configMap": "authorities"},
    "settings": {"sweep_seconds": 60, "gitlab_share": 0.5},
    "tracing": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"},
    "api": {
        "replicas": 3,
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "host": "nautes.example.com",
            "tlsSecret": "nautes-tls",
            "annotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "1m"},
        },
    },
    "workerDefaults": {"autoscaling": SCALED},
    "autoscaling": {"prometheus": "http://prometheus.monitoring:9090"},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "platform", "operator": "Exists"}],
    "priorityClassName": "platform",
    "networkPolicy": {
        "nodeCidrs": ["10.0.0.0/16"],
        "apiFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}],
    },
    "monitoring": {
        "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "rules": {"enabled": True},
        "dashboard": {"enabled": True},
    },
}
CASES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "everything": EVERYTHING,
    "split queues": SPLIT,
    "adapter": {"workerDefaults": {"autoscaling": SCALED}, "autoscaling": {"engine": "hpa"}},
    "little": {
        "rollout": {"enabled": False},
        "podDisruptionBudgets": False,
        "networkPolicy": {"enabled": False},
        "codec": {"secret": ""},
    },
}
Object = dict[str, Any]


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Both, `other` before `one` where both say something; None is kept, since it takes a default of the chart away."""
    found = dict(one)
    for key, value in other.items():
        both = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = merged(found[key], value) if both else value
    return found


@functools.cache
def chart() -> helm_python.Chart:
    """As it lies in the repository."""
    return helm_python.Chart.load(CHART)


def rendered(values: dict[str, Any], *, release: str = "nautes", namespace: str = "nautes") -> list[Object]:
    """Every object, hooks included, with what has to be given filled in. Raises HelmError."""
    return objects(chart().render(merged(MINIMUM, values), name=release, namespace=namespace))


def objects(texts: dict[str, str]) -> list[Object]:
    """The objects of what Helm has rendered; its notes are none."""
    found = [each for name, text in texts.items() if not name.endswith(".txt") for each in yaml.safe_load_all(text)]
    return [each for each in found if each]


def of_kind(found: list[Object], kind: str) -> list[Object]:
    """Those of a kind."""
    return [each for each in found if each["kind"] == kind]


def named(found: list[Object], kind: str, name: str) -> Object:
    """The one of a kind whose name begins so."""
    [one] = [each for each in of_kind(found, kind) if each["metadata"]["name"].startswith(name)]
    return one


def templates(found: list[Object]) -> list[Object]:
    """The pod templates of everything that has pods."""
    return [each["spec"]["template"] for each in found if each["kind"] in ("Deployment", "Job")]


def environment(template: Object) -> dict[str, str]:
    """Variables of a pod's only container."""
    [container] = template["spec"]["containers"]
    values = {each["name"]: each["value"] for each in container["env"]}
    assert len(values) == len(container["env"]), "no variable is given twice"
    return values


def commands(found: list[Object]) -> dict[str, list[str]]:
    """Group of workers -> what its process is started with, after `python -m worker`."""
    found = [each for each in of_kind(found, "Deployment") if "nautes.io/workers" in each["metadata"]["labels"]]
    started = {
        each["metadata"]["labels"]["nautes.io/workers"]: each["spec"]["template"]["spec"]["containers"][0]["command"]
        for each in found
    }
    assert all(each[:3] == ["python", "-m", "worker"] for each in started.values())
    return {name: each[3:] for name, each in started.items()}
