"""Plays Tekton: takes PipelineRuns through the real status fields and runs their steps as processes.

Steps run in a throw-away directory with an emptied environment and a time limit, on this machine, as this user: this is for
the sandbox only, and its runs are labelled so.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nautes_sandbox.kubernetes.client import Client, Conflict, Kind, NotFound, Object, RequestError
from nautes_sandbox.process import Service
from nautes_sandbox.watching import follow

RUN = Kind("tekton.dev/v1", "PipelineRun", "pipelineruns", namespaced=True)
TASK = Kind("tekton.dev/v1", "TaskRun", "taskruns", namespaced=True)
EXECUTOR = "nautes.io/executor"
TIME_LIMIT, TIME_CAP = 60.0, 600.0  # seconds of a run: default and most
OUTPUT_KEPT = 4 << 10  # bytes of a step's output
AT_ONCE = 4
GRACE = 2.0  # seconds between TERM and KILL of a step
DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")


def service(name: str, kubeconfig: Path) -> Service:
    """The executor of a cluster as a process."""
    return Service(f"{name}-tekton", [sys.executable, "-m", "nautes_sandbox.tekton", "--kubeconfig", str(kubeconfig)])


class RunError(Exception):
    """A run ends as failed: `reason` is one of Tekton's reasons, the text is for display."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class Executor:
    """One per cluster. A run it had begun before it was restarted is failed, never run twice."""

    def __init__(self, cluster: Client) -> None:
        self._cluster = cluster
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="run")
        self._mine: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def seen(self, item: Object) -> None:
        """A PipelineRun came or changed."""
        uid, condition = item["metadata"]["uid"], _condition(item)
        if condition.get("status") in ("True", "False"):
            return
        with self._lock:
            cancel = self._mine.get(uid)
            if cancel is None:
                cancel = self._mine[uid] = threading.Event()
                lost = bool(condition)
                self._pool.submit(self._lost if lost else self._run, item, cancel)
        if (item.get("spec") or {}).get("status") in ("Cancelled", "CancelledRunFinally", "StoppedRunFinally"):
            cancel.set()

    def _lost(self, item: Object, _: threading.Event) -> None:
        self._finish(item, "False", "ExecutorLost", "the executor was restarted while this run was under way")

    def _run(self, item: Object, cancel: threading.Event) -> None:
        directory = Path(tempfile.mkdtemp(prefix="nautes-run-"))
        try:
            self._begin(item)
            self._tasks(item, cancel, directory)
        except RunError as error:
            self._finish(item, "False", error.reason, str(error))
        except NotFound:
            logging.info("%s was deleted", item["metadata"]["name"])
        except RequestError as error:
            logging.warning("%s: %s", item["metadata"]["name"], error)
        except Exception as error:
            logging.exception("%s", item["metadata"]["name"])
            self._finish(item, "False", "ExecutorFailed", type(error).__name__)
        else:
            self._finish(item, "True", "Succeeded", "all tasks succeeded")
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def _begin(self, item: Object) -> None:
        self._patch(RUN, item, {"metadata": {"labels": {EXECUTOR: "sandbox"}}})
        status = {"startTime": _now(), "conditions": [_succeeded("Unknown", "Running", "running in the sandbox")]}
        self._status(RUN, item, status)

    def _finish(self, item: Object, value: str, reason: str, message: str) -> None:
        try:
            status = {"completionTime": _now(), "conditions": [_succeeded(value, reason, message[:1000])]}
            self._status(RUN, item, status)
        except NotFound:
            return

    def _tasks(self, item: Object, cancel: threading.Event, directory: Path) -> None:
        spec = item.get("spec") or {}
        pipeline = spec.get("pipelineSpec")
        if not isinstance(pipeline, dict):
            raise RunError("Unsupported", "the sandbox runs inline pipelineSpec only")
        deadline = time.monotonic() + time_limit(spec)
        values = parameters(spec, pipeline)
        children: list[dict[str, Any]] = []
        for task in ordered(pipeline.get("tasks") or []):
            self._task(item, task, values, children, (cancel, deadline, directory))

    def _task(
        self,
        item: Object,
        task: dict[str, Any],
        values: dict[str, str],
        children: list[dict[str, Any]],
        bounds: tuple[threading.Event, float, Path],
    ) -> None:
        body = task.get("taskSpec")
        if not isinstance(body, dict) or "results" in body:
            raise RunError(
                "Unsupported", f"task {task.get('name')}: the sandbox runs inline taskSpec without results only"
            )
        name = f"{item['metadata']['name']}-{task['name']}"[:63]
        child = self._create_task(item, task, name, body)
        children.append(
            {"apiVersion": "tekton.dev/v1", "kind": "TaskRun", "name": name, "pipelineTaskName": task["name"]}
        )
        self._status(RUN, item, {"childReferences": children})
        local = {**values, **_task_parameters(task, body, values)}
        steps: list[dict[str, Any]] = []
        try:
            for number, step in enumerate(body.get("steps") or []):
                steps.append(self._step(step, number, local, task, bounds))
                ended = steps[-1]["terminated"]
                if ended["exitCode"]:
                    text = (ended["message"].strip().splitlines() or [""])[-1]
                    raise RunError(
                        "Failed", f"task {task['name']}, step {steps[-1]['name']}: exit {ended['exitCode']}: {text}"
                    )
        except RunError as error:
            self._end_task(child, steps, "False", error.reason, str(error))
            raise
        self._end_task(child, steps, "True", "Succeeded", "all steps succeeded")

    def _create_task(self, item: Object, task: dict[str, Any], name: str, body: dict[str, Any]) -> Object:
        meta = item["metadata"]
        labels = {"tekton.dev/pipelineRun": meta["name"], "tekton.dev/pipelineTask": task["name"], EXECUTOR: "sandbox"}
        owner = {
            "apiVersion": RUN.api_version,
            "kind": RUN.kind,
            "name": meta["name"],
            "uid": meta["uid"],
            "controller": True,
        }
        made = {
            "apiVersion": TASK.api_version,
            "kind": TASK.kind,
            "metadata": {"name": name, "namespace": meta["namespace"], "labels": labels, "ownerReferences": [owner]},
            "spec": {"taskSpec": body},
        }
        try:
            child = self._cluster.create(TASK.path(meta["namespace"]), made)
        except Conflict:
            child = self._cluster.get(TASK, meta["namespace"], name)
        self._status(TASK, child, {"startTime": _now(), "conditions": [_succeeded("Unknown", "Running", "")]})
        return child

    def _end_task(self, child: Object, steps: list[dict[str, Any]], value: str, reason: str, message: str) -> None:
        conditions = [_succeeded(value, reason, message[:1000])]
        self._status(TASK, child, {"completionTime": _now(), "steps": steps, "conditions": conditions})

    def _step(
        self,
        step: dict[str, Any],
        number: int,
        values: dict[str, str],
        task: dict[str, Any],
        bounds: tuple[threading.Event, float, Path],
    ) -> dict[str, Any]:
        cancel, deadline, directory = bounds
        name = step.get("name") or f"step-{number}"
        shared = directory / "workspace"
        shared.mkdir(exist_ok=True)
        paths = {f"workspaces.{each['name']}.path": str(shared) for each in task.get("workspaces") or []}
        began = _now()
        code, output, reason = _execute(_command(step, {**values, **paths}, directory), directory, cancel, deadline)
        if reason:
            raise RunError(reason, f"task {task['name']}, step {name}: {reason}")
        terminated = {
            "exitCode": code,
            "reason": "Completed" if code == 0 else "Error",
            "startedAt": began,
            "finishedAt": _now(),
            "message": output,
        }
        return {"name": name, "container": f"step-{name}", "terminated": terminated}

    def _patch(self, kind: Kind, item: Object, body: dict[str, Any]) -> None:
        path = kind.path(item["metadata"]["namespace"], item["metadata"]["name"])
        self._cluster.patch(path, body)

    def _status(self, kind: Kind, item: Object, status: dict[str, Any]) -> None:
        path = kind.path(item["metadata"]["namespace"], item["metadata"]["name"]) + "/status"
        self._cluster.patch(path, {"status": status})


