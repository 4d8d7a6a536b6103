"""Manifest files as one change set: which are read, in which order, and the positions of findings."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from nautes.cli import files
from nautes.cli.client import CommandError

GOOD = "kind: Project\nspec: {name: %s, product: shop}\n"


def _write(path: str, name: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(GOOD % name)


def _names(*given: str) -> list[str]:
    return [part.name for part in files.read(list(given))]


def test_a_directory_is_read_deeply_and_in_order() -> None:
    for path in ("set/b.yaml", "set/a.yml", "set/deep/c.json"):
        _write(path, "x")
    Path("set/readme.md").write_text("not a manifest")
    assert _names("set") == ["set/a.yml", "set/b.yaml", "set/deep/c.json"]


def test_a_glob_and_plain_names_are_read_in_the_order_given() -> None:
    for path in ("b.yaml", "a.yaml", "c.yml"):
        _write(path, "x")
    assert _names("*.yaml", "c.yml") == ["a.yaml", "b.yaml", "c.yml"]


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(GOOD % "in"))
    (part,) = files.read(["-"])
    assert (part.name, part.text) == ("standard input", GOOD % "in")


@pytest.mark.parametrize("name", ["missing.yaml", "binary.yaml", "empty", "*.none"])
def test_what_cannot_be_read_is_wrong_usage(name: str) -> None:
    Path("empty").mkdir()
    Path("binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CommandError) as caught:
        files.read([name])
    assert caught.value.exit_code == 2


def test_files_become_documents_of_one_text() -> None:
    _write("a.yaml", "a")
    _write("b.yaml", "b")
    parts = files.read(["a.yaml", "b.yaml"])
    assert files.whole(parts).decode() == (GOOD % "a") + "---\n" + (GOOD % "b")
    files.check(parts)


def test_findings_of_every_file_are_told_with_their_own_lines() -> None:
    _write("a.yaml", "a")
    Path("b.yaml").write_text("# first\nkind: Project\nspec: {name: B, product: shop}\n")
    Path("c.yaml").write_text("kind: [\n")
    with pytest.raises(CommandError) as caught:
        files.check(files.read(["a.yaml", "b.yaml", "c.yaml"]))
    found = [(each["resource"], each["line"], each["rule"]) for each in caught.value.findings]
    assert found == [("b.yaml", 3, "schema-value"), ("c.yaml", 2, "yaml-syntax")]


def test_a_name_used_in_two_files_is_placed_in_both() -> None:
    Path("a.yaml").write_text("# a comment\n\n" + GOOD % "same")
    Path("b.yaml").write_text(GOOD % "other" + "---\n" + GOOD % "same")
    with pytest.raises(CommandError) as caught:
        files.check(files.read(["a.yaml", "b.yaml"]))
    (found,) = caught.value.findings
    assert (found["resource"], found["line"], found["rule"]) == ("b.yaml", 4, "schema-duplicate-name")
    assert found["message"] == "Project/same is already declared at a.yaml:3"
