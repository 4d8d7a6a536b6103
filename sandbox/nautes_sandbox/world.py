"""The embedded world: its processes, their addresses, and the settings of the platform's own processes.

Used by `nautes sandbox`, the demo and the tests. Data, logs and secrets live in one directory; addresses are chosen once
and kept, so that a restart changes nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import httpx2

from nautes_sandbox import gitlab, node, openbao, tekton, temporal, virtual
from nautes_sandbox.kubernetes import Cluster, assets, real
from nautes_sandbox.process import Service, Supervisor, free_ports

PORT_BASE = 7700
CLUSTERS = ("deploy", "pipeline")
HOST = "host"  # a third one, as a host of virtual clusters; started only on request
PORTS = (
    "temporal",
    "temporal-ui",
    "openbao",
    "openbao-cluster",
    "gitlab",
    "api",
    *(f"{cluster}-{number}" for cluster in CLUSTERS for number in range(4)),
    "worker-metrics",
    "api-metrics",
)
REVIEW = '"resource":"selfsubjectaccessreviews"'  # posted, but changes nothing
Progress = Callable[[str, str], None]


class World:
    """`kubernetes` is auto, real or stand-in; `free_ports` for tests; `environment` is added to worker and API.

    `clusters` are to be started; others that an earlier world of this directory started are ended with the rest.
    """

    def __init__(
        self,
        directory: Path,
        *,
        kubernetes: str = "auto",
        free_ports: bool = False,
        environment: dict[str, str] | None = None,
        clusters: Sequence[str] = CLUSTERS,
    ) -> None:
        self.directory = directory.absolute()
        self._names = tuple(clusters)
        self._kubernetes = kubernetes
        self._free_ports = free_ports
        self.extra = dict(environment or {})
        self.before: dict[str, str] = {}  # cluster -> address of a proxy before it
        self.supervisor = Supervisor(self.directory / "run")
        self._say: Progress = _quiet

    # Addresses

    @cached_property
    def ports(self) -> dict[str, int]:
        """Port by name; chosen once. A cluster that comes later gets its own then."""
        kept = self.directory / "ports.json"
        known = json.loads(kept.read_text()) if kept.exists() else {}
        chosen = {name: int(port) for name, port in known.items()} or self._first_ports()
        names = [*PORTS, *(f"{each}-{number}" for each in self._names for number in range(4))]
        missing = [name for name in dict.fromkeys(names) if name not in chosen]
        if missing:
            after = max(chosen.values()) + 1
            numbers = free_ports(len(missing)) if self._free_ports else range(after, after + len(missing))
            chosen.update(zip(missing, numbers, strict=True))
        if chosen != known:
            kept.write_text(json.dumps(chosen, indent=1))
        return chosen

    def _first_ports(self) -> dict[str, int]:
        base = int(os.environ.get("NAUTES_SANDBOX_PORT_BASE", PORT_BASE))
        numbers = free_ports(len(PORTS)) if self._free_ports else range(base, base + len(PORTS))
        # OpenBao uses the next port for its cluster address.
        return dict(zip(PORTS, numbers, strict=True))

    def _url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    @property
    def gitlab_url(self) -> str:
        """GitLab's address for people and git."""
        return self._url("gitlab")

    @property
    def vault_url(self) -> str:
        """OpenBao."""
        return self._url("openbao")

    @property
    def api_url(self) -> str:
        """The platform's API."""
        return self._url("api")

    @property
    def metrics_urls(self) -> dict[str, str]:
        """What the platform's own processes serve for those who operate them: metrics, and the worker's health."""
        return {name: self._url(f"{name}-metrics") for name in ("worker", "api")}

    @property
    def temporal_address(self) -> str:
        """Temporal's gRPC address."""
        return f"127.0.0.1:{self.ports['temporal']}"

    @property
    def temporal_ui_url(self) -> str:
        """Temporal UI."""
        return self._url("temporal-ui")

    def kubeconfig(self, cluster: str) -> Path:
        """Administrator's kubeconfig of a cluster."""
        return self.clusters[cluster].kubeconfig

    def kubeconfig_to_register(self, cluster: str) -> str:
        """The same with the address for the platform: tests put a proxy before the cluster."""
        known = self.clusters[cluster]
        return known.kubeconfig.read_text().replace(known.server, self.before.get(cluster, known.server))

    # Secrets

    def _token(self, name: str) -> Path:
        path = self.directory / "secrets" / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            openbao.write_secret(path, f"glpat-{secrets.token_urlsafe(15)}")
        return path

    @property
    def root_token_file(self) -> Path:
        """File with the GitLab administrator's token."""
        return self._token("gitlab-root")

    @property
    def root_token(self) -> str:
        """The GitLab administrator's token."""
        return self.root_token_file.read_text().strip()

    # Composition

    @cached_property
    def clusters(self) -> dict[str, Cluster]:
        """The clusters, real ones where there are binaries."""
        return {name: self._cluster(name) for name in self._names}

    def _cluster(self, name: str) -> Cluster:
        ports = [self.ports[f"{name}-{number}"] for number in range(4)]
        directory = self.directory / "kubernetes" / name
        found = self._assets
        if found is not None:
            return real.cluster(name, directory, ports, found)
        from nautes_sandbox.kubernetes import standin  # not needed, and not loaded, where there are real binaries

        return standin.cluster(name, directory, ports[0])

    @cached_property
    def _assets(self) -> assets.Assets | None:
        if self._kubernetes == "stand-in":
            return None
        found = assets.find(say=lambda text: self._say("kubernetes", text))
        if found is None and self._kubernetes == "real":
            raise FileNotFoundError("no binaries of a real control plane: set KUBEBUILDER_ASSETS")
        return found

    def environment(self, role: str = "nautes") -> dict[str, str]:
        """The settings of the platform's own processes; `role` is nautes (worker) or nautes-api (API)."""
        logins = openbao.credentials(self.directory / "openbao")
        login = logins.platform if role == "nautes" else logins.api
        return {
            "TEMPORAL_ADDRESS": self.temporal_address,
            "TEMPORAL_CONFIG_FILE": os.devnull,  # not the one that a person has for another cluster
            "NAUTES_TEMPORAL_UI_URL": self.temporal_ui_url,
            "NAUTES_GITLAB_URL": self.gitlab_url,
            "NAUTES_GITLAB_TOKEN_FILE": str(self._token("gitlab-platform")),
            "NAUTES_VAULT_ADDR": self.vault_url,
            "NAUTES_VAULT_ROLE_ID": login.role_id,
            "NAUTES_VAULT_SECRET_ID_FILE": str(login.secret_id_file),
            "NAUTES_API_URL": self.api_url,
            "NAUTES_API_PORT": str(self.ports["api"]),
            "NAUTES_WORKER_METRICS_PORT": str(self.ports["worker-metrics"]),
            "NAUTES_API_METRICS_PORT": str(self.ports["api-metrics"]),
            "NAUTES_STATE_DIR": str(self.directory / "state" / role),
            "NAUTES_ALLOW_LOOPBACK": "true",
            "NAUTES_BUILD_ID": "sandbox",  # whatever code is started: there are never two builds side by side
            "NAUTES_SWEEP_SECONDS": "5",
            **self.extra,
        }

    def worker(self) -> Service:
        """The worker."""

        def ready() -> bool:
            log = self.supervisor.log("worker")
            return log.exists() and f"worker {self.supervisor.pid('worker')} is ready" in log.read_text()

        return Service("worker", [sys.executable, "-m", "worker"], env=self.environment(), ready=ready)

    def api(self) -> Service:
        """The API."""

        def ready() -> bool:
            try:
                return httpx2.get(f"{self.api_url}/healthz", timeout=2).status_code == 200
            except httpx2.HTTPError:
                return False

        command = [sys.executable, "-m", "api"]
        return Service("api", command, env=self.environment("nautes-api"), ports=(self.ports["api"],), ready=ready)

    def _chains(self) -> list[list[Service]]:
        """Processes that start one after the other, in chains that start side by side."""
        data = self.directory
        platform = self._token("gitlab-platform")
        chains = [
            [openbao.service(data / "openbao", self.ports["openbao"])],
            [temporal.service(data / "temporal", self.ports["temporal"], self.ports["temporal-ui"])],
            [
                gitlab.service(
                    data=data / "gitlab",
                    port=self.ports["gitlab"],
                    root_token_file=self.root_token_file,
                    platform_token_file=platform,
                )
            ],
        ]
        for name, cluster in self.clusters.items():
            played = not any("controller-manager" in each.name for each in cluster.services)
            chain = [*cluster.services, node.service(name, cluster.kubeconfig, controllers=played)]
            chains.append([*chain, *self._players(name, cluster)])
        return chains

    def _players(self, name: str, cluster: Cluster) -> list[Service]:
        """The processes of a cluster besides its node."""
        if name == HOST:
            return [virtual.service(name, cluster.kubeconfig, self.supervisor.directory, self._assets)]
        return [tekton.service(name, cluster.kubeconfig)] if name == "pipeline" else []

    # Life

    def up(self, progress: Progress | None = None, *, platform: bool = True) -> None:
        """Start what is not running; wait until all processes serve. Idempotent."""
        self._say = progress or _quiet
        with self._locked():
            chains = self._chains()
            with ThreadPoolExecutor(len(chains)) as pool:
                for done in [pool.submit(self._start, chain) for chain in chains]:
                    done.result()
            temporal.prepare(self.ports["temporal"])
            if platform:
                self._start([self.worker()])
                self._start([self.api()])

    def _start(self, chain: list[Service]) -> None:
        for service in chain:
            started = self.supervisor.start(service)
            self._say(service.name, "started" if started else "is running")

    def down(self) -> None:
        """End all processes, the platform's first, so that nothing is left half done."""
        self._end(kill=False)

    def _end(self, *, kill: bool) -> None:
        with self._locked():
            for name in ("api", "worker"):
                self.supervisor.stop(name, kill=kill)
            self.supervisor.stop(
                f"{HOST}-virtual"
            )  # never killed: it must not be in the middle of starting another one
            rest = list(self.supervisor.running())
            first = [each for each in rest if not each.endswith(("-etcd", "-apiserver"))]
            for group in (first, [each for each in rest if each.endswith("-apiserver")], rest):
                with ThreadPoolExecutor(8) as pool:
                    list(pool.map(lambda name: self.supervisor.stop(name, kill=kill), group))

    def status(self) -> dict[str, int | None]:
        """Every process of this world -> its id, None when it does not run."""
        names = [each.name for chain in self._chains() for each in chain] + ["worker", "api"]
        return {name: self.supervisor.pid(name) for name in names}

    def reset(self) -> None:
        """End all processes and delete all data: nothing has to be saved before."""
        self._end(kill=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    def kill(self, name: str) -> None:
        """SIGKILL one process, as a crash does."""
        self.supervisor.stop(name, kill=True)

    def restart(self, name: str) -> None:
        """Start one process of the platform again."""
        self.supervisor.stop(name)
        self._start([self.worker() if name == "worker" else self.api()])

    def wipe_temporal(self) -> None:
        """Lose all of Temporal's data and start everything that needs it again."""
        for name in ("api", "worker", "temporal"):
            self.supervisor.stop(name)
        shutil.rmtree(self.directory / "temporal", ignore_errors=True)
        self.up()

    def calls(self) -> dict[str, int]:
        """Calls made so far: to GitLab by kind, to Vault and Kubernetes from their audit logs."""
        return {**self._gitlab_calls(), **self._vault_calls(), **self._kubernetes_calls()}

    def _gitlab_calls(self) -> dict[str, int]:
        try:
            answer = httpx2.get(
                f"{self.gitlab_url}/-/sandbox/calls", headers={"PRIVATE-TOKEN": self.root_token}, timeout=5
            )
        except httpx2.HTTPError:
            return {}
        names = {"git reads": "Git reads", "git writes": "Git writes"}
        return {names.get(kind, f"GitLab {kind}"): int(count) for kind, count in answer.json().items()}

    def _vault_calls(self) -> dict[str, int]:
        log = self.directory / "openbao" / "audit.log"
        if not log.exists():
            return {}
        counted: Counter[str] = Counter()
        for line in log.read_text(errors="replace").splitlines():
            entry = json.loads(line)
            request = entry.get("request", {})
            if entry.get("type") != "request" or "remote_address" not in request:  # OpenBao's own
                continue
            read = request["operation"] in ("read", "list", "help") or request["path"].endswith("/login")
            counted["Vault reads" if read else "Vault writes"] += 1
        return dict(counted)

    def _kubernetes_calls(self) -> dict[str, int]:
        """The platform's own calls, by user agent: controllers, nodes and people call the API server too."""
        counted: Counter[str] = Counter()
        for log in self.directory.glob("kubernetes/**/audit*.log"):
            for line in log.read_text(errors="replace").splitlines():
                if '"userAgent":"nautes"' in line:
                    read = any(f'"verb":"{verb}"' in line for verb in ("get", "list", "watch")) or REVIEW in line
                    counted["Kubernetes reads" if read else "Kubernetes writes"] += 1
        return dict(counted)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """A lock against two `up` at once."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _quiet(_name: str, _state: str) -> None:
    """The default for `say`: prints nothing."""
