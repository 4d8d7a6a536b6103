"""Custom kinds: served as soon as they are defined, shaped by their schema, gone with their definition."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.contract.kubernetes.support import Api, Object, Space, gone, new_space, refused
from tests.waiting import until

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
LOOSE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
STRICT: dict[str, Any] = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1},
                "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
                "parts": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["id"],
                    "items": {
                        "type": "object",
                        "required": ["id"],
                        "properties": {"id": {"type": "string"}, "text": {"type": "string"}},
                    },
                },
            },
        },
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}


@dataclass
class Widgets:
    """A custom kind of a test's own, and a namespace."""

    space: Space
    group: str

    @property
    def api(self) -> Api:
        return self.space.api

    @property
    def definition(self) -> str:
        return f"{DEFINITIONS}/widgets.{self.group}"

    def path(self, name: str = "", version: str = "v1") -> str:
        return self.space.path("widgets", name, f"{self.group}/{version}")

    def widget(self, name: str = "w", version: str = "v1", **rest: Any) -> Object:
        return {"apiVersion": f"{self.group}/{version}", "kind": "Widget", "metadata": {"name": name}, **rest}

    def define(self, schema: Object, *, status: bool = True, more: tuple[str, ...] = ()) -> Object:
        """Define the kind and wait until it is served."""
        extra = {"subresources": {"status": {}}} if status else {}
        body = {"schema": {"openAPIV3Schema": schema}, "served": True, **extra}
        versions = [{"name": name, "storage": name == "v1", **body} for name in ("v1", *more)]
        names = {"kind": "Widget", "plural": "widgets", "shortNames": ["wd"]}
        spec = {"group": self.group, "scope": "Namespaced", "names": names, "versions": versions}
        self.api.create(DEFINITIONS, {"metadata": {"name": f"widgets.{self.group}"}, "spec": spec})
        until(lambda: self.api.call("GET", self.path()).status_code == 200, "the kind is served")
        return self.api.get(self.definition)


@pytest.fixture
def widgets(api: Api) -> Iterator[Widgets]:
    made = Widgets(new_space(api), f"g{uuid.uuid4().hex[:8]}.example.com")
    yield made
    api.call("DELETE", made.definition)


def test_a_defined_kind_is_served_and_discovered(widgets: Widgets) -> None:
    found = widgets.define(LOOSE)
    conditions = {each["type"]: each["status"] for each in found["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert found["status"]["acceptedNames"]["listKind"] == "WidgetList"
    assert found["status"]["storedVersions"] == ["v1"]
    groups = {each["name"] for each in widgets.api.get("/apis")["groups"]}
    assert widgets.group in groups
    served = widgets.api.get(f"/apis/{widgets.group}/v1")["resources"]
    assert {each["name"]: each["kind"] for each in served} == {"widgets": "Widget", "widgets/status": "Widget"}


def test_custom_objects_live_as_others_do(widgets: Widgets) -> None:
    widgets.define(LOOSE)
    made = widgets.api.create(widgets.path(), widgets.widget(spec={"any": {"thing": [1, 2]}}))
    assert (made["spec"], made["metadata"]["generation"]) == ({"any": {"thing": [1, 2]}}, 1)
    again = widgets.api.patch(widgets.path("w"), {"spec": {"any": None, "more": 1}})
    assert (again["spec"], again["metadata"]["generation"]) == ({"more": 1}, 2)
    listed = widgets.api.get(widgets.path())
    assert (listed["kind"], [each["kind"] for each in listed["items"]]) == ("WidgetList", ["Widget"])
    widgets.api.delete(widgets.path("w"))
    assert gone(widgets.api, widgets.path("w"))


def test_an_update_of_a_custom_object_needs_its_version(widgets: Widgets) -> None:
    widgets.define(LOOSE)
    widgets.api.create(widgets.path(), widgets.widget())
    assert refused(widgets.api.call("PUT", widgets.path("w"), widgets.widget(spec={"a": 1}))) == (422, "Invalid")


def test_status_of_a_custom_object_is_written_through_its_own_path(widgets: Widgets) -> None:
    widgets.define(LOOSE)
    made = widgets.api.create(widgets.path(), widgets.widget(spec={"a": 1}, status={"b": 1}))
    assert "status" not in made
    now = widgets.api.patch(f"{widgets.path('w')}/status", {"status": {"b": 2}, "spec": {"a": 2}})
    assert (now["spec"], now["status"], now["metadata"]["generation"]) == ({"a": 1}, {"b": 2}, 1)
    assert widgets.api.patch(widgets.path("w"), {"status": {"b": 3}})["status"] == {"b": 2}


def test_without_the_subresource_status_is_a_field(widgets: Widgets) -> None:
    widgets.define(LOOSE, status=False)
    made = widgets.api.create(widgets.path(), widgets.widget(status={"b": 1}))
    assert made["status"] == {"b": 1}
    path = f"{widgets.path('w')}/status"
    assert widgets.api.call("PATCH", path, {}, "application/merge-patch+json").status_code == 404


def test_a_schema_shapes_objects(widgets: Widgets) -> None:
    widgets.define(STRICT)
    made = widgets.api.create(widgets.path(), widgets.widget(spec={"size": 2, "unknown": True}, stray=1))
    assert made["spec"] == {"size": 2, "color": "red"}
    assert "stray" not in made


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({}, "spec.size"),
        ({"size": "big"}, "spec.size"),
        ({"size": 0}, "spec.size"),
        ({"size": 1, "color": "x"}, "color"),
    ],
    ids=["missing", "type", "bound", "enum"],
)
def test_a_schema_refuses_objects(widgets: Widgets, spec: Object, field: str) -> None:
    widgets.define(STRICT)
    answer = widgets.api.call("POST", widgets.path(), widgets.widget(spec=spec))
    assert refused(answer) == (422, "Invalid")
    assert field in answer.json()["message"]


