"""What a virtual worker becomes on its host: a control plane in a namespace of its own, and a Service for its API.

Pure; used by workflows/virtual.py (what is ordered) and activities/virtual.py (what is applied). Names are those of the
vcluster chart: the control plane writes its kubeconfig into the Secret `vc-<cluster>` itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

PLANE_IMAGE = "rancher/k3s:v1.23.6-k3s1"
SYNCER_IMAGE = "loftsh/vcluster:0.10.1"
LABEL = "app=vcluster"  # of every StatefulSet that is a virtual cluster
CONFIG = "config"  # key of the kubeconfig in its Secret
PORT = 8443  # the control plane listens here
NODE_PORTS = range(30_000, 32_768)  # the default of Kubernetes
STORAGE = "5Gi"
DATA = {"name": "data", "mountPath": "/data"}
# The host provides nodes, volumes and load balancing; only the API and its controllers run inside. k3s must not be process 1.
PLANE = " ".join(
    (
        "/bin/k3s server --write-kubeconfig=/data/k3s-config/kube-config.yaml --data-dir=/data",
        "--disable=traefik,servicelb,metrics-server,local-storage --disable-network-policy --disable-agent",
        "--disable-cloud-controller --flannel-backend=none --disable-scheduler",
        "--kube-controller-manager-arg=controllers=*,-nodeipam,-nodelifecycle,-persistentvolume-binder,-attachdetach,"
        "-persistentvolume-expander,-cloud-node-lifecycle",
        "--kube-apiserver-arg=endpoint-reconciler-type=none --service-cidr=$(SERVICE_CIDR) && true",
    )
)
WRITE = ["create", "delete", "patch", "update", "get", "list", "watch"]
LOOK = ["get", "list", "watch"]
# Rights of the syncer on the host, in its own namespace only.
RULES = [
    {
        "apiGroups": [""],
        "resources": [
            "configmaps",
            "secrets",
            "services",
            "pods",
            "pods/attach",
            "pods/portforward",
            "pods/exec",
            "persistentvolumeclaims",
            "endpoints",
        ],
        "verbs": WRITE,
    },
    {"apiGroups": [""], "resources": ["events", "pods/log"], "verbs": LOOK},
    {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": WRITE},
    {"apiGroups": ["apps"], "resources": ["statefulsets", "replicasets", "deployments"], "verbs": LOOK},
]

Object = dict[str, Any]


def is_virtual(manifest: Mapping[str, Any]) -> bool:
    """Whether a cluster's manifest declares a virtual one."""
    return bool(manifest.get("spec", {}).get("clusterType") == "virtual")


def host_of(manifest: Mapping[str, Any]) -> str:
    """The cluster it stands on, "" for a physical one."""
    return str(manifest.get("spec", {}).get("hostCluster") or "") if is_virtual(manifest) else ""


def node_port(manifest: Mapping[str, Any]) -> int:
    """The port of the host for it: as declared, or that of its address; 0: the host chooses."""
    spec = manifest.get("spec", {})
    declared = str((spec.get("vcluster") or {}).get("httpsNodePort") or "")
    if declared.isdigit():
        return int(declared)
    try:
        port = urlsplit(str(spec.get("apiServer") or "")).port or 0
    except ValueError:
        return 0
    return port if port in NODE_PORTS else 0


def owner(cluster: str) -> str:
    """Name of its inventory on the host."""
    return f"vcluster-{cluster}"


def secret(cluster: str) -> str:
    """The Secret in its namespace that holds its kubeconfig."""
    return f"vc-{cluster}"


def objects(cluster: str, server: str, port: int) -> list[Object]:
    """All of a virtual cluster, in a namespace called like it."""
    return [
        _object("v1", "Namespace", cluster, None),
        _object("v1", "ServiceAccount", f"vc-{cluster}", cluster),
        _object("v1", "ServiceAccount", f"vc-workload-{cluster}", cluster),
        {**_object("rbac.authorization.k8s.io/v1", "Role", cluster, cluster), "rules": RULES},
        _binding(cluster),
        _service(cluster, cluster, {"type": "ClusterIP"}),
        _service(f"{cluster}-headless", cluster, {"clusterIP": "None"}),
        _service(f"svc-{cluster}", cluster, {"type": "NodePort"}, port),
        _plane(cluster, server),
    ]


def _object(version: str, kind: str, name: str, namespace: str | None) -> Object:
    labels = {"app": "vcluster", "app.kubernetes.io/managed-by": "nautes", "release": namespace or name}
    metadata: Object = {"name": name, "labels": labels}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def _binding(cluster: str) -> Object:
    return {
        **_object("rbac.authorization.k8s.io/v1", "RoleBinding", cluster, cluster),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": cluster},
        "subjects": [{"kind": "ServiceAccount", "name": f"vc-{cluster}", "namespace": cluster}],
    }


def _service(name: str, cluster: str, spec: Object, node_port: int = 0) -> Object:
    port: Object = {"name": "https", "port": 443, "targetPort": PORT, "protocol": "TCP"}
    if node_port:
        port["nodePort"] = node_port
    selector = {"app": "vcluster", "release": cluster}
    return {**_object("v1", "Service", name, cluster), "spec": {**spec, "selector": selector, "ports": [port]}}


def _plane(cluster: str, server: str) -> Object:
    labels = {"app": "vcluster", "release": cluster}
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": STORAGE}}},
    }
    pod = {
        "serviceAccountName": f"vc-{cluster}",
        "terminationGracePeriodSeconds": 10,
        "containers": [_k3s(cluster), _syncer(cluster, server)],
    }
    return {
        **_object("apps/v1", "StatefulSet", cluster, cluster),
        "spec": {
            "serviceName": f"{cluster}-headless",
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
            "volumeClaimTemplates": [claim],
        },
    }


def _k3s(cluster: str) -> Object:
    source = {"configMapKeyRef": {"name": f"vc-cidr-{cluster}", "key": "cidr"}}  # the syncer finds it out
    return {
        "name": "vcluster",
        "image": PLANE_IMAGE,
        "command": ["/bin/sh"],
        "args": ["-c", PLANE],
        "env": [{"name": "SERVICE_CIDR", "valueFrom": source}],
        "securityContext": {"allowPrivilegeEscalation": False},
        "volumeMounts": [DATA],
        "resources": {"limits": {"memory": "2Gi"}, "requests": {"cpu": "200m", "memory": "256Mi"}},
    }


def _syncer(cluster: str, server: str) -> Object:
    names = [f"--name={cluster}", f"--service-account=vc-workload-{cluster}"]
    return {
        "name": "syncer",
        "image": SYNCER_IMAGE,
        "args": [*names, f"--tls-san={urlsplit(server).hostname}"],
        "livenessProbe": {**_probe("/healthz"), "initialDelaySeconds": 60},
        "readinessProbe": _probe("/readyz"),
        "securityContext": {"allowPrivilegeEscalation": False},
        "volumeMounts": [{**DATA, "readOnly": True}],
        "resources": {"limits": {"memory": "1Gi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
    }


def _probe(path: str) -> Object:
    return {
        "httpGet": {"path": path, "port": PORT, "scheme": "HTTPS"},
        "failureThreshold": 60,
        "periodSeconds": 2,
    }
