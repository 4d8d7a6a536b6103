"""How long it takes to initialize a product with 20 repositories, beside a straight python-gitlab script that makes the same.

`python bench/initialize.py`: one embedded world (the stand-in of Kubernetes is enough), both sides taking turns. Ours is one
apply through the public API until the change is done. The script is what a team would write: one call after the other, nothing
is looked up, nothing can be resumed or undone. Both make a group with its owner, `default.project`, the repositories, two deploy
keys, an access token and a webhook for each, all secrets and their policies in Vault, and one commit that declares it all.

With `--one-project` the repositories belong to one project: then each of them is opened by both keys of all others, too. With
`--away` GitLab is that many milliseconds away from both sides, as it is where it does not run on the same machine. Sweeps are
switched off. The last line is JSON.
"""

from __future__ import annotations

import argparse
import base64
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import gitlab
import hvac
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from bench.prepared import apply, calls_since, platform, register, script, spread, verdict
from bench.slow import away
from nautes.blueprints import vault as names
from nautes.blueprints.keys import PERMISSIONS
from nautes.resources.manifest import resource_of
from nautes.resources.names import Names
from nautes.resources.stored import product_files
from nautes.resources.tree import ProductTree
from nautes_sandbox.scenario import Scenario
from nautes_sandbox.world import World

BAR, BAR_AWAY = 0.8, 0.3  # design 15; the second with GitLab 20 ms away
CLUSTER = "deploy"
EVENTS = {"push_events": True, "tag_push_events": True}
OWNER, MAINTAINER = 50, 40
DAYS = 180  # keys and tokens live


def manifests(product: str, repositories: int, project: str) -> list[dict[str, Any]]:
    """What is declared; `project` is the one all repositories belong to, or "" when they belong to none."""

    def document(kind: str, name: str, **spec: Any) -> dict[str, Any]:
        return {"kind": kind, "spec": {"name": name, "product": product, **spec}}

    settings = [{"name": f"service-{number:02}", "path": f"service-{number:02}"} for number in range(repositories)]
    return [
        {"kind": "Product", "spec": {"name": product, "git": {"gitlab": {"visibility": "private"}}}},
        document("Environment", "test", cluster=CLUSTER, envType="test"),
        document("Project", "web", language="go"),
        *(
            document("CodeRepo", each["name"], project=project, git={"gitlab": {**each, "visibility": "private"}})
            for each in settings
        ),
    ]


@dataclass
class Script:
    """The peer: python-gitlab and hvac, as a person writes it down."""

    gitlab: gitlab.Gitlab
    vault: hvac.Client
    hook: str

    @classmethod
    def of(cls, world: World) -> Script:
        """With the accounts that the platform itself has."""
        given = world.environment()
        vault = hvac.Client(url=world.vault_url)
        secret_id = Path(given["NAUTES_VAULT_SECRET_ID_FILE"]).read_text().strip()
        vault.auth.approle.login(role_id=given["NAUTES_VAULT_ROLE_ID"], secret_id=secret_id)
        token = Path(given["NAUTES_GITLAB_TOKEN_FILE"]).read_text().strip()
        # Somewhere that answers and does nothing: the platform must not take the script's product for one of its own.
        return cls(gitlab.Gitlab(given["NAUTES_GITLAB_URL"], private_token=token), vault, f"{world.api_url}/healthz")

    def run(self, product: str, owner: int, documents: list[dict[str, Any]]) -> None:
        """Everything, from the group to the commit."""
        group = self.gitlab.groups.create({"name": product, "path": product, "visibility": "private"})
        group.members.create({"user_id": owner, "access_level": OWNER})
        declaration = self._project(group.id, "default.project", initialize_with_readme=True)
        self._key(declaration, "readonly")
        self._webhook(declaration, {"push_events": True})
        numbers, opened = {}, []
        for each in (each["spec"] for each in documents if each["kind"] == "CodeRepo"):
            project = self._project(group.id, each["name"])
            keys = [(self._key(project, permission), permission == "readwrite") for permission in PERMISSIONS]
            self._token(project)
            self._webhook(project, EVENTS)
            numbers[each["name"]] = project.id
            opened.append((project, keys if each["project"] else []))
        for project, _ in opened:
            for other, keys in opened:
                for key, push in keys if other is not project else []:
                    project.keys.create({**key, "can_push": push})
        tree = ProductTree(product).apply([resource_of(each) for each in documents])
        files = product_files(tree, Names(products={product: group.id}, repositories=numbers))
        actions = [{"action": "create", "file_path": path, "content": text} for path, text in files.items()]
        declaration.commits.create({"branch": "main", "commit_message": f"Declare {product}", "actions": actions})

    def _project(self, group: int, name: str, **settings: Any) -> Any:
        values = {"name": name, "path": name, "namespace_id": group, "visibility": "private", "description": ""}
        return self.gitlab.projects.create({**values, **settings})

    def _key(self, project: Any, permission: str) -> dict[str, str]:
        private = Ed25519PrivateKey.generate()
        title = names.key_title(project.id, permission)
        public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        key = {"title": title, "key": f"{public} {title}", "expires_at": f"{_end()}T00:00:00Z"}
        made = project.keys.create({**key, "can_push": permission == "readwrite"})
        secret = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
        values = {"deploykey": secret, "fingerprint": key["key"], "id": str(made.id), "expires_at": _end()}
        self._keep(names.key_path(project.id, permission), values, names.key_policy(project.id, permission))
        return key

    def _token(self, project: Any) -> None:
        grant = {"name": names.TOKEN_NAME, "scopes": ["api"], "access_level": MAINTAINER, "expires_at": _end()}
        made = project.access_tokens.create(grant)
        values = {"accesstoken": made.token, "id": str(made.id), "expires_at": _end()}
        self._keep(names.token_path(project.id), values, names.token_policy(project.id))

    def _webhook(self, project: Any, events: dict[str, bool]) -> None:
        token = base64.b64encode(os.urandom(32)).decode()
        made = project.hooks.create({"url": self.hook, "token": token, "signing_token": f"whsec_{token}", **events})
        self._keep(names.hook_path(project.id), {"token": token, "hook": str(made.id)})

    def _keep(self, path: str, values: dict[str, str], policy: str = "") -> None:
        self.vault.secrets.kv.v2.create_or_update_secret(path, secret=values, mount_point="git")
        if policy:
            self.vault.sys.create_or_update_acl_policy(policy, names.reader("git", path))