def test_lists_of_custom_objects_merge_by_the_keys_of_the_schema(widgets: Widgets) -> None:
    widgets.define(STRICT)
    one = widgets.widget(spec={"size": 1, "parts": [{"id": "a", "text": "1"}]})
    other = widgets.widget(spec={"parts": [{"id": "b", "text": "2"}]})
    widgets.api.apply(widgets.path("w"), one)
    both = widgets.api.apply(widgets.path("w"), other, "two")
    assert {each["id"] for each in both["spec"]["parts"]} == {"a", "b"}
    left = widgets.api.apply(widgets.path("w"), widgets.widget(spec={"size": 1}))
    assert [each["id"] for each in left["spec"]["parts"]] == ["b"]


def test_an_object_is_read_in_every_version(widgets: Widgets) -> None:
    widgets.define(LOOSE, more=("v1beta1",))
    widgets.api.create(widgets.path(version="v1beta1"), widgets.widget(version="v1beta1", spec={"a": 1}))
    for version in ("v1", "v1beta1"):
        found = widgets.api.get(widgets.path("w", version))
        assert (found["apiVersion"], found["spec"]) == (f"{widgets.group}/{version}", {"a": 1})


def test_a_definition_is_named_after_what_it_defines(widgets: Widgets) -> None:
    versions = [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": LOOSE}}]
    names = {"kind": "Widget", "plural": "widgets"}
    spec = {"group": widgets.group, "scope": "Namespaced", "names": names, "versions": versions}
    answer = widgets.api.call("POST", DEFINITIONS, {"metadata": {"name": f"other.{widgets.group}"}, "spec": spec})
    assert refused(answer) == (422, "Invalid")


def test_strategic_patches_are_for_built_in_kinds(widgets: Widgets) -> None:
    widgets.define(LOOSE)
    widgets.api.create(widgets.path(), widgets.widget())
    answer = widgets.api.call("PATCH", widgets.path("w"), {}, "application/strategic-merge-patch+json")
    assert refused(answer) == (415, "UnsupportedMediaType")


def test_a_kind_goes_with_its_definition(widgets: Widgets) -> None:
    widgets.define(LOOSE)
    widgets.api.create(widgets.path(), widgets.widget())
    widgets.api.delete(widgets.definition)
    until(lambda: gone(widgets.api, widgets.definition), "the definition is gone")
    until(lambda: gone(widgets.api, widgets.path()), "the kind is not served")
    widgets.define(LOOSE)
    assert widgets.api.get(widgets.path())["items"] == []


def test_a_definition_waits_for_objects_that_are_held(widgets: Widgets) -> None:
    widgets.define(LOOSE)
    held = widgets.widget()
    held["metadata"]["finalizers"] = ["example.com/hold"]
    widgets.api.create(widgets.path(), held)
    widgets.api.delete(widgets.definition)
    until(lambda: widgets.api.get(widgets.path("w"))["metadata"].get("deletionTimestamp"), "the object is going")
    assert widgets.api.get(widgets.definition)["metadata"]["deletionTimestamp"]
    widgets.api.patch(widgets.path("w"), {"metadata": {"finalizers": None}})
    until(lambda: gone(widgets.api, widgets.definition), "the definition is gone")
