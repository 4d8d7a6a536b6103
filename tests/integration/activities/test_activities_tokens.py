"""Project access tokens: exactly one is valid, and Vault holds it. And what is left of a withdrawn repository."""

from __future__ import annotations

from typing import Any

import pytest

from activities.repositories import RepositoryActivities
from nautes.blueprints import vault as names
from nautes.messages.gitlab import ForeignKeysInput, HookInput, KeysInput, TokenInput, WithdrawInput
from nautes.messages.secrets import SecretRef
from nautes.messages.vault import RepositorySecrets
from nautes.planning.known import KeyGrant
from tests.contract.gitlab.support import MAINTAINER, Api, day
from tests.integration.activities.support import NOTHING, Systems, survives

HOOKS = "http://127.0.0.1:9/hooks"


def _input(systems: Systems, **more: Any) -> TokenInput:
    return TokenInput(project_id=systems.make.project()["id"], **more)


def _kept(systems: Systems, number: int) -> dict[str, Any]:
    return systems.bao.look.read(SecretRef(engine="git", path=names.token_path(number))) or {}


def _tokens(systems: Systems, number: int) -> list[Any]:
    return list(systems.make.root.seen(f"/projects/{number}/access_tokens", state="active"))


def _status(systems: Systems, number: int, token: str) -> int:
    return Api(systems.stand_in.url, token).get(f"/projects/{number}/hooks").status_code


def test_a_repository_gets_a_token_that_is_in_vault_and_nowhere_else(
    systems: Systems, repositories: RepositoryActivities
) -> None:
    input = _input(systems, days=60)
    state = repositories.ensure_token(input)
    (token,), kept = _tokens(systems, input.project_id), _kept(systems, input.project_id)
    assert (state.made, state.expires_at, token["expires_at"]) == ("created", day(60), day(60))
    assert (token["name"], token["scopes"], token["access_level"]) == ("accesstoken-api", ["api"], MAINTAINER)
    assert (kept["id"], kept["expires_at"]) == (str(token["id"]), day(60))
    assert _status(systems, input.project_id, kept["accesstoken"]) == 200
    policy = systems.bao.look.get(f"sys/policies/acl/gitlab-repo-{input.project_id}-default-accesstoken-api") or {}
    assert f"git/data/gitlab/repo-{input.project_id}/default/accesstoken-api" in policy["policy"]
    assert kept["accesstoken"] not in state.model_dump_json()
    for each in [*systems.stand_in.data.glob("gitlab.db*"), *systems.bao.directory.rglob("*.log")]:
        assert kept["accesstoken"].encode() not in each.read_bytes()


def test_a_good_token_is_kept(systems: Systems, repositories: RepositoryActivities) -> None:
    input = _input(systems, days=60, renew_before=59)
    state = repositories.ensure_token(input)
    assert systems.written_by(lambda: repositories.ensure_token(input)) == NOTHING
    assert repositories.ensure_token(input).model_copy(update={"secret": state.secret}) == state.model_copy(
        update={"made": "unchanged"}
    )


def test_a_new_token_is_not_due_at_once(systems: Systems, repositories: RepositoryActivities) -> None:
    input = _input(systems, days=5, renew_before=30)
    repositories.ensure_token(input)
    assert systems.written_by(lambda: repositories.ensure_token(input)) == NOTHING


def test_a_token_that_ends_soon_is_replaced_and_the_old_one_opens_nothing(
    systems: Systems, repositories: RepositoryActivities
) -> None:
    input = _input(systems, days=10)
    repositories.ensure_token(input)
    old = _kept(systems, input.project_id)
    state = repositories.ensure_token(TokenInput(project_id=input.project_id, days=90, renew_before=10))
    new = _kept(systems, input.project_id)
    assert (state.made, state.expires_at, new["expires_at"]) == ("changed", day(90), day(90))
    assert [str(each["id"]) for each in _tokens(systems, input.project_id)] == [new["id"]]
    assert _status(systems, input.project_id, old["accesstoken"]) == 401
    assert _status(systems, input.project_id, new["accesstoken"]) == 200
    bots = [
        each for each in systems.make.root.seen(f"/projects/{input.project_id}/members") if "bot" in each["username"]
    ]
    assert len(bots) == 1


