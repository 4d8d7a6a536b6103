"""Deploy keys in time and between repositories: they are renewed before they end, and open exactly what they are to open."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

import pytest

from activities.repositories import RepositoryActivities
from nautes.blueprints import vault as names
from nautes.clients.gitlab import GitLab
from nautes.messages.errors import Unavailable
from nautes.messages.gitlab import ForeignKeysInput, ForeignKeysState, KeysInput
from nautes.messages.secrets import SecretRef
from nautes.planning.known import KeyGrant
from tests.contract.gitlab.support import day, public_key
from tests.integration.activities.support import NOTHING, Systems, survives

BOTH = ("readonly", "readwrite")


def _input(number: int, **more: Any) -> KeysInput:
    return KeysInput.model_validate({"project_id": number, "permissions": list(BOTH), **more})


def _kept(systems: Systems, number: int, permission: str) -> dict[str, Any]:
    return systems.bao.look.read(SecretRef(engine="git", path=names.key_path(number, permission))) or {}


def _keys(systems: Systems, number: int) -> dict[int, Any]:
    return {each["id"]: each for each in systems.make.root.seen(f"/projects/{number}/deploy_keys")}


# Their end


def test_keys_end_when_they_are_told_to_and_vault_knows_when(
    systems: Systems, repositories: RepositoryActivities
) -> None:
    number = systems.make.project()["id"]
    state = repositories.ensure_keys(_input(number, days=30))
    assert state.expires_at == day(30)
    assert {each["expires_at"][:10] for each in _keys(systems, number).values()} == {day(30)}
    assert [_kept(systems, number, each)["expires_at"] for each in BOTH] == [day(30)] * 2
    again = _input(number, days=30, renew_before=29)
    assert systems.written_by(lambda: repositories.ensure_keys(again)) == NOTHING
    assert repositories.ensure_keys(again).expires_at == day(30)


def test_keys_without_an_end_have_none(systems: Systems, repositories: RepositoryActivities) -> None:
    number = systems.make.project()["id"]
    assert repositories.ensure_keys(_input(number)).expires_at == ""
    assert {each["expires_at"] for each in _keys(systems, number).values()} == {None}


@pytest.mark.parametrize(
    ("first", "then"),
    [({"days": 10}, {"days": 30, "renew_before": 10}), ({}, {"days": 30}), ({"days": 10}, {"renew_before": 10})],
    ids=["ends soon", "has no end", "is to have none"],
)
def test_a_key_whose_time_has_come_is_replaced_by_a_new_pair(
    systems: Systems, repositories: RepositoryActivities, first: dict[str, int], then: dict[str, int]
) -> None:
    number = systems.make.project()["id"]
    repositories.ensure_keys(_input(number, **first))
    old, secrets = _keys(systems, number), [_kept(systems, number, each)["deploykey"] for each in BOTH]
    state = repositories.ensure_keys(_input(number, **then))
    new = _keys(systems, number)
    assert (state.made, state.expires_at) == ("created", day(30) if "days" in then else "")
    assert (len(new), set(old) & set(new)) == (2, set())
    assert not {each["key"] for each in old.values()} & {each["key"] for each in new.values()}
    for permission, secret in zip(BOTH, secrets, strict=True):
        kept = _kept(systems, number, permission)
        assert kept["deploykey"] != secret
        assert kept["fingerprint"] == new[int(kept["id"])]["key"]
    assert systems.written_by(lambda: repositories.ensure_keys(_input(number, **then))) == NOTHING


def test_a_new_key_is_not_due_at_once(systems: Systems, repositories: RepositoryActivities) -> None:
    input = _input(systems.make.project()["id"], days=5, renew_before=30)
    repositories.ensure_keys(input)
    assert systems.written_by(lambda: repositories.ensure_keys(input)) == NOTHING


def test_a_key_that_has_ended_in_gitlab_is_replaced(systems: Systems, repositories: RepositoryActivities) -> None:
    number = systems.make.project()["id"]
    repositories.ensure_keys(_input(number))
    old = _keys(systems, number)
    _end_now(systems, next(iter(old)))
    repositories.ensure_keys(_input(number))
    new = _keys(systems, number)
    assert len(set(old) & set(new)) == 1
    assert {each["expires_at"] for each in new.values()} == {None}


def _end_now(systems: Systems, key: int) -> None:
    """Let time pass, in GitLab's database."""
    with sqlite3.connect(systems.stand_in.data / "gitlab.db", timeout=10) as database:
        database.execute("update keys set expires_at = '2020-01-01T00:00:00.000Z' where id = ?", (key,))


