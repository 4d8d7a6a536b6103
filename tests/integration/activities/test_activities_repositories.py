"""Deploy keys and webhooks: the secret is in Vault and nowhere else, and what GitLab has matches it whatever failed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from temporalio.testing import ActivityEnvironment

from activities.repositories import RepositoryActivities
from nautes.blueprints import vault as names
from nautes.messages.gitlab import (
    HookInput,
    KeysInput,
    KeysState,
    RepositoryDeletion,
    RepositoryReady,
    RepositorySetup,
)
from nautes.messages.secrets import SecretRef
from nautes.messages.vault import RepositorySecrets
from nautes.planning.repositories import repository
from nautes.resources.product import CodeRepo
from tests.contract.gitlab.support import Receiver, quoted, unique
from tests.integration.activities.support import NOTHING, Systems, survives

EVENTS = ["push_events", "tag_push_events"]


def _keys_order(systems: Systems, *permissions: str) -> KeysInput:
    row = systems.make.project()
    wanted = list(permissions) or ["readonly", "readwrite"]
    return KeysInput.model_validate({"project_id": row["id"], "permissions": wanted})


def _secret(systems: Systems, path: str) -> dict[str, Any] | None:
    return systems.bao.look.read(SecretRef(engine="git", path=path))


def _keys(systems: Systems, input: KeysInput) -> Any:
    """Keys as GitLab has them, each with whether Vault has its other half, its number and its policy."""
    vault, found = systems.bao.look, []
    for key in systems.make.root.seen(f"/projects/{input.project_id}/deploy_keys"):
        permission = str(key["title"]).rpartition("-")[2]
        kept = _secret(systems, names.key_path(input.project_id, permission)) or {}
        policy = vault.get(f"sys/policies/acl/{names.key_policy(input.project_id, permission)}") or {}
        same = kept.get("fingerprint", "").split()[:2] == key["key"].split()[:2]
        found.append((permission, key["can_push"], same, kept.get("id") == str(key["id"]), bool(policy)))
    return sorted(found)


def test_each_permission_gets_a_key_whose_private_half_is_in_vault_only(
    systems: Systems, repositories: RepositoryActivities
) -> None:
    input = _keys_order(systems)
    state = repositories.ensure_keys(input)
    assert state.made == "created"
    assert _keys(systems, input) == [("readonly", False, True, True, True), ("readwrite", True, True, True, True)]
    private = [str((_secret(systems, each.path) or {})["deploykey"]) for each in state.secrets]
    assert all(each.startswith("-----BEGIN OPENSSH PRIVATE KEY-----") for each in private)
    for secret in [line for each in private for line in each.splitlines()[1:-1]]:
        assert secret not in state.model_dump_json()
        assert not _files_with(systems.stand_in.data, secret)
        assert not _files_with(systems.bao.directory, secret)  # encrypted, and not in the audit log


def _files_with(directory: Path, text: str) -> list[Path]:
    return [each for each in directory.rglob("*") if each.is_file() and text.encode() in each.read_bytes()]


def test_keys_that_agree_are_not_written_again(systems: Systems, repositories: RepositoryActivities) -> None:
    input = _keys_order(systems)
    repositories.ensure_keys(input)
    results: list[KeysState] = []
    assert systems.written_by(lambda: results.append(repositories.ensure_keys(input))) == NOTHING
    assert results[0].made == "unchanged"


def test_keys_are_put_back_as_declared(systems: Systems, repositories: RepositoryActivities) -> None:
    input = _keys_order(systems)
    repositories.ensure_keys(input)
    wanted, root, base = _keys(systems, input), systems.make.root, f"/projects/{input.project_id}/deploy_keys"
    first, second = root.seen(base)
    root.put(f"{base}/{first['id']}", can_push=not first["can_push"])
    root.delete(f"{base}/{second['id']}")
    assert _keys(systems, input) != wanted
    repositories.ensure_keys(input)
    assert _keys(systems, input) == wanted


def test_a_key_whose_secret_is_lost_is_replaced(systems: Systems, repositories: RepositoryActivities) -> None:
    input = _keys_order(systems)
    repositories.ensure_keys(input)
    wanted, path = _keys(systems, input), names.key_path(input.project_id, "readonly")
    before = _secret(systems, path)
    systems.bao.look.delete("git", path)
    repositories.ensure_keys(input)
    assert _keys(systems, input) == wanted
    assert _secret(systems, path) != before


def test_keys_survive_a_failure_at_every_call(systems: Systems, repositories: RepositoryActivities) -> None:
    failed = survives(
        systems,
        lambda: _keys_order(systems, "readwrite"),
        repositories.ensure_keys,
        lambda input: _keys(systems, input),
    )
    assert failed >= 12


# Webhooks


def _hook_order(systems: Systems, receiver: Receiver) -> HookInput:
    return HookInput(project_id=systems.make.project(readme=True)["id"], url=receiver.url, events=EVENTS)


def _hooks(systems: Systems, input: HookInput, receiver: Receiver) -> Any:
    """Hooks as GitLab has them, each with whether what it sends carries the secret in Vault."""
    base, found = f"/projects/{input.project_id}/hooks", []
    kept = _secret(systems, names.hook_path(input.project_id)) or {}
    for hook in systems.make.root.seen(base):
        seen = len(receiver.got)
        systems.make.root.made(f"{base}/{hook['id']}/test/push_events")
        headers = receiver.wait(seen + 1)[-1].headers
        signed = "webhook-signature" in headers and headers["x-gitlab-token"] == kept.get("token")
        events = [name for name in hook if name.endswith("_events") and hook[name]]
        found.append((hook["url"], events, signed, kept.get("hook") == str(hook["id"])))
    return found


def test_a_hook_sends_the_secret_that_vault_keeps(
    systems: Systems, repositories: RepositoryActivities, receiver: Receiver
) -> None:
    input = _hook_order(systems, receiver)
    assert repositories.ensure_hook(input).made == "created"
    assert _hooks(systems, input, receiver) == [(receiver.url, EVENTS, True, True)]
    assert systems.written_by(lambda: repositories.ensure_hook(input)) == NOTHING
    assert repositories.ensure_hook(input).made == "unchanged"


def test_a_hook_is_put_back_as_declared_and_others_are_left_alone(
    systems: Systems, repositories: RepositoryActivities, receiver: Receiver
) -> None:
    input, root = _hook_order(systems, receiver), systems.make.root
    base = f"/projects/{input.project_id}/hooks"
    theirs = root.made(base, url="http://127.0.0.1:9/theirs", push_events=False, issues_events=True)
    ours = repositories.ensure_hook(input)
    root.put(f"{base}/{ours.id}", url=receiver.url, push_events=False)
    assert repositories.ensure_hook(input).made == "changed"
    assert root.seen(f"{base}/{ours.id}")["push_events"] is True
    root.delete(f"{base}/{ours.id}")
    assert repositories.ensure_hook(input).made == "created"
    assert root.seen(f"{base}/{theirs['id']}") == theirs


def test_a_hook_survives_a_failure_at_every_call(
    systems: Systems, repositories: RepositoryActivities, receiver: Receiver
) -> None:
    failed = survives(
        systems,
        lambda: _hook_order(systems, receiver),
        repositories.ensure_hook,
        lambda input: _hooks(systems, input, receiver),
    )
    assert failed >= 8


# Removal


def _filled(systems: Systems, repositories: RepositoryActivities, *permissions: str) -> RepositorySecrets:
    input = _keys_order(systems, *permissions)
    repositories.ensure_keys(input)
    repositories.ensure_hook(HookInput(project_id=input.project_id, url="http://127.0.0.1:9/x", events=EVENTS))
    return RepositorySecrets(project_id=input.project_id)


def _left(systems: Systems, input: RepositorySecrets) -> list[str]:
    vault, number = systems.bao.look, input.project_id
    paths = [names.hook_path(number), *(names.key_path(number, each) for each in ("readonly", "readwrite"))]
    policies = [f"sys/policies/acl/{names.key_policy(number, each)}" for each in ("readonly", "readwrite")]
    return [each for each in paths if _secret(systems, each)] + [each for each in policies if vault.get(each)]


def test_all_secrets_of_a_repository_go_and_nothing_there_is_success(
    systems: Systems, repositories: RepositoryActivities
) -> None:
    input = _filled(systems, repositories)
    assert len(_left(systems, input)) == 5
    assert repositories.drop_secrets(input).removed is True
    assert _left(systems, input) == []
    assert systems.written_by(lambda: repositories.drop_secrets(input)) == NOTHING
    assert repositories.drop_secrets(input).removed is False


def test_the_removal_of_secrets_survives_a_failure_at_every_call(
    systems: Systems, repositories: RepositoryActivities
) -> None:
    failed = survives(
        systems,
        lambda: _filled(systems, repositories, "readwrite"),
        repositories.drop_secrets,
        lambda input: _left(systems, input),
        within=("vault",),
    )
    assert failed >= 16


# All of it at once


def _setup(systems: Systems, **more: Any) -> RepositorySetup:
    group = systems.make.group()
    values = {"group": group["path"], "group_id": group["id"], "path": unique("code"), "name": "Code", "new": True}
    permissions = ["readonly", "readwrite"]
    return RepositorySetup.model_validate({**values, "permissions": permissions, "events": EVENTS, **more})


def _attempts(repositories: RepositoryActivities) -> Callable[[RepositorySetup], RepositoryReady]:
    """Every call after the first one of an input is a retry of it, as Temporal would make it."""
    seen: set[str] = set()

    def ensure(input: RepositorySetup) -> RepositoryReady:
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(environment.info, attempt=2 if input.path in seen else 1)
        seen.add(input.path)
        found: RepositoryReady = environment.run(repositories.ensure, input)
        return found

    return ensure


def _equipment(systems: Systems, input: RepositorySetup) -> Any:
    """What GitLab has of a repository, each with whether Vault has its other half."""
    root = systems.make.root
    (row,) = root.seen(f"/groups/{quoted(input.group)}/projects")
    number = row["id"]
    keys = _keys(systems, KeysInput(project_id=number, permissions=input.permissions))
    kept = {path: _secret(systems, path) or {} for path in (names.token_path(number), names.hook_path(number))}
    tokens = [str(each["id"]) == kept[names.token_path(number)].get("id") for each in _tokens(systems, number)]
    hooks = [str(each["id"]) == kept[names.hook_path(number)].get("hook") for each in _webhooks(systems, number)]
    return row["path"], row["name"], keys, tokens, hooks


def _tokens(systems: Systems, number: int) -> list[Any]:
    return [each for each in systems.make.root.seen(f"/projects/{number}/access_tokens") if each["active"]]


def _webhooks(systems: Systems, number: int) -> list[Any]:
    return list(systems.make.root.seen(f"/projects/{number}/hooks"))


def test_a_new_repository_is_equipped_without_a_look_and_says_what_was_made(
    systems: Systems, repositories: RepositoryActivities
) -> None:
    input, ready = _setup(systems), list[RepositoryReady]()
    assert systems.calls_of(lambda: ready.append(repositories.ensure(input)))[0] == 5, (
        "project, two keys, token, webhook"
    )
    assert _equipment(systems, input)[3:] == ([True], [True])
    path = f"{input.group}/{input.path}"
    made = {f"{each.system} {each.action} {each.target}" for each in ready[0].effects}
    assert made >= {
        f"gitlab create repository {path}",
        f"gitlab create deploy key readwrite of {path}",
        f"vault create secret access token of {path}",
        f"gitlab create webhook of {path}",
    }
    planned = repositories_planned(input)
    assert made == planned, "what is done is what the plan says"
    assert ready[0].expires_at
    again = input.model_copy(update={"new": False})
    assert systems.written_by(lambda: ready.append(repositories.ensure(again))) == NOTHING
    assert (ready[1].effects, ready[1].id) == ([], ready[0].id)


def test_an_attempt_after_one_whose_answer_was_lost_says_that_the_repository_is_the_changes_own(
    systems: Systems, repositories: RepositoryActivities
) -> None:
    input, attempt = _setup(systems), _attempts(repositories)
    attempt(input)
    again = attempt(input)
    assert (again.created, again.retried) == (True, True), "the files that the commit writes depend on it"
    others = systems.make.project()
    group, _, path = others["path_with_namespace"].rpartition("/")
    foreign = _setup(systems, group=group, path=path, group_id=0)
    found = attempt(foreign), attempt(foreign)
    assert [each.created for each in found] == [False, False], "somebody made it between the plan and the change"


def repositories_planned(input: RepositorySetup) -> set[str]:
    """The effects of the plan's step for a new repository."""
    declared = CodeRepo(name=input.path, product=input.group, project="web")
    step = repository(input.group, declared, None, known=False, group_is_new=False)
    return {f"{each.system} {each.action} {each.target}" for each in step.effects}