@pytest.mark.parametrize("who", ["revoked in GitLab", "lost in Vault", "rotated by somebody"])
def test_a_token_that_is_gone_on_one_side_is_made_anew(
    systems: Systems, repositories: RepositoryActivities, who: str
) -> None:
    input = _input(systems)
    repositories.ensure_token(input)
    old = _kept(systems, input.project_id)
    base = f"/projects/{input.project_id}/access_tokens/{old['id']}"
    if who == "lost in Vault":
        systems.bao.look.delete("git", names.token_path(input.project_id))
    elif who == "rotated by somebody":
        assert systems.make.root.post(f"{base}/rotate").status_code == 200
    else:
        assert systems.make.root.delete(base).status_code == 204
    repositories.ensure_token(input)
    new = _kept(systems, input.project_id)
    assert [str(each["id"]) for each in _tokens(systems, input.project_id)] == [new["id"]]
    assert _status(systems, input.project_id, new["accesstoken"]) == 200
    assert _status(systems, input.project_id, old["accesstoken"]) == 401


def test_a_token_nobody_knows_is_revoked_and_those_of_other_names_are_left(
    systems: Systems, repositories: RepositoryActivities
) -> None:
    input = _input(systems)
    repositories.ensure_token(input)
    root, base = systems.make.root, f"/projects/{input.project_id}/access_tokens"
    body = {"scopes": ["api"], "expires_at": day(30)}
    orphan = root.made(base, name="accesstoken-api", **body)
    theirs = root.made(base, name="theirs", **body)
    assert repositories.ensure_token(input).made == "changed"
    assert _status(systems, input.project_id, orphan["token"]) == 401
    assert _status(systems, input.project_id, theirs["token"]) == 200
    assert len(_tokens(systems, input.project_id)) == 2


@pytest.mark.parametrize("wrong", [{"access_level": 20}, {"scopes": ["read_api"]}])
def test_a_token_that_may_do_less_than_ours_is_not_ours(
    systems: Systems, repositories: RepositoryActivities, wrong: dict[str, Any]
) -> None:
    input = _input(systems)
    body = {"name": "accesstoken-api", "scopes": ["api"], "expires_at": day(90), **wrong}
    weak = systems.make.root.made(f"/projects/{input.project_id}/access_tokens", **body)
    kept = {"accesstoken": weak["token"], "id": str(weak["id"]), "expires_at": day(90)}
    systems.bao.look.write("git", names.token_path(input.project_id), kept)
    repositories.ensure_token(input)
    assert _kept(systems, input.project_id)["id"] != str(weak["id"])
    assert [each["scopes"] for each in _tokens(systems, input.project_id)] == [["api"]]


def test_a_token_survives_a_failure_at_every_call(systems: Systems, repositories: RepositoryActivities) -> None:
    def arrange() -> TokenInput:
        input = _input(systems, days=5)
        repositories.ensure_token(input)
        return input.model_copy(update={"days": 60, "renew_before": 5})

    def look(input: TokenInput) -> Any:
        kept = _kept(systems, input.project_id)
        same = [str(each["id"]) == kept["id"] for each in _tokens(systems, input.project_id)]
        return same, kept["expires_at"], _status(systems, input.project_id, kept["accesstoken"])

    assert survives(systems, arrange, repositories.ensure_token, look) >= 12


# Given up


def _filled(systems: Systems, repositories: RepositoryActivities, *permissions: str) -> WithdrawInput:
    """A repository with everything of ours and something of others: a key, a webhook, a token of theirs."""
    number, consumer = (systems.make.project()["id"] for _ in range(2))
    for each in (number, consumer):
        repositories.ensure_keys(KeysInput.model_validate({"project_id": each, "permissions": ["readonly"]}))
    grant = KeyGrant(project_id=consumer, permission="readonly")
    repositories.ensure_foreign_keys(ForeignKeysInput(project_id=number, wanted=[grant]))
    repositories.ensure_token(TokenInput(project_id=number))
    repositories.ensure_hook(HookInput(project_id=number, url=f"{HOOKS}/{number}", events=["push_events"]))
    root, base = systems.make.root, f"/projects/{number}"
    root.made(f"{base}/hooks", url="http://127.0.0.1:9/theirs")
    root.made(f"{base}/access_tokens", name="theirs", scopes=["api"], expires_at=day(30))
    return WithdrawInput(project_id=number, path="shop/api")


