"""What an event about an object means, from its metadata alone."""

from __future__ import annotations

from typing import Any

import pytest

from nautes.convergence.observed import Seen, difference_of, fingerprint, meaning, seen

OWNER = "product-1-web"


def item(fields: dict[str, Any] | None, applied: str = "2026-01-01T00:00:00Z", **meta: Any) -> dict[str, Any]:
    """An object as a watch of metadata shows it; `fields` None: not applied by us."""
    ours = {"manager": "nautes", "operation": "Apply", "apiVersion": "v1", "time": applied, "fieldsV1": fields}
    theirs = {"manager": "kubectl-edit", "operation": "Update", "time": "2026-01-02T00:00:00Z", "fieldsV1": {"f:x": {}}}
    entries = [theirs] if fields is None else [theirs, ours]
    labels = {"applyset.kubernetes.io/part-of": OWNER}
    return {"metadata": {"name": "a", "uid": "1", "generation": 1, "labels": labels, "managedFields": entries, **meta}}


BEFORE = item({"f:data": {"f:k": {}}})


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (item({"f:data": {}}), "drift"),
        (item({"f:data": {}}, "2026-01-01T00:00:09Z"), None),
        (item({"f:data": {"f:k": {}}}, generation=2), "health"),
        (item({"f:data": {"f:k": {}}}, resourceVersion="9"), "health"),
        (item(None), "drift"),
        (item({"f:data": {"f:k": {}}}, labels={}), "drift"),
        (None, "drift"),
    ],
    ids=[
        "a field of ours is theirs",
        "we applied",
        "a field of theirs",
        "its status",
        "all are theirs",
        "label",
        "gone",
    ],
)
def test_what_an_event_means(after: dict[str, Any] | None, expected: str | None) -> None:
    assert meaning(seen(BEFORE), seen(after) if after else None) == expected


def test_a_new_object_means_nothing_and_one_that_we_did_not_apply_is_not_seen() -> None:
    assert meaning(None, seen(BEFORE)) is None
    assert seen(item(None)) is None


def test_a_fingerprint_tells_an_edit_from_a_status() -> None:
    def of(**meta: Any) -> str:
        found = seen(item({"f:data": {}}, **meta))
        assert isinstance(found, Seen)
        return fingerprint({"ConfigMap/a": found})

    same = of(resourceVersion="7")
    assert difference_of(same, of(resourceVersion="7")) is None
    assert (
        difference_of(same, of(resourceVersion="8", annotations={"deployment.kubernetes.io/revision": "2"})) == "health"
    )
    for edited in ({"generation": 2}, {"uid": "2"}, {"annotations": {"a": "b"}}, {"deletionTimestamp": "now"}):
        assert difference_of(same, of(resourceVersion="7", **edited)) == "drift"
    assert difference_of("", same) == difference_of(same, "") == "drift"
