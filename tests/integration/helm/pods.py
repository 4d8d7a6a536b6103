"""Pods of the chart as processes of this machine: the command, the variables and the files that a kubelet would give them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2

from nautes_sandbox.process import Service, free_port, minimal_environment
from tests.unit.helm.charts import Object, environment

# What the container's `python` and its script are here.
PROGRAMS = {"python": [sys.executable], "nautes-rollout": [sys.executable, "-m", "nautes.rollout"]}


class Pod:
    """One pod of a template. Its files lie below `directory`; `secrets` holds what is in each Secret."""

    def __init__(self, name: str, template: Object, directory: Path, secrets: Mapping[str, Mapping[str, str]]) -> None:
        self.name, self._directory, self._secrets = name, directory / name, secrets
        [self._container] = template["spec"]["containers"]
        self._volumes = {each["name"]: each for each in template["spec"]["volumes"]}
        self.ports = {each["name"]: free_port() for each in self._container.get("ports", [])}
        for each in self._container["volumeMounts"]:
            self._mount(self._volumes[each["name"]], self._place(each["mountPath"]))
        self.environment = {name: self._here(name, value) for name, value in environment(template).items()}

    @property
    def command(self) -> list[str]:
        """What is started."""
        program, *arguments = self._container["command"]
        return [*PROGRAMS[program], *arguments]

    def asked(self, probe: str) -> httpx2.Response:
        """The answer to a probe."""
        get: dict[str, Any] = self._container[probe]["httpGet"]
        url = f"http://127.0.0.1:{self.ports[get['port']]}{get['path']}"
        return httpx2.get(url, timeout=self._container[probe]["timeoutSeconds"])

    def ready(self) -> bool:
        """Whether the kubelet would call it ready."""
        try:
            return self.asked("readinessProbe").status_code == 200
        except httpx2.HTTPError:
            return False

    def service(self) -> Service:
        """As the sandbox starts processes."""
        return Service(
            self.name, self.command, env=self.environment, ports=tuple(self.ports.values()), ready=self.ready
        )

    def run(self, timeout: float) -> subprocess.CompletedProcess[str]:
        """To its end: a Job's pod."""
        given = {**minimal_environment(), **self.environment}
        return subprocess.run(
            self.command, env=given, capture_output=True, text=True, timeout=timeout, check=False, cwd=self._directory
        )

    def _place(self, path: str) -> Path:
        return self._directory / path.lstrip("/")

    def _here(self, name: str, value: str) -> str:
        """Files and ports are others on this machine, and nothing listens beyond it."""
        ports = {
            "NAUTES_API_PORT": "http",
            "NAUTES_API_METRICS_PORT": "metrics",
            "NAUTES_WORKER_METRICS_PORT": "metrics",
        }
        if name in ports:
            return str(self.ports[ports[name]])
        if value == "0.0.0.0":
            return "127.0.0.1"
        return str(self._place(value)) if value.startswith("/") else value

    def _mount(self, volume: Object, place: Path) -> None:
        place.mkdir(parents=True)
        if "emptyDir" in volume:
            return
        held = self._secrets[volume["secret"]["secretName"]]
        items = volume["secret"].get("items") or [{"key": key, "path": key} for key in held]
        # As a kubelet writes them: links to a hidden directory, which is exchanged as a whole.
        (place / "..2026").mkdir()
        (place / "..data").symlink_to("..2026")
        for each in items:
            (place / "..2026" / each["path"]).write_text(held[each["key"]])
            (place / "..2026" / each["path"]).chmod(0o440)
            (place / each["path"]).symlink_to(Path("..data", each["path"]))