def _command(step: dict[str, Any], values: dict[str, str], directory: Path) -> list[str]:
    if step.get("script"):
        text = substituted(str(step["script"]), values)
        script = directory / f"script-{time.monotonic_ns()}"
        script.write_text(text if text.startswith("#!") else f"#!/bin/sh\nset -e\n{text}")
        script.chmod(0o700)
        return [str(script)]
    command = [*(step.get("command") or []), *(step.get("args") or [])]
    if not command:
        raise RunError("Unsupported", "a step needs a script or a command")
    return [substituted(str(each), values) for each in command]


def _execute(command: list[str], directory: Path, cancel: threading.Event, deadline: float) -> tuple[int, str, str]:
    """(exit code, output, reason when it was ended by us). Whatever the step left running ends with it."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(directory), "LANG": "C.UTF-8"}
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                command,
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return 127, str(error.strerror), ""
        try:
            reason = _watched(process, cancel, deadline)
        finally:
            _signal(process, signal.SIGKILL)  # children in the background outlive their parent otherwise
        output.seek(0, os.SEEK_END)
        output.seek(max(0, output.tell() - OUTPUT_KEPT))
        return process.wait(), output.read().decode("utf-8", "replace"), reason


def _watched(process: subprocess.Popen[bytes], cancel: threading.Event, deadline: float) -> str:
    """Wait until it ends or has to end, then give it some time to do so; why it has to, or nothing."""
    while process.poll() is None:
        reason = "Cancelled" if cancel.wait(0.02) else "PipelineRunTimeout" if time.monotonic() > deadline else ""
        if reason:
            _signal(process, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
            return reason
    return ""


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To its whole group; none of it may be left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def parameters(spec: dict[str, Any], pipeline: dict[str, Any]) -> dict[str, str]:
    """Values of `params.<name>`: the run's, else the pipeline's defaults."""
    found = {
        f"params.{each['name']}": str(each["default"]) for each in pipeline.get("params") or [] if "default" in each
    }
    return found | {f"params.{each['name']}": str(each.get("value", "")) for each in spec.get("params") or []}


def _task_parameters(task: dict[str, Any], body: dict[str, Any], values: dict[str, str]) -> dict[str, str]:
    found = {f"params.{each['name']}": str(each["default"]) for each in body.get("params") or [] if "default" in each}
    given = {
        f"params.{each['name']}": substituted(str(each.get("value", "")), values) for each in task.get("params") or []
    }
    return found | given


def substituted(text: str, values: dict[str, str]) -> str:
    """`$(name)` replaced where the name is known."""
    return re.sub(r"\$\(([\w.-]+)\)", lambda match: values.get(match[1], match[0]), text)


def ordered(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tasks after those they run after. Raises `RunError` for a circle or an unknown name."""
    done: list[dict[str, Any]] = []
    left = list(tasks)
    while left:
        names = {each["name"] for each in done}
        ready = next((each for each in left if set(each.get("runAfter") or []) <= names), None)
        if ready is None:
            raise RunError("InvalidPipeline", "runAfter names an unknown task or runs in a circle")
        done.append(ready)
        left.remove(ready)
    return done