def _left(systems: Systems, input: WithdrawInput) -> list[str]:
    root, base = systems.make.root, f"/projects/{input.project_id}"
    keys = [str(each["title"]).partition("-")[0] for each in root.seen(f"{base}/deploy_keys")]
    hooks = [str(each["url"]).rpartition("/")[2] for each in root.seen(f"{base}/hooks")]
    return sorted([*keys, *hooks, *(str(each["name"]) for each in _tokens(systems, input.project_id))])


def test_what_is_ours_goes_from_a_repository_that_is_given_up_and_the_rest_stays(
    systems: Systems, repositories: RepositoryActivities
) -> None:
    input = _filled(systems, repositories)
    number = str(input.project_id)
    assert _left(systems, input) == sorted(["repo", "repo", number, "accesstoken-api", "theirs", "theirs"])
    assert repositories.withdraw(input).removed is True
    assert _left(systems, input) == ["theirs", "theirs"]
    assert systems.written_by(lambda: repositories.withdraw(input)) == NOTHING
    assert repositories.withdraw(input).removed is False


def test_without_an_address_no_webhook_is_taken_for_ours(systems: Systems, repositories: RepositoryActivities) -> None:
    input = _filled(systems, repositories)
    RepositoryActivities(systems.gitlab, systems.vault).withdraw(input)
    assert _left(systems, input) == sorted([str(input.project_id), "theirs", "theirs"])


def test_a_repository_that_is_gone_has_nothing_to_give_up(systems: Systems, repositories: RepositoryActivities) -> None:
    input = WithdrawInput(project_id=999_999_999)
    assert repositories.withdraw(input).removed is False


def test_giving_up_survives_a_failure_at_every_call(systems: Systems, repositories: RepositoryActivities) -> None:
    failed = survives(
        systems,
        lambda: _filled(systems, repositories),
        repositories.withdraw,
        lambda input: _left(systems, input),
        within=("gitlab",),
    )
    assert failed >= 12


def test_a_token_goes_from_vault_with_the_other_secrets(systems: Systems, repositories: RepositoryActivities) -> None:
    input = _input(systems)
    repositories.ensure_token(input)
    assert repositories.drop_secrets(RepositorySecrets(project_id=input.project_id)).removed is True
    assert _kept(systems, input.project_id) == {}
    assert systems.bao.look.get(f"sys/policies/acl/{names.token_policy(input.project_id)}") is None


# What it costs to find that nothing differs


def test_looking_is_cheap(systems: Systems, repositories: RepositoryActivities) -> None:
    input = _filled(systems, repositories)
    number, consumer = input.project_id, systems.make.project()["id"]
    both = ["readonly", "readwrite"]
    for each in (number, consumer):
        repositories.ensure_keys(KeysInput.model_validate({"project_id": each, "permissions": both}))
    keys = KeysInput.model_validate({"project_id": number, "permissions": both})
    grants = [KeyGrant.model_validate({"project_id": consumer, "permission": each}) for each in both]
    agreement = ForeignKeysInput(project_id=number, wanted=grants)
    repositories.ensure_foreign_keys(agreement)
    assert systems.calls_of(lambda: repositories.ensure_keys(keys)) == (1, 4)
    assert systems.calls_of(lambda: repositories.ensure_foreign_keys(agreement)) == (1, 2)
    assert systems.calls_of(lambda: repositories.ensure_token(TokenInput(project_id=number))) == (1, 2)
    repositories.withdraw(input)
    assert systems.calls_of(lambda: repositories.withdraw(input)) == (3, 7)
    assert systems.calls_of(lambda: repositories.drop_secrets(RepositorySecrets(project_id=number))) == (0, 7)
