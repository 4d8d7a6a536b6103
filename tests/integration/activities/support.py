"""OpenBao as a process of its own, what was written to GitLab and Vault, and failing the k-th call to either."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any

import hvac

from nautes.clients.gitlab import GitLab
from nautes.clients.vault import Vault
from nautes.messages.common import Requester
from nautes.messages.errors import Unavailable
from nautes_sandbox import openbao
from nautes_sandbox.process import Supervisor, free_ports
from tests.contract.gitlab.stand_in import StandIn
from tests.contract.gitlab.support import Maker
from tests.integration.activities.failing_proxy import FailingProxy

WRITES = ("create", "update", "patch", "delete")
PROBE_LIMIT = 40  # calls an activity may make at most in these tests


class Bao:
    """A context manager: the process lives as long as the context."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "openbao"
        self._supervisor = Supervisor(directory / "run")
        self.logins = openbao.credentials(self.directory)
        port, _ = free_ports(2)  # the next one is OpenBao's for its cluster
        self.url = f"http://127.0.0.1:{port}"
        self._service = openbao.service(self.directory, port)
        self.look = self.vault()  # for the tests' own looks
        self._writes: list[str] = []
        self._read = 0  # bytes of the audit log

    def __enter__(self) -> Bao:
        self._supervisor.start(self._service)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._supervisor.stop(self._service.name, kill=True)  # nobody needs its data any more

    def crash(self) -> None:
        """kill -9, and start again with the same data."""
        self._supervisor.stop(self._service.name, kill=True)
        self._supervisor.start(self._service)

    def vault(self, login: openbao.Login | None = None, url: str = "") -> Vault:
        """Our client, as the worker unless told otherwise."""
        login = login or self.logins.platform
        return Vault(url or self.url, login.role_id, login.secret_id_file.read_text().strip())

    def client(self, login: openbao.Login) -> hvac.Client:
        """A bare client that is logged in."""
        client = hvac.Client(url=self.url)
        client.auth.approle.login(role_id=login.role_id, secret_id=login.secret_id_file.read_text().strip())
        return client

    def writes(self) -> list[str]:
        """Paths that were written so far, logins apart, as OpenBao's audit log has them."""
        with (self.directory / "audit.log").open() as file:
            file.seek(self._read)
            lines = file.readlines()
            self._read = file.tell()
        for entry in map(json.loads, lines):
            request = entry.get("request", {})
            written = entry["type"] == "request" and request.get("operation") in WRITES
            if written and request["path"] != "auth/approle/login":
                self._writes.append(f"{request['operation']} {request['path']}")
        return list(self._writes)


@dataclass
class Systems:
    """GitLab and Vault as the worker sees them (`vault` through the proxy that fails calls), and as we look at them."""

    stand_in: StandIn
    bao: Bao
    gitlab: GitLab
    vault: Vault
    proxy: FailingProxy
    make: Maker
    person: Requester

    def writes(self) -> tuple[int, list[str]]:
        """Writes to GitLab and to Vault so far."""
        answer = self.stand_in.root._client.get(f"{self.stand_in.url}/-/sandbox/calls")
        return int(answer.json()["writes"]), self.bao.writes()

    def written_by(self, act: Callable[[], Any]) -> tuple[int, list[str]]:
        """What an act writes."""
        before = self.writes()
        act()
        after = self.writes()
        return after[0] - before[0], after[1][len(before[1]) :]

    def calls_of(self, act: Callable[[], Any]) -> tuple[int, int]:
        """How many calls an act makes to GitLab and to Vault."""
        never = 1_000_000
        self._fault({"call": never})
        self.proxy.arm(never, after=False)
        try:
            act()
        finally:
            vault, gitlab = self.proxy.disarm(), int(self._fault({})["seen"])
        return gitlab, vault

    @contextmanager
    def failing(self, system: str, call: int, *, after: bool, **more: Any) -> Iterator[Callable[[], bool]]:
        """Call number `call` to a system fails; gives whether it came to that."""
        seen: list[int] = []
        if system == "vault":
            self.proxy.arm(call, after=after)
            try:
                yield lambda: seen[0] >= call
            finally:
                seen.append(self.proxy.disarm())
            return
        self._fault({"call": call, "after": after, **more})
        try:
            yield lambda: seen[0] >= call
        finally:
            seen.append(self._fault({})["seen"])

    def _fault(self, plan: dict[str, Any]) -> Any:
        answer = self.stand_in.root._client.post(f"{self.stand_in.url}/-/sandbox/faults", json={"calls": plan})
        assert answer.status_code == 200, answer.text
        return answer.json()


NOTHING: tuple[int, list[str]] = (0, [])


def survives(
    systems: Systems,
    arrange: Callable[[], Any],
    act: Callable[[Any], Any],
    look: Callable[[Any], Any],
    *,
    within: tuple[str, ...] = ("gitlab", "vault"),
) -> int:
    """Fail every call of an act, before and after it took effect; the next try must end where an undisturbed one does.

    `arrange` makes a new subject, `look` says how the world is for it. Returns how many calls were failed.
    """
    undisturbed = arrange()
    act(undisturbed)
    wanted, failed = look(undisturbed), 0
    for system in within:
        for after in (False, True):
            for call in count(1):
                assert call < PROBE_LIMIT, "the act does not come to an end"
                subject = arrange()
                with systems.failing(system, call, after=after) as came:
                    error = _error_of(act, subject)
                if not came():
                    break
                where = f"{system}, call {call}, {'after' if after else 'before'}"
                assert error is not None, f"{where}: the failure was not told"
                act(subject)
                assert look(subject) == wanted, where
                assert systems.written_by(lambda: act(subject)) == NOTHING, where  # noqa: B023 - called at once
                failed += 1
    return failed


def _error_of(act: Callable[[Any], Any], subject: Any) -> Unavailable | None:
    try:
        act(subject)
    except Unavailable as error:
        return error
    return None


def requester(make: Maker) -> Requester:
    """A person in GitLab."""
    person = make.user()
    return Requester(
        id=person.id, username=person.username, name=person.username, email=f"{person.username}@example.com"
    )
