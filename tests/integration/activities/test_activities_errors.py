"""Errors of outside systems reach the workflow as ours: with a code, the requested delay, and no secret."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from activities.errors import as_application_error
from activities.git import GitActivities
from activities.gitlab import GitLabActivities
from activities.repositories import RepositoryActivities
from activities.vault import VaultActivities
from nautes.clients.git import GitCache
from nautes.clients.gitlab import GitLab
from nautes.clients.kubernetes import Clusters
from nautes.clients.vault import Vault
from nautes.messages.common import Requester
from nautes.messages.errors import (
    Conflict,
    Forbidden,
    NautesError,
    NotFound,
    Refused,
    Unauthenticated,
    Unavailable,
)
from nautes.messages.git import FetchInput
from nautes.messages.gitlab import CommitInput, FileAction, GroupInput, HookInput, RepositoryDeletion, RepositoryInput
from nautes_sandbox.process import free_port
from tests.contract.gitlab.support import DEVELOPER, unique
from tests.integration.activities.support import Systems


def _raised(act: Callable[[], Any]) -> NautesError:
    with pytest.raises(NautesError) as caught:
        act()
    return caught.value


def _harmless(systems: Systems, error: NautesError, *more: str) -> None:
    """Neither the text nor what travels to the workflow holds a secret."""
    travelling = as_application_error(error)
    shown = f"{error} {error!r} {error.__cause__!r} {travelling} {travelling.details}"
    secret = systems.bao.logins.platform.secret_id_file.read_text().strip()
    for each in (systems.stand_in.platform.token, systems.stand_in.root.token, secret, *more):
        assert each not in shown


def _repository(**more: Any) -> RepositoryInput:
    return RepositoryInput.model_validate({"group": unique("nobody"), "path": "p", "name": "p", **more})


def test_gitlab_does_not_have_it(systems: Systems, gitlab_activities: GitLabActivities) -> None:
    error = _raised(lambda: gitlab_activities.ensure_repository(_repository()))
    assert (type(error), error.code, error.final) == (NotFound, "gitlab-not-found", True)
    _harmless(systems, error)


def test_gitlab_refuses_a_name(systems: Systems, gitlab_activities: GitLabActivities) -> None:
    group = systems.make.group()["path"]
    error = _raised(lambda: gitlab_activities.ensure_repository(_repository(group=group, path="bad.git")))
    assert (type(error), error.code) == (Refused, "gitlab-refused")
    assert "can contain only letters" in error.message
    _harmless(systems, error)


def test_gitlab_forbids_it_to_who_has_no_right(systems: Systems) -> None:
    row = systems.make.project()
    person = systems.make.member(row, DEVELOPER)
    activities = RepositoryActivities(GitLab(systems.stand_in.url, person.api.token), systems.vault)
    input = RepositoryDeletion(project_id=row["id"], path=row["path_with_namespace"])
    error = _raised(lambda: activities.delete(input))
    assert (type(error), error.code) == (Forbidden, "gitlab-forbidden")
    _harmless(systems, error, person.api.token)
    assert systems.make.root.get(f"/projects/{row['id']}").status_code == 200


def test_gitlab_does_not_know_the_token(systems: Systems, tenant: str) -> None:
    wrong = unique("glpat")
    activities = GitLabActivities(GitLab(systems.stand_in.url, wrong), tenant)
    error = _raised(lambda: activities.product_paths(1))
    assert type(error) is Unauthenticated
    _harmless(systems, error, wrong)


def test_a_lost_race_is_a_conflict(systems: Systems, gitlab_activities: GitLabActivities) -> None:
    row = systems.make.project(readme=True)
    author = Requester(id=1, username="u", name="n", email="e@example.com")

    def input(action: str, path: str, lock: str = "") -> CommitInput:
        file = FileAction.model_validate({"action": action, "path": path, "content": "x", "last_commit_id": lock})
        return CommitInput(project_id=row["id"], branch="main", actions=[file], message="m", author=author)

    base = f"/projects/{row['id']}/repository"
    old = systems.make.root.seen(f"{base}/files/README.md", ref="main")["last_commit_id"]
    gitlab_activities.commit(input("update", "README.md"))
    for lost in (input("update", "README.md", old), input("create", "README.md"), input("update", "gone.md")):
        error = _raised(lambda input=lost: gitlab_activities.commit(input))
        assert type(error) is Conflict, lost
        _harmless(systems, error)


@pytest.mark.parametrize("status", [500, 502, 503])
def test_an_outage_of_gitlab_is_retried(systems: Systems, gitlab_activities: GitLabActivities, status: int) -> None:
    with systems.failing("gitlab", 1, after=False, status=status):
        error = _raised(lambda: gitlab_activities.product_paths(1))
    assert (type(error), error.code, error.final) == (Unavailable, "gitlab-unavailable", False)
    assert as_application_error(error).non_retryable is False
    _harmless(systems, error)


def test_gitlabs_wish_when_to_come_again_becomes_the_delay(
    systems: Systems, gitlab_activities: GitLabActivities
) -> None:
    with systems.failing("gitlab", 1, after=False, status=429, retry_after=2) as came:
        error = _raised(lambda: gitlab_activities.product_paths(1))
    assert came()
    assert isinstance(error, Unavailable)
    assert error.retry_after == 2
    assert as_application_error(error).next_retry_delay == timedelta(seconds=2)


def test_nobody_at_the_address_is_an_outage(systems: Systems, tenant: str, tmp_path: Any) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    gitlab = GitLabActivities(GitLab(url, systems.stand_in.platform.token), tenant)
    git = GitActivities(GitCache(tmp_path, url, lambda: ("nautes", systems.stand_in.platform.token)))
    vault = Vault(url, "nautes", "some-secret-id")
    for act in (
        lambda: gitlab.product_paths(1),
        lambda: git.fetch(FetchInput(repository="a/b", ref="main")),
        lambda: VaultActivities(vault, Clusters(vault.kubeconfig)).ensure_tenant("t"),
    ):
        error = _raised(act)
        assert type(error) is Unavailable
        _harmless(systems, error, "some-secret-id")


def test_git_tells_what_is_missing_and_what_is_not_ours(systems: Systems, git_activities: GitActivities) -> None:
    row = systems.make.project(readme=True)
    path = row["path_with_namespace"]
    head = systems.make.root.seen(f"/projects/{row['id']}/repository/branches/main")["commit"]["id"]
    assert git_activities.fetch(FetchInput(repository=path, ref="main")) == head
    missing = _raised(lambda: git_activities.fetch(FetchInput(repository=path, ref="nothing")))
    gone = _raised(lambda: git_activities.fetch(FetchInput(repository=f"{path}x", ref="main")))
    assert {type(missing), type(gone)} == {NotFound}
    _harmless(systems, gone)


# Vault


def test_vault_does_not_let_the_api_do_the_workers_work(systems: Systems) -> None:
    vault = systems.bao.vault(systems.bao.logins.api)
    activities = RepositoryActivities(systems.gitlab, vault)
    input = HookInput(project_id=systems.make.project()["id"], url="http://127.0.0.1:9/x", events=["push_events"])
    error = _raised(lambda: activities.ensure_hook(input))
    assert (type(error), error.code) == (Forbidden, "vault-forbidden")
    _harmless(systems, error, systems.bao.logins.api.secret_id_file.read_text().strip())
    assert systems.make.root.seen(f"/projects/{input.project_id}/hooks") == []


def test_vault_refuses_a_wrong_login_without_repeating_it(systems: Systems) -> None:
    vault = Vault(systems.bao.url, "nautes", "some-secret-id")
    error = _raised(lambda: VaultActivities(vault, Clusters(vault.kubeconfig)).ensure_tenant("t"))
    assert error.final
    _harmless(systems, error, "some-secret-id")


def test_two_who_write_one_version_of_a_secret_conflict(systems: Systems, vault_activities: VaultActivities) -> None:
    path = unique("staging/race")
    systems.vault.write("cluster", path, {"kubeconfig": "first-secret"}, cas=0)
    error = _raised(lambda: systems.vault.write("cluster", path, {"kubeconfig": "second-secret"}, cas=0))
    assert (type(error), error.code) == (Conflict, "vault-conflict")
    _harmless(systems, error, "first-secret", "second-secret")


def test_an_error_for_people_names_what_was_attempted(systems: Systems, gitlab_activities: GitLabActivities) -> None:
    input = GroupInput(path="api", name="api", owner=systems.person)
    error = _raised(lambda: gitlab_activities.ensure_group(input))
    travelling = as_application_error(error)
    assert (travelling.type, travelling.non_retryable) == ("Refused", True)
    assert travelling.details[0]["code"] == "gitlab-refused"
    assert "POST /groups" in travelling.message
    assert "reserved" in travelling.message