def time_limit(spec: dict[str, Any]) -> float:
    """Seconds a run may take. Tekton takes 0 for no limit: the sandbox's own cap holds then."""
    given = str((spec.get("timeouts") or {}).get("pipeline", ""))
    match = DURATION.fullmatch("0s" if given == "0" else given)
    if not match or not any(match.groups()):
        return TIME_LIMIT
    hours, minutes, seconds = (float(each or 0) for each in match.groups())
    return min(TIME_CAP, hours * 3600 + minutes * 60 + seconds) or TIME_CAP


def _condition(item: Object) -> dict[str, Any]:
    conditions = (item.get("status") or {}).get("conditions") or []
    return next((dict(each) for each in conditions if each.get("type") == "Succeeded"), {})


def _succeeded(value: str, reason: str, message: str) -> dict[str, str]:
    return {"type": "Succeeded", "status": value, "reason": reason, "message": message, "lastTransitionTime": _now()}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def main() -> None:
    """Play until TERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    parser = argparse.ArgumentParser(prog="python -m nautes_sandbox.tekton")
    parser.add_argument("--kubeconfig", type=Path, required=True)
    cluster = Client(parser.parse_args().kubeconfig)
    follow(cluster, RUN, Executor(cluster).seen)


if __name__ == "__main__":
    main()
