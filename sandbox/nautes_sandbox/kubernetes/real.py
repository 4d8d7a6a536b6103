"""A real cluster without nodes: etcd, kube-apiserver, and kube-controller-manager or, where there is none, its player."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import httpx2
import yaml

from nautes_sandbox import controllers
from nautes_sandbox.kubernetes import Cluster, certificates
from nautes_sandbox.kubernetes.assets import Assets
from nautes_sandbox.process import Service, is_listening

CIDR = "10.0.0.0/24"
ISSUER = "https://kubernetes.default.svc.cluster.local"
AUDIT = """# Who called, so that calls can be counted; never bodies.
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
  - level: None
    users: [system:apiserver, system:kube-controller-manager]
  - level: Metadata
"""


def cluster(name: str, directory: Path, ports: list[int], assets: Assets) -> Cluster:
    """`ports`: API server, etcd client, etcd peer, controller manager."""
    server = f"https://127.0.0.1:{ports[0]}"
    kubeconfig = certificates.ensure(directory, server, name)
    services = [_etcd(name, directory, ports, assets), _apiserver(name, directory, ports, assets, kubeconfig)]
    if assets.controller_manager:
        services.append(_manager(name, directory, ports, assets.controller_manager, kubeconfig))
    else:
        services.append(controllers.service(name, kubeconfig))
    return Cluster(name, "real", services, kubeconfig, server)


def _etcd(name: str, directory: Path, ports: list[int], assets: Assets) -> Service:
    client, peer = f"http://127.0.0.1:{ports[1]}", f"http://127.0.0.1:{ports[2]}"
    command = [str(assets.etcd), f"--data-dir={directory / 'etcd'}", "--unsafe-no-fsync", "--log-level=error"]
    command += [f"--listen-client-urls={client}", f"--advertise-client-urls={client}"]
    command += [
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
    ]
    return Service(f"{name}-etcd", command, ports=ports[1:3], ready=lambda: is_listening(ports[1]))


def _apiserver(name: str, directory: Path, ports: list[int], assets: Assets, kubeconfig: Path) -> Service:
    policy = directory / "audit.yaml"
    policy.write_text(AUDIT)
    command = [
        str(assets.apiserver),
        f"--etcd-servers=http://127.0.0.1:{ports[1]}",
        "--bind-address=127.0.0.1",
        f"--secure-port={ports[0]}",
        f"--tls-cert-file={directory / 'serving.crt'}",
        f"--tls-private-key-file={directory / 'serving.key'}",
        f"--cert-dir={directory}",
        f"--token-auth-file={directory / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={directory / 'accounts.pub'}",
        f"--service-account-signing-key-file={directory / 'accounts.key'}",
        f"--api-audiences={ISSUER}",
        f"--service-cluster-ip-range={CIDR}",
        "--endpoint-reconciler-type=none",
        "--allow-privileged=true",
        "--profiling=false",
        f"--audit-policy-file={policy}",
        f"--audit-log-path={directory / 'audit.log'}",
        "--audit-log-maxsize=100",  # MB; then one older file is kept
        "--audit-log-maxbackup=1",
        "--disable-admission-plugins=" + ("" if assets.controller_manager else "ServiceAccount"),
        "--max-requests-inflight=1000",
        "--max-mutating-requests-inflight=500",
    ]
    return Service(f"{name}-apiserver", command, ports=ports[:1], ready=lambda: answers(kubeconfig, "/readyz"))


def _manager(name: str, directory: Path, ports: list[int], binary: Path, kubeconfig: Path) -> Service:
    command = [
        str(binary),
        f"--kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--secure-port={ports[3]}",
        "--port=0" if _old(binary) else "--profiling=false",
        f"--cert-dir={directory / 'manager'}",
        "--leader-elect=false",
        "--use-service-account-credentials=false",
        f"--service-account-private-key-file={directory / 'accounts.key'}",
        f"--root-ca-file={directory / 'ca.crt'}",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        "--controllers=*,-nodeipam,-nodelifecycle,-cloud-node-lifecycle,-attachdetach,-persistentvolume-binder",
    ]
    path = "/api/v1/namespaces/default/serviceaccounts/default"
    return Service(f"{name}-controller-manager", command, ports=ports[3:4], ready=lambda: answers(kubeconfig, path))


def _old(binary: Path) -> bool:
    """Whether the binary still has the insecure port that has to be switched off (before 1.24)."""
    done = subprocess.run([str(binary), "--version"], capture_output=True, text=True, check=False)
    minor = done.stdout.strip().split(".")[1:2]
    return bool(minor) and minor[0].isdigit() and int(minor[0]) < 24


def answers(kubeconfig: Path, path: str) -> bool:
    """Whether the API server answers a path to its administrator. The stand-in asks as well."""
    config = yaml.safe_load(kubeconfig.read_text())
    context = ssl.create_default_context(cafile=str(kubeconfig.with_name("ca.crt")))
    headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
    server = config["clusters"][0]["cluster"]["server"]
    try:
        return httpx2.get(f"{server}{path}", headers=headers, verify=context, timeout=2).status_code == 200
    except httpx2.HTTPError:
        return False