def test_a_renewal_survives_a_failure_at_every_call(systems: Systems, repositories: RepositoryActivities) -> None:
    def arrange() -> KeysInput:
        number = systems.make.project()["id"]
        repositories.ensure_keys(_input(number, permissions=["readwrite"], days=5))
        return _input(number, permissions=["readwrite"], days=30, renew_before=5)

    def look(input: KeysInput) -> Any:
        kept = _kept(systems, input.project_id, "readwrite")
        return [
            (each["expires_at"][:10], each["can_push"], each["key"] == kept["fingerprint"], str(number) == kept["id"])
            for number, each in _keys(systems, input.project_id).items()
        ]

    assert survives(systems, arrange, repositories.ensure_keys, look) >= 12


# Between repositories


@dataclass
class Shared:
    """A repository that others' keys open: itself with its own keys and a person's, and two consumers with theirs."""

    systems: Systems
    repositories: RepositoryActivities
    target: int
    one: int
    two: int

    @classmethod
    def of(cls, systems: Systems, repositories: RepositoryActivities) -> Shared:
        numbers = [systems.make.project()["id"] for _ in range(3)]
        for number in numbers:
            repositories.ensure_keys(_input(number))
        systems.make.root.made(f"/projects/{numbers[0]}/deploy_keys", title="a person's", key=public_key())
        return cls(systems, repositories, *numbers)

    def input(self, *wanted: tuple[int, str]) -> ForeignKeysInput:
        grants = [KeyGrant.model_validate({"project_id": number, "permission": each}) for number, each in wanted]
        return ForeignKeysInput(project_id=self.target, path="shop/target", wanted=grants)

    def agree(self, *wanted: tuple[int, str]) -> ForeignKeysState:
        return self.repositories.ensure_foreign_keys(self.input(*wanted))

    def others(self) -> dict[str, bool]:
        """Keys of other repositories on the target, as "one:readonly", and whether they may push."""
        names_of = {self.one: "one", self.two: "two"}
        found = {}
        for key in _keys(self.systems, self.target).values():
            for number, name in names_of.items():
                for permission in BOTH:
                    if _kept(self.systems, number, permission).get("fingerprint") == key["key"]:
                        found[f"{name}:{permission}"] = bool(key["can_push"])
        return found

    def untouched(self) -> list[Any]:
        """The target's own keys and the person's."""
        own = [names.key_title(self.target, each) for each in BOTH]
        return [each for each in _keys(self.systems, self.target).values() if each["title"] in [*own, "a person's"]]


@pytest.fixture
def shared(systems: Systems, repositories: RepositoryActivities) -> Shared:
    return Shared.of(systems, repositories)


def test_the_keys_that_are_wanted_open_the_repository_and_are_the_very_keys_of_their_owners(shared: Shared) -> None:
    before = shared.untouched()
    agreed = shared.agree((shared.one, "readwrite"), (shared.two, "readonly"))
    titles = [names.key_title(shared.one, "readwrite"), names.key_title(shared.two, "readonly")]
    assert (agreed.made, agreed.added, agreed.removed, agreed.changed) == ("changed", titles, [], [])
    assert shared.others() == {"one:readwrite": True, "two:readonly": False}
    assert set(_keys(shared.systems, shared.one)) & set(_keys(shared.systems, shared.target))
    assert shared.untouched() == before
    assert len(before) == 3


def test_keys_that_agree_are_not_written_again(shared: Shared) -> None:
    wanted = ((shared.one, "readwrite"), (shared.two, "readonly"))
    shared.agree(*wanted)
    assert shared.systems.written_by(lambda: shared.agree(*wanted)) == NOTHING
    assert shared.agree(*wanted) == ForeignKeysState(made="unchanged")


def test_a_key_that_is_wanted_no_more_is_taken_away_there_and_nowhere_else(shared: Shared) -> None:
    before, own = shared.untouched(), _keys(shared.systems, shared.one)
    shared.agree((shared.one, "readwrite"), (shared.one, "readonly"), (shared.two, "readonly"))
    agreed = shared.agree((shared.one, "readonly"))
    gone = {names.key_title(shared.one, "readwrite"), names.key_title(shared.two, "readonly")}
    assert (set(agreed.removed), agreed.added) == (gone, [])
    assert shared.others() == {"one:readonly": False}
    assert shared.agree().removed == [names.key_title(shared.one, "readonly")]
    assert (shared.others(), shared.untouched()) == ({}, before)
    assert _keys(shared.systems, shared.one) == own


def test_the_right_to_push_is_put_right_whoever_changed_it(shared: Shared) -> None:
    wanted, root = ((shared.one, "readwrite"), (shared.two, "readonly")), shared.systems.make.root
    shared.agree(*wanted)
    for number, permission, push in ((shared.one, "readwrite", False), (shared.two, "readonly", True)):
        key = _kept(shared.systems, number, permission)["id"]
        assert root.put(f"/projects/{shared.target}/deploy_keys/{key}", can_push=push).status_code == 200
    assert len(shared.agree(*wanted).changed) == 2
    assert shared.others() == {"one:readwrite": True, "two:readonly": False}


