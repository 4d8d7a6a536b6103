"""Validation of objects: names, labels, owners, and those rules of built-in kinds that clients meet.

Used by writing.py.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Any

from nautes_sandbox.kubernetes.standin.kinds import RBAC, Kind
from nautes_sandbox.kubernetes.standin.problems import Cause, bad_request, required, wrong

Object = dict[str, Any]
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_SUBDOMAIN_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_WORDS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)


def metadata(kind: Kind, item: Object) -> list[Cause]:
    """What is wrong with the metadata of an object that has a name."""
    meta = item["metadata"]
    found = _name(kind, meta["name"])
    for part in ("labels", "annotations"):
        if not isinstance(meta.get(part) or {}, dict):
            raise bad_request(f"metadata.{part} must be a map of strings")
        found += [cause for name, value in (meta.get(part) or {}).items() for cause in _pair(part, name, value)]
    for at, owner in enumerate(meta.get("ownerReferences") or []):
        needed = ("apiVersion", "kind", "name", "uid")
        found += [required(f"metadata.ownerReferences[{at}].{name}") for name in needed if not owner.get(name)]
    for finalizer in meta.get("finalizers") or []:
        if (
            kind.resource != "/namespaces"
            and "/" not in str(finalizer)
            and finalizer not in ("orphan", "foregroundDeletion")
        ):
            found.append(
                wrong(
                    "metadata.finalizers",
                    f'"{finalizer}"',
                    "name is neither a standard finalizer name nor fully qualified",
                )
            )
    return found


def _name(kind: Kind, name: Any) -> list[Cause]:
    if not isinstance(name, str):
        raise bad_request("metadata.name must be a string")
    shown = json.dumps(name)
    if kind.group == RBAC:
        return [wrong("metadata.name", shown, "may not contain '/' or '%'")] if set("/%") & set(name) else []
    if kind.resource in ("/namespaces", "/services"):
        pattern = _LABEL if kind.resource == "/namespaces" else _LABEL_1035
        return [] if len(name) <= 63 and pattern.fullmatch(name) else [wrong("metadata.name", shown, _LABEL_WORDS)]
    return [] if len(name) <= 253 and _SUBDOMAIN.fullmatch(name) else [wrong("metadata.name", shown, _SUBDOMAIN_WORDS)]


def _pair(part: str, name: str, value: Any) -> list[Cause]:
    if not isinstance(value, str):
        raise bad_request(f'metadata.{part}: the value of "{name}" must be a string')
    prefix, _, rest = name.rpartition("/")
    good = len(rest) <= 63 and _QUALIFIED.fullmatch(rest) and (not prefix or _SUBDOMAIN.fullmatch(prefix.lower()))
    found = (
        []
        if good
        else [
            wrong(
                f"metadata.{part}",
                json.dumps(name),
                "name part must consist of alphanumeric characters, '-', '_' or '.'",
            )
        ]
    )
    if part == "labels" and value and not (len(value) <= 63 and _QUALIFIED.fullmatch(value)):
        why = (
            "must be no more than 63 characters"
            if len(value) > 63
            else "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.'"
        )
        found.append(wrong("metadata.labels", json.dumps(value), why))
    return found


def content(kind: str, item: Object) -> list[Cause]:
    """What is wrong with the content of a built-in object."""
    special = _CONTENT.get(kind)
    return special(item) if special else []


def change(kind: str, old: Object, new: Object) -> list[Cause]:
    """What of a built-in object must not change and did."""
    paths = _IMMUTABLE.get(kind, ())
    found = [
        wrong(path, json.dumps(_at(new, path)), "field is immutable")
        for path in paths
        if _at(old, path) != _at(new, path)
    ]
    if old.get("immutable") and kind in ("Secret", "ConfigMap"):
        same = all(old.get(name) == new.get(name) for name in ("data", "binaryData", "immutable"))
        found += (
            []
            if same
            else [Cause("FieldValueForbidden", "data", "Forbidden: field is immutable when `immutable` is set")]
        )
    return found


_IMMUTABLE = {
    **dict.fromkeys(("Deployment", "ReplicaSet", "DaemonSet"), ("spec.selector",)),
    "StatefulSet": ("spec.selector", "spec.serviceName", "spec.volumeClaimTemplates", "spec.podManagementPolicy"),
    "Job": ("spec.selector", "spec.template", "spec.completions"),
    "Service": ("spec.clusterIP",),
    "Secret": ("type",),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
    "PersistentVolumeClaim": ("spec.accessModes", "spec.storageClassName", "spec.volumeMode"),
    "PriorityClass": ("value",),
    "CustomResourceDefinition": ("spec.scope", "spec.names.kind"),
}


def _at(item: Object, path: str) -> Any:
    value: Any = item
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _map(item: Object, name: str) -> Object:
    value = item.get(name) or {}
    if not isinstance(value, dict):
        raise bad_request(f"json: cannot unmarshal into field {name}: it must be a map")
    return value


def _pod_spec(spec: Any, field: str) -> list[Cause]:
    containers = spec.get("containers") if isinstance(spec, dict) else None
    if not containers:
        return [required(f"{field}.containers")]
    found = []
    for at, each in enumerate(containers):
        found += [required(f"{field}.containers[{at}].{name}") for name in ("name", "image") if not each.get(name)]
        for variable in each.get("env") or []:
            if not isinstance(variable.get("value", ""), str):
                raise bad_request("json: cannot unmarshal number into Go struct field EnvVar.env.value of type string")
        for number, port in enumerate(each.get("ports") or []):
            found += _port(port.get("containerPort"), f"{field}.containers[{at}].ports[{number}].containerPort")
    return found


def _port(value: Any, field: str) -> list[Cause]:
    good = isinstance(value, int) and 0 < value < 65536
    return [] if good else [wrong(field, json.dumps(value), "must be between 1 and 65535, inclusive")]


def _pod(item: Object) -> list[Cause]:
    return _pod_spec(item.get("spec"), "spec")


def _workload(item: Object) -> list[Cause]:
    spec = _map(item, "spec")
    if not isinstance(spec.get("replicas", 0), int):
        raise bad_request(
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"
        )
    selector, template = spec.get("selector") or {}, _map(spec, "template")
    labels = _map(template, "metadata").get("labels") or {}
    found = _pod_spec(template.get("spec"), "spec.template.spec")
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        return [required("spec.selector"), *found]
    if any(labels.get(name) != value for name, value in (selector.get("matchLabels") or {}).items()):
        shown = json.dumps(labels)
        found.append(wrong("spec.template.metadata.labels", shown, "`selector` does not match template `labels`"))
    return found


def _job(item: Object) -> list[Cause]:
    spec = _map(_map(item, "spec"), "template").get("spec")
    found = _pod_spec(spec, "spec.template.spec")
    if isinstance(spec, dict) and spec.get("restartPolicy") not in ("OnFailure", "Never"):
        message = f'Unsupported value: "{spec.get("restartPolicy")}": supported values: "OnFailure", "Never"'
        found.append(Cause("FieldValueNotSupported", "spec.template.spec.restartPolicy", message))
    return found


def _cron_job(item: Object) -> list[Cause]:
    spec = _map(item, "spec")
    found = [] if spec.get("schedule") else [required("spec.schedule")]
    job = _map(_map(_map(_map(spec, "jobTemplate"), "spec"), "template"), "spec")
    return found + _pod_spec(job, "spec.jobTemplate.spec.template.spec")


def _service(item: Object) -> list[Cause]:
    spec = _map(item, "spec")
    ports = spec.get("ports") or []
    headless = spec.get("clusterIP") == "None" or spec.get("type") == "ExternalName"
    found = [] if ports or headless else [required("spec.ports")]
    for at, port in enumerate(ports):
        found += _port(port.get("port"), f"spec.ports[{at}].port")
        if len(ports) > 1 and not port.get("name"):
            found.append(required(f"spec.ports[{at}].name"))
    return found


def _config(item: Object) -> list[Cause]:
    for name, value in _map(item, "data").items():
        if not isinstance(value, str):
            raise bad_request(f'json: cannot unmarshal into field data: the value of "{name}" must be a string')
    names = [*_map(item, "data"), *_map(item, "binaryData")]
    words = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
    return [wrong(f"data[{name}]", json.dumps(name), words) for name in names if not _DATA_KEY.fullmatch(name)]


def _secret(item: Object) -> list[Cause]:
    for name, value in _map(item, "data").items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError, TypeError):
            raise bad_request(f'illegal base64 data in the value of "{name}"') from None
    account = "kubernetes.io/service-account.name"
    annotations = item["metadata"].get("annotations") or {}
    if item.get("type") == "kubernetes.io/service-account-token" and not annotations.get(account):
        return [required(f"metadata.annotations[{account}]")]
    return []


def _binding(item: Object) -> list[Cause]:
    role = _map(item, "roleRef")
    return [required(f"roleRef.{name}") for name in ("kind", "name") if not role.get(name)]


_CONTENT: dict[str, Callable[[Object], list[Cause]]] = {
    "Pod": _pod,
    **dict.fromkeys(("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"), _workload),
    "Job": _job,
    "CronJob": _cron_job,
    "Service": _service,
    "ConfigMap": _config,
    "Secret": _secret,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
}
