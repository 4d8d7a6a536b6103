"""Server-side apply: owners of fields, conflicts, and removal of fields that are applied no more."""

from __future__ import annotations

from typing import Any

from tests.contract.kubernetes.support import APPLY, MERGE, Space, config, deployment, fields_of, refused


def containers(item: dict[str, Any]) -> list[dict[str, Any]]:
    return list(item["spec"]["template"]["spec"]["containers"])


def test_applying_creates_and_then_changes(space: Space) -> None:
    answer = space.api.applying(space.maps("a"), config("a"))
    assert (answer.status_code, answer.json()["data"]) == (201, {"k": "1"})
    answer = space.api.applying(space.maps("a"), config("a", {"k": "2"}))
    assert (answer.status_code, answer.json()["data"]) == (200, {"k": "2"})


def test_applying_the_same_again_makes_no_version(space: Space) -> None:
    first = space.api.apply(space.maps("a"), config("a"))  # of a kind that no controller writes to
    again = space.api.apply(space.maps("a"), config("a"))
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert again["metadata"]["managedFields"] == first["metadata"]["managedFields"]


def test_the_owner_of_applied_fields_is_recorded(space: Space) -> None:
    made = space.api.apply(space.maps("a"), config("a", labels={"x": "y"}))
    entry = made["metadata"]["managedFields"][0]
    assert [entry[name] for name in ("manager", "operation", "apiVersion", "fieldsType")] == [
        "one",
        "Apply",
        "v1",
        "FieldsV1",
    ]
    assert entry["fieldsV1"] == {"f:data": {"f:k": {}}, "f:metadata": {"f:labels": {"f:x": {}}}}


def test_items_of_lists_are_recorded_by_their_keys(space: Space) -> None:
    item = deployment()
    containers(item)[0]["ports"] = [{"containerPort": 80, "protocol": "TCP"}]
    containers(item)[0]["env"] = [{"name": "A", "value": "1"}]
    made = space.api.apply(space.path("deployments", "web", "apps/v1"), item)
    template = fields_of(made, "one")["f:spec"]["f:template"]["f:spec"]
    container = template["f:containers"]['k:{"name":"web"}']
    assert {".", "f:name", "f:image", "f:ports", "f:env"} == set(container)
    assert set(container["f:ports"]) == {'k:{"containerPort":80,"protocol":"TCP"}'}
    assert container["f:env"]['k:{"name":"A"}'] == {".": {}, "f:name": {}, "f:value": {}}


def test_a_plain_write_owns_what_it_wrote(space: Space) -> None:
    made = space.api.create(space.maps(), config("a"))
    entry = made["metadata"]["managedFields"][0]
    assert (entry["manager"], entry["operation"]) == ("contract", "Update")
    assert entry["fieldsV1"] == {"f:data": {".": {}, "f:k": {}}}
    changed = space.api.patch(space.maps("a"), {"data": {"l": "1"}}, MERGE, fieldManager="hand")
    assert fields_of(changed, "hand") == {"f:data": {"f:l": {}}}


def test_a_field_declared_no_more_goes(space: Space) -> None:
    space.api.apply(space.maps("a"), config("a", {"k": "1", "l": "1"}))
    assert space.api.apply(space.maps("a"), config("a"))["data"] == {"k": "1"}


def test_a_field_declared_no_more_stays_while_another_declares_it(space: Space) -> None:
    space.api.apply(space.maps("a"), config("a", {"k": "1", "l": "1"}))
    space.api.apply(space.maps("a"), config("a", {"l": "1"}), "two")
    assert space.api.apply(space.maps("a"), config("a"))["data"] == {"k": "1", "l": "1"}
    assert space.api.apply(space.maps("a"), config("a", {}), "two")["data"] == {"k": "1"}


def test_an_item_declared_no_more_goes_with_all_its_fields(space: Space) -> None:
    path, item = space.path("deployments", "web", "apps/v1"), deployment()
    containers(item).append({"name": "side", "image": "side:1"})
    item["spec"]["template"]["spec"]["containers"] = [*containers(item), {"name": "side", "image": "side:1"}]
    assert len(containers(space.api.apply(path, item))) == 2
    assert [each["name"] for each in containers(space.api.apply(path, deployment()))] == ["web"]