def test_the_old_half_of_a_renewed_key_goes_and_the_new_one_comes(shared: Shared) -> None:
    shared.agree((shared.one, "readonly"))
    old = _kept(shared.systems, shared.one, "readonly")
    shared.repositories.ensure_keys(_input(shared.one, days=30))
    assert int(old["id"]) in _keys(shared.systems, shared.target), "until it is agreed on, the old one still opens"
    agreed = shared.agree((shared.one, "readonly"))
    title = names.key_title(shared.one, "readonly")
    assert (agreed.added, agreed.removed) == ([title], [title])
    assert int(old["id"]) not in _keys(shared.systems, shared.target)
    assert shared.others() == {"one:readonly": False}


def test_a_consumer_whose_key_is_not_in_vault_is_named_and_left_as_it_is(shared: Shared) -> None:
    wanted = ((shared.one, "readonly"), (shared.two, "readonly"))
    shared.agree(*wanted)
    before = _keys(shared.systems, shared.target)
    shared.systems.bao.look.delete("git", names.key_path(shared.one, "readonly"))
    agreed = shared.agree(*wanted)
    assert (agreed.made, agreed.missing) == ("unchanged", [names.key_title(shared.one, "readonly")])
    assert _keys(shared.systems, shared.target) == before
    assert shared.agree((shared.two, "readonly")).removed == [names.key_title(shared.one, "readonly")]


def test_a_key_that_has_ended_opens_nothing_anew(shared: Shared) -> None:
    path = names.key_path(shared.one, "readonly")
    kept = _kept(shared.systems, shared.one, "readonly")
    shared.systems.bao.look.write("git", path, {**kept, "expires_at": day(0)})
    assert shared.agree((shared.one, "readonly")).missing == [names.key_title(shared.one, "readonly")]
    assert shared.others() == {}


def test_a_key_is_known_by_its_half_under_any_title(shared: Shared) -> None:
    shared.agree((shared.one, "readonly"))
    key = _kept(shared.systems, shared.one, "readonly")["id"]
    shared.systems.make.root.put(f"/projects/{shared.one}/deploy_keys/{key}", title="renamed")
    assert shared.systems.written_by(lambda: shared.agree((shared.one, "readonly"))) == NOTHING


def test_the_own_keys_of_a_repository_are_not_agreed_on(shared: Shared) -> None:
    before = shared.untouched()
    wanted = [(shared.target, each) for each in BOTH]
    assert shared.systems.written_by(lambda: shared.agree(*wanted)) == NOTHING
    assert shared.agree() == ForeignKeysState(made="unchanged")
    assert shared.untouched() == before


def test_a_key_opens_a_repository_before_its_own_has_it(shared: Shared) -> None:
    number = _kept(shared.systems, shared.one, "readonly")["id"]
    assert shared.systems.make.root.delete(f"/projects/{shared.one}/deploy_keys/{number}").status_code == 204
    shared.agree((shared.one, "readonly"))
    assert shared.others() == {"one:readonly": False}
    shared.repositories.ensure_keys(_input(shared.one))
    assert int(_kept(shared.systems, shared.one, "readonly")["id"]) in _keys(shared.systems, shared.target)


def test_private_halves_stay_in_vault(shared: Shared) -> None:
    agreed = shared.agree((shared.one, "readwrite"))
    lines = _kept(shared.systems, shared.one, "readwrite")["deploykey"].splitlines()[1:-1]
    database = b"".join(each.read_bytes() for each in shared.systems.stand_in.data.glob("gitlab.db*"))
    for line in lines:
        assert line not in agreed.model_dump_json()
        assert line.encode() not in database


def test_an_answer_that_does_not_hold_is_not_believed(systems: Systems, repositories: RepositoryActivities) -> None:
    class Deaf(GitLab):
        def delete(self, path: str, /, **query: Any) -> bool:
            return True

    shared = Shared.of(systems, repositories)
    shared.agree((shared.one, "readonly"))
    shared.repositories = RepositoryActivities(
        Deaf(systems.stand_in.url, systems.stand_in.platform.token), systems.vault
    )
    with pytest.raises(Unavailable) as error:
        shared.agree()
    assert error.value.code == "keys-disagree"
    assert shared.others() == {"one:readonly": False}


def test_an_agreement_survives_a_failure_at_every_call(systems: Systems, repositories: RepositoryActivities) -> None:
    made: dict[int, Shared] = {}

    def arrange() -> ForeignKeysInput:
        shared = Shared.of(systems, repositories)
        shared.agree((shared.one, "readwrite"), (shared.two, "readonly"))
        key = _kept(systems, shared.one, "readwrite")["id"]
        systems.make.root.put(f"/projects/{shared.target}/deploy_keys/{key}", can_push=False)
        made[shared.target] = shared
        return shared.input((shared.one, "readwrite"), (shared.two, "readwrite"))

    def look(input: ForeignKeysInput) -> Any:
        shared = made[input.project_id]
        return shared.others(), len(_keys(systems, shared.target))

    assert survives(systems, arrange, repositories.ensure_foreign_keys, look) >= 12
