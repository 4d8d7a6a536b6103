"""What an older release wrote is read by today's code without loss, and today's code bears what a newer one writes.

States and messages of long-lived workflows pass from one build to the next, in both directions (docs/decisions/0028).
"""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from nautes.messages.status import DeploymentStatus
from nautes.resources.payload import Payload
from tests.samples.examples import examples, from_the_future, lost, read, written
from tests.samples.payloads import payloads
from tests.samples.record import HERE, PACKED, missing, recorded, release, releases, today
from workflows.claims_state import ClaimsState, NamespacesStart

PAYLOADS = payloads()
# Of older releases, knowingly: payloads that nothing sends or reads any more, and fields that are read no more.
RETIRED: frozenset[str] = frozenset()
FORGOTTEN: frozenset[tuple[str, str]] = frozenset()
EVERY = [(of, name) for of in releases() for name in recorded(of)]


def test_every_payload_of_today_is_recorded_as_it_is() -> None:
    unrecorded = sorted(missing(today(), recorded(release())))
    assert unrecorded == [], "record them: python -m tests.samples.record"


@pytest.mark.parametrize(("of", "name"), EVERY, ids=[f"{of}-{name}" for of, name in EVERY])
def test_a_sample_is_read_and_nothing_of_it_is_lost(of: str, name: str) -> None:
    if name in RETIRED:
        assert name not in PAYLOADS
        return
    assert name in PAYLOADS, "RETIRED, or never released: python -m tests.samples.record --anew"
    for sample in recorded(of)[name]:
        found = written(read(PAYLOADS[name], sample))
        assert [each for each in lost(sample, found) if (name, each) not in FORGOTTEN] == []


@pytest.mark.parametrize("of", releases())
def test_a_packed_state_is_read(of: str) -> None:
    packed = (HERE / of / PACKED).read_text().strip()
    sample = recorded(of)["NamespaceClaims/state"][0]
    assert written(NamespacesStart(cluster="edge", packed=packed).state()) == written(read(ClaimsState, sample))


@pytest.mark.parametrize("name", sorted(PAYLOADS))
def test_fields_of_a_newer_release_are_read_over(name: str) -> None:
    """After a roll-out was taken back, the older build reads states that the newer one wrote."""
    for example in examples(PAYLOADS[name]):
        sample = written(example)
        assert read(PAYLOADS[name], from_the_future(PAYLOADS[name], sample)) == example


def test_state_and_messages_of_every_long_lived_workflow_are_among_them() -> None:
    assert {
        "Tenant/input",
        "Cluster/input",
        "Observer/input",
        "Product/input",
        "Deployment/input",
        "Pipeline/input",
    } <= {*PAYLOADS}
    assert "state" in recorded(release())["Deployment/input"][0]
    assert {
        "Deployment/signal/specified/input",
        "NamespaceClaims/update/decide/result",
        "kubernetes.converge/result",
    } <= {*PAYLOADS}


def test_a_new_payload_and_a_new_field_have_to_be_recorded() -> None:
    known = recorded(release())
    assert missing({"New/input": [{}]}, known) == {"New/input": [{}]}
    name = "claims.claim/result"
    assert missing({name: [{**known[name][0], "new": 1}]}, known)


class _Narrower(Payload):
    """A status as a careless release would have it: a field gone, a value of a closed set gone."""

    product: str


@pytest.mark.parametrize(
    ("now", "loss"),
    [
        ({"a": 1}, ["/b", "/c"]),
        ({"a": 1, "b": 1, "c": [{"d": None}]}, ["/b", "/c/0/d"]),
        ({"a": 1, "b": True, "c": []}, ["/c"]),
        ({"a": 1, "b": True, "c": [{"d": "x", "new": 1}], "new": 2}, []),
    ],
)
def test_what_is_lost_is_named(now: dict[str, Any], loss: list[str]) -> None:
    assert list(lost({"a": 1, "b": True, "c": [{"d": "x"}]}, now)) == loss


def test_a_field_that_went_is_a_loss_and_a_value_that_went_is_refused() -> None:
    sample = recorded(release())["Deployment/query/status/result"][0]
    assert "/runtime" in list(lost(sample, read(_Narrower, sample).model_dump()))
    with pytest.raises(ValidationError):
        read(DeploymentStatus, {**sample, "unhealthy": [{**sample["unhealthy"][0], "status": "Gone"}]})
