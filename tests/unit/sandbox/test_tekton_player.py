"""What plays Tekton: parameters, order, time limits, and steps that end when they must."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from nautes_sandbox.tekton import (
    TIME_CAP,
    TIME_LIMIT,
    RunError,
    _command,
    _execute,
    ordered,
    parameters,
    substituted,
    time_limit,
)
from tests.waiting import until


def run(
    script: str, directory: Path, *, seconds: float = 20, cancel: threading.Event | None = None
) -> tuple[int, str, str]:
    command = _command({"script": script}, {}, directory)
    return _execute(command, directory, cancel or threading.Event(), time.monotonic() + seconds)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("30s", 30),
        ("1m30s", 90),
        ("5m", 300),
        ("1.5s", 1.5),
        ("2h", TIME_CAP),
        ("0s", TIME_CAP),
        ("0", TIME_CAP),
        ("0h0m0s", TIME_CAP),
        ("", TIME_LIMIT),
        (None, TIME_LIMIT),
        ("soon", TIME_LIMIT),
        ("30", TIME_LIMIT),
    ],
)
def test_a_run_may_take_what_it_says_up_to_a_cap(given: str | None, seconds: float) -> None:
    assert time_limit({"timeouts": {"pipeline": given}}) == seconds
    assert time_limit({}) == time_limit({"timeouts": None}) == TIME_LIMIT


def test_a_step_over_its_time_is_ended_and_says_so(tmp_path: Path) -> None:
    began = time.monotonic()
    code, output, reason = run("echo begun; sleep 60", tmp_path, seconds=1)
    assert (reason, output) == ("PipelineRunTimeout", "begun\n")
    assert code != 0
    assert time.monotonic() - began < 10


def test_a_step_that_ignores_term_is_killed(tmp_path: Path) -> None:
    _, _, reason = run("trap '' TERM; while :; do sleep 0.05; done", tmp_path, seconds=0.2)
    assert reason == "PipelineRunTimeout"


def test_a_cancelled_step_ends(tmp_path: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    assert run("sleep 60", tmp_path, cancel=cancel)[2] == "Cancelled"


@pytest.mark.parametrize("how", ["ends", "fails", "takes too long", "is cancelled", "ends and ignores TERM"])
def test_what_a_step_left_in_the_background_ends_with_it(tmp_path: Path, how: str) -> None:
    cancel = threading.Event()
    ignores = "trap '' TERM; " if how.endswith("TERM") else ""
    rest = {"fails": "exit 1", "takes too long": "wait", "is cancelled": "echo > begun; wait"}.get(how, ":")
    if how == "is cancelled":
        threading.Thread(target=lambda: (appears(tmp_path / "begun"), cancel.set())).start()
    script = f"#!/bin/sh\n{ignores}sh -c \"trap '' TERM; sleep 60; :\" &\necho $! > child\n{rest}"
    run(script, tmp_path, seconds=0.5 if how == "takes too long" else 20, cancel=cancel)
    child = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/stat")
    until(lambda: not running(child), "the child has ended", within=10)
    assert not running(child)


def running(stat: Path) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def appears(path: Path) -> bool:
    return until(path.exists, f"{path.name} is there", within=10)


def test_a_steps_output_and_exit_code_are_kept(tmp_path: Path) -> None:
    assert run("echo out; echo err >&2; exit 3", tmp_path) == (3, "out\nerr\n", "")
    assert run("false; echo never", tmp_path)[:2] == (1, "")
    assert run("#!/bin/sh\nfalse; echo still", tmp_path) == (0, "still\n", "")
    code, output, _ = run("i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done", tmp_path)
    assert code == 0
    assert len(output) <= 4096 and output.endswith("line 1999\n"), "the end of it"


def test_a_command_that_is_not_there_fails_the_step(tmp_path: Path) -> None:
    code, output, reason = _execute(["no-such-program"], tmp_path, threading.Event(), time.monotonic() + 5)
    assert (code, reason) == (127, "")
    assert "No such file" in output


def test_a_step_sees_nothing_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "hunter2")
    _, output, _ = run("env; pwd", tmp_path)
    assert "hunter2" not in output
    assert f"HOME={tmp_path}" in output
    assert output.endswith(f"{tmp_path}\n")


def test_parameters_come_from_the_run_and_else_from_the_pipeline() -> None:
    pipeline = {"params": [{"name": "a", "default": "1"}, {"name": "b", "default": "2"}, {"name": "c"}]}
    given = {"params": [{"name": "b", "value": "3"}]}
    assert parameters(given, pipeline) == {"params.a": "1", "params.b": "3"}
    assert parameters({}, {}) == {}


def test_what_is_known_is_substituted_once() -> None:
    values = {"params.a": "$(params.b)", "params.b": "x"}
    assert substituted("$(params.a) $(params.none) $$(params.b)", values) == "$(params.b) $(params.none) $x"


def test_a_step_is_a_script_or_a_command(tmp_path: Path) -> None:
    step = {"command": ["echo"], "args": ["$(params.a)", "two words"]}
    assert _command(step, {"params.a": "x"}, tmp_path) == ["echo", "x", "two words"]
    with pytest.raises(RunError, match="script or a command"):
        _command({"image": "alpine"}, {}, tmp_path)


def task(name: str, *after: str) -> dict[str, Any]:
    return {"name": name, "runAfter": list(after)}


def test_tasks_run_after_what_they_name() -> None:
    assert [each["name"] for each in ordered([task("c", "a", "b"), task("b", "a"), task("a")])] == ["a", "b", "c"]
    assert ordered([]) == []
    for wrong in ([task("a", "b"), task("b", "a")], [task("a", "none")], [task("a", "a")]):
        with pytest.raises(RunError) as error:
            ordered(wrong)
        assert error.value.reason == "InvalidPipeline"