def test_a_repository_that_was_there_keeps_its_settings_when_a_push_declares_it(
    systems: Systems, repositories: RepositoryActivities
) -> None:
    row = systems.make.project()
    group, _, path = row["path_with_namespace"].rpartition("/")
    more = {"group": group, "path": path, "project_id": row["id"], "settings": False, "new": False}
    repositories.ensure(_setup(systems, **more))
    assert systems.make.root.seen(f"/projects/{row['id']}")["name"] == row["name"]
    assert _webhooks(systems, row["id"])


def test_a_repository_with_all_it_needs_survives_a_failure_at_every_call(
    systems: Systems, repositories: RepositoryActivities
) -> None:
    failed = survives(
        systems,
        lambda: _setup(systems),
        _attempts(repositories),
        lambda input: _equipment_without_names(systems, input),
    )
    assert failed >= 20


def _equipment_without_names(systems: Systems, input: RepositorySetup) -> Any:
    return _equipment(systems, input)[1:]


def _made(systems: Systems, repositories: RepositoryActivities) -> RepositoryDeletion:
    ready = repositories.ensure(_setup(systems))
    return RepositoryDeletion(path=ready.path, project_id=ready.id, ours=True)


def test_a_repository_goes_for_good_with_its_secrets_and_nothing_there_is_success(
    systems: Systems, repositories: RepositoryActivities
) -> None:
    input = _made(systems, repositories)
    assert len(_left(systems, RepositorySecrets(project_id=input.project_id))) == 5
    assert repositories.delete(input).removed is True
    assert systems.make.root.get(f"/projects/{input.project_id}").status_code == 404
    assert _left(systems, RepositorySecrets(project_id=input.project_id)) == []
    assert systems.written_by(lambda: repositories.delete(input)) == NOTHING
    assert repositories.delete(input).removed is False


def test_an_undo_deletes_no_repository_that_somebody_else_has_made(
    systems: Systems, repositories: RepositoryActivities
) -> None:
    row = systems.make.project()
    by_path = RepositoryDeletion(path=row["path_with_namespace"], ours=True)
    by_id = RepositoryDeletion(path=f"{row['path_with_namespace']}-before", project_id=row["id"], ours=True)
    for input in (by_path, by_id):
        assert systems.written_by(lambda input=input: repositories.delete(input)) == NOTHING
        assert repositories.delete(input).removed is False


def test_the_removal_of_a_repository_survives_a_failure_at_every_call(
    systems: Systems, repositories: RepositoryActivities
) -> None:
    def look(input: RepositoryDeletion) -> Any:
        gone = systems.make.root.get(f"/projects/{input.project_id}").status_code
        return gone, _left(systems, RepositorySecrets(project_id=input.project_id))

    assert survives(systems, lambda: _made(systems, repositories), repositories.delete, look) >= 20