def _end() -> str:
    return (datetime.now(UTC) + timedelta(days=DAYS)).date().isoformat()


def timed(world: World, run: Callable[[], object]) -> tuple[float, dict[str, int]]:
    """Seconds, and the calls that were made meanwhile."""
    before, began = world.calls(), time.perf_counter()
    run()
    took = time.perf_counter() - began
    return took, {name: count for name, count in calls_since(world, before).items() if count}


@contextmanager
def distance(world: World, milliseconds: float) -> Iterator[None]:
    """GitLab with that latency, for the platform and for callers that take the platform's address from the world."""
    if not milliseconds:
        yield
        return
    with away(world.gitlab_url, milliseconds / 1000) as url:
        world.extra["NAUTES_GITLAB_URL"] = url
        for each in ("worker", "api"):
            world.restart(each)
        yield


def rounds(
    actions: Scenario, count: int, repositories: int, project: str
) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Seconds of each round and calls of the last one, by side; they take turns in who begins."""
    peer, owner = Script.of(actions.world), actions.people["team"].id

    def ours(product: str) -> object:
        return apply(actions, "team", manifests(product, repositories, project))

    def theirs(product: str) -> None:
        peer.run(product, owner, manifests(product, repositories, project))

    sides = (("ours", ours), ("script", theirs))
    seconds: dict[str, list[float]] = {side: [] for side, _ in sides}
    calls: dict[str, Any] = {}
    for number in range(count):
        for side, run in sides[:: -1 if number % 2 else 1]:
            took, calls[side] = timed(actions.world, partial(run, f"{side}-{number}"))
            seconds[side].append(took)
    return seconds, calls


def main() -> int:
    """Print a table and, last, one line of JSON; 1 when the bar is not held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repositories", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one-project", action="store_true", help="repositories open each other")
    parser.add_argument("--away", type=float, default=0, help="milliseconds added to each request to GitLab")
    given = parser.parse_args()

    def measure() -> tuple[dict[str, Any], bool]:
        with platform(Scenario, clusters=(CLUSTER,)) as actions:
            register(actions, CLUSTER)
            with distance(actions.world, given.away):
                project = "web" if given.one_project else ""
                seconds, calls = rounds(actions, given.rounds, given.repositories, project)
        found = {side: spread(values, digits=3) for side, values in seconds.items()}
        ratios = spread([ours / theirs for ours, theirs in zip(*seconds.values(), strict=True)], digits=2)
        print(
            f"\na product with {given.repositories} repositories, {given.rounds} rounds, GitLab {given.away:g} ms away"
        )
        print(f"  {'s':20} median     min     max   calls")
        for side, each in found.items():
            made = ", ".join(f"{count} {name}" for name, count in calls[side].items())
            print(f"  {side:18} {each['median']:8.2f} {each['min']:7.2f} {each['max']:7.2f}   {made}")
        ratio = found["ours"]["median"] / found["script"]["median"]
        print(f"  {'ratio of one round':18} {ratios['median']:8.2f} {ratios['min']:7.2f} {ratios['max']:7.2f}")
        held = verdict("ours, of the script (medians)", ratio, BAR_AWAY if given.away >= 20 else BAR)
        figures = {"seconds": found, "ratio": round(ratio, 3), "ratios": ratios, "calls": calls}
        return {"bench": "initialize", **vars(given), **figures}, held

    return script(measure)


if __name__ == "__main__":
    sys.exit(main())
