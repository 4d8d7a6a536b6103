"""Files into objects: what counts, what is ignored, what is refused, and when absence means nothing."""

from __future__ import annotations

import pytest

from nautes.convergence.manifests import parse, parse_objects

CONFIG = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def test_objects_of_all_documents_and_lists_are_taken() -> None:
    listed = b"apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: s}}\n"
    found = parse(
        [
            ("b.yaml", CONFIG + b"---\n" + listed),
            ("c.json", b'{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"}}'),
        ]
    )
    assert [each["kind"] for each in found.objects] == ["ConfigMap", "Service", "Pod"]
    assert found.complete


def test_other_files_are_ignored() -> None:
    found = parse(
        [("README.md", b"# not yaml: ["), ("x.txt", b"a"), ("empty.yaml", b""), ("comment.yml", b"# nothing\n")]
    )
    assert (found.objects, found.findings, found.complete) == ([], [], True)


@pytest.mark.parametrize("path", ["app/kustomization.yaml", "kustomization.yml", "Kustomization", "chart/Chart.yaml"])
def test_what_needs_a_generator_is_refused_as_a_whole(path: str) -> None:
    found = parse([(path, b"resources: []"), ("zz.yaml", CONFIG)])
    assert found.generator is not None
    assert found.generator.name == path
    assert "not supported" in found.generator.reason
    assert not found.objects


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a: [", "line 2"),
        (b"just text", "not a Kubernetes object"),
        (b"kind: ConfigMap\nmetadata: {name: a}", "apiVersion is missing"),
        (b"apiVersion: v1\nkind: ConfigMap", "without metadata.name"),
        (b"apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}", "generateName cannot be converged"),
        (b"apiVersion: v1\nkind: Pod\nmetadata: {name: 1}", "without metadata.name"),
        (b"apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {a: 1}}", "strings to strings"),
        (b"apiVersion: v1\nkind: List\nitems: {}", "List must hold objects"),
        (b"apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: [b]}", "not a string"),
    ],
)
def test_a_file_that_declares_nothing_readable_makes_absence_meaningless(content: bytes, reason: str) -> None:
    found = parse([("bad.yaml", content), ("good.yaml", CONFIG)])
    assert [each["kind"] for each in found.objects] == ["ConfigMap"]
    assert not found.complete
    assert found.findings[0].name == "bad.yaml"
    assert reason in found.findings[0].reason


def test_plain_objects_are_checked_alike() -> None:
    found = parse_objects([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}, {"kind": "ConfigMap"}])
    assert len(found.objects) == 1
    assert found.findings[0].name == "object 2"
