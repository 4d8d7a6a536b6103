"""What a webhook's body is read as: a push of this repository, nothing of ours, or a refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.hooks import _push
from nautes.messages.errors import NautesError, Refused
from nautes.messages.gitlab import Push, push_event

BODY: dict[str, Any] = {
    "object_kind": "push",
    "project_id": 15,
    "project": {"path_with_namespace": "shop/source"},
    "ref": "refs/heads/main",
    "before": "95790bf891e76fee5e1747ab589903a6a1f80f22",
    "after": "da1560886d4f094c3e6c9ef40349f7d38b5d27d7",
}


def read(body: Any, project_id: int = 15) -> Push | None:
    return _push(project_id, json.dumps(body).encode(), "delivery-1")


def test_a_push_and_a_tag_push_are_read() -> None:
    push = read(BODY)
    assert push is not None
    assert (push.project_id, push.repository, push.ref, push.kind) == (15, "shop/source", BODY["ref"], "push_events")
    assert push.event == push_event(15, BODY["ref"], BODY["before"], BODY["after"]), "the same as from the sweep"
    assert push.delivery == "delivery-1"
    tag = read({**BODY, "object_kind": "tag_push", "ref": "refs/tags/v1"})
    assert tag is not None
    assert (tag.kind, tag.ref) == ("tag_push_events", "refs/tags/v1")


@pytest.mark.parametrize("kind", ["issue", "merge_request", "", "Push"])
def test_other_events_are_passed_over(kind: str) -> None:
    assert read({**BODY, "object_kind": kind}) is None


@pytest.mark.parametrize("missing", ["project_id", "project", "ref", "before", "after"])
def test_a_body_without_a_field_is_refused(missing: str) -> None:
    with pytest.raises(Refused) as refusal:
        read({key: value for key, value in BODY.items() if key != missing})
    assert refusal.value.code == "webhook-payload"


@pytest.mark.parametrize(
    "wrong",
    [{"project_id": "shop"}, {"project_id": None}, {"project_id": [15]}, {"project": "shop"}, {"project": None}],
)
def test_a_body_of_another_shape_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refusal:
        read({**BODY, **wrong})
    assert refusal.value.code == "webhook-payload"


def test_another_projects_push_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        read(BODY, project_id=16)
    assert refusal.value.code == "webhook-project"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"5", b'"push"', b"\xff"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refused) as refusal:
        _push(15, body, "")
    assert refusal.value.code == "webhook-payload"


@given(st.dictionaries(st.sampled_from([*BODY]), st.none() | st.booleans() | st.integers() | st.text(max_size=5)))
def test_no_body_makes_it_raise_anything_else(wrong: dict[str, Any]) -> None:
    try:
        found = read({**BODY, **wrong})
    except NautesError as error:
        assert error.code in ("webhook-payload", "webhook-project")
    else:
        assert found is None or found.project_id == 15