def test_another_owner_is_in_the_way(space: Space) -> None:
    space.api.apply(space.maps("a"), config("a"))
    answer = space.api.applying(space.maps("a"), config("a", {"k": "2"}), "two")
    assert refused(answer) == (409, "Conflict")
    assert answer.json()["message"] == 'Apply failed with 1 conflict: conflict with "one": .data.k'
    cause = {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.k"}
    assert answer.json()["details"]["causes"] == [cause]
    assert space.api.get(space.maps("a"))["data"] == {"k": "1"}


def test_every_owner_in_the_way_is_named(space: Space) -> None:
    space.api.apply(space.maps("a"), config("a"))
    space.api.patch(space.maps("a"), {"data": {"l": "1"}}, MERGE, fieldManager="hand")
    answer = space.api.applying(space.maps("a"), config("a", {"k": "2", "l": "2"}), "two")
    message = answer.json()["message"]
    assert message.startswith("Apply failed with 2 conflicts: ")
    assert 'conflicts with "one":\n- .data.k' in message
    assert 'conflicts with "hand" using v1' in message and "- .data.l" in message


def test_a_conflict_in_a_list_names_the_item(space: Space) -> None:
    path = space.path("deployments", "web", "apps/v1")
    space.api.apply(path, deployment())
    answer = space.api.applying(path, deployment(image="web:2"), "two")
    causes = answer.json()["details"]["causes"]
    assert [each["field"] for each in causes] == ['.spec.template.spec.containers[name="web"].image']


def test_the_same_value_can_have_two_owners(space: Space) -> None:
    space.api.apply(space.maps("a"), config("a"))
    both = space.api.apply(space.maps("a"), config("a"), "two")
    assert fields_of(both, "one") == fields_of(both, "two") == {"f:data": {"f:k": {}}}


def test_force_takes_fields_from_their_owners(space: Space) -> None:
    space.api.apply(space.maps("a"), config("a", {"k": "1", "l": "1"}))
    made = space.api.apply(space.maps("a"), config("a", {"k": "2"}), "two", force=True)
    assert made["data"] == {"k": "2", "l": "1"}
    assert fields_of(made, "one") == {"f:data": {"f:l": {}}}
    assert fields_of(made, "two") == {"f:data": {"f:k": {}}}


def test_a_plain_write_takes_fields_from_those_who_applied(space: Space) -> None:
    space.api.apply(space.maps("a"), config("a", {"k": "1", "l": "1"}))
    made = space.api.patch(space.maps("a"), {"data": {"k": "2", "l": None}}, MERGE, fieldManager="hand")
    assert fields_of(made, "one") == {}
    assert refused(space.api.applying(space.maps("a"), config("a", {"k": "1"}))) == (409, "Conflict")


def test_what_others_set_beside_stays(space: Space) -> None:
    path = space.path("deployments", "web", "apps/v1")
    space.api.apply(path, deployment())
    space.api.patch(path, {"metadata": {"annotations": {"by": "hand"}}, "spec": {"replicas": 5}}, MERGE)
    made = space.api.apply(path, deployment(image="web:2"))
    assert (made["spec"]["replicas"], made["metadata"]["annotations"]["by"]) == (5, "hand")
    assert containers(made)[0]["image"] == "web:2"


def test_applying_needs_a_manager(space: Space) -> None:
    answer = space.api.call("PATCH", space.maps("a"), config("a"), APPLY)
    assert refused(answer) == (422, "Invalid")
    assert "fieldManager" in answer.json()["message"]


def test_applying_takes_no_record_of_owners(space: Space) -> None:
    answer = space.api.applying(space.maps("a"), config("a", managedFields=[{}]))
    assert refused(answer) == (400, "BadRequest")


def test_applying_an_old_version_is_refused(space: Space) -> None:
    first = space.api.apply(space.maps("a"), config("a"))["metadata"]["resourceVersion"]
    space.api.apply(space.maps("a"), config("a", {"k": "2"}))
    answer = space.api.applying(space.maps("a"), config("a", {"k": "3"}, resourceVersion=first))
    assert refused(answer) == (409, "Conflict")


def test_applying_to_status_leaves_the_rest_alone(space: Space) -> None:
    path = space.path("persistentvolumeclaims", "disk")
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    item = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "disk"}}
    space.api.apply(path, {**item, "spec": spec})
    made = space.api.apply(f"{path}/status", {**item, "status": {"capacity": {"storage": "2Gi"}}}, "observer")
    assert made["status"]["capacity"] == {"storage": "2Gi"}
    assert made["spec"]["resources"] == spec["resources"]
    assert fields_of(made, "observer") == {"f:status": {"f:capacity": {"f:storage": {}}}}


def test_a_dry_run_tells_conflicts_and_keeps_nothing(space: Space) -> None:
    made = space.api.apply(space.maps("a"), config("a"))
    answer = space.api.applying(space.maps("a"), config("a", {"k": "2"}), "two", dryRun="All")
    assert refused(answer) == (409, "Conflict")
    assert space.api.apply(space.maps("a"), config("a", {"k": "3"}), dryRun="All")["data"] == {"k": "3"}
    assert space.api.get(space.maps("a")) == made


def test_yaml_can_be_applied(space: Space) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: '1'}\n"
    answer = space.api.send("PATCH", space.maps("a"), text, APPLY, fieldManager="one")
    assert answer.json()["data"] == {"k": "1"}
