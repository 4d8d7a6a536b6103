"""Inputs of the activities that talk to other workflows and to schedules (activities/control.py)."""

from __future__ import annotations

from nautes.messages.clusters import KnownCluster
from nautes.messages.gitlab import Push
from nautes.planning.runtimes import DeploymentSpec, PipelineSpec
from nautes.resources.payload import Payload


class NotifyInput(Payload):
    """Tell runtimes what they are to be; `removed` are workflow ids of runtimes that are declared no more."""

    deployments: list[DeploymentSpec] = []
    pipelines: list[PipelineSpec] = []
    removed: list[str] = []


class Notified(Payload):
    """How many workflows were told; `absent` are names of clusters that have none."""

    count: int
    absent: list[str] = []


class WakeInput(Payload):
    """Start or wake the workflows of what exists: after an installation, or when Temporal's memory was lost.

    `gone` are clusters that are declared no more: told where they still are, never started.
    """

    clusters: list[KnownCluster] = []
    gone: list[KnownCluster] = []
    products: list[str] = []


class PushesInput(Payload):
    """Pushes that a sweep found, to be passed to whom they concern."""

    pushes: list[Push]


class ScheduleInput(Payload):
    """A sweep as a Temporal Schedule; `cluster` empty: the sweeps that are there once, over branches and credentials."""

    cluster: str = ""


class Released(Payload):
    """What a released claim leaves to nobody: namespaces that no other runtime uses."""

    namespaces: list[str]


class DriftInput(Payload):
    """Look for drift in one cluster; `fingerprints` are those of the last look (runtime -> digest)."""

    cluster: str
    fingerprints: dict[str, str] = {}


class DriftReport(Payload):
    """Fingerprints now, and the workflows that were woken because theirs changed."""

    fingerprints: dict[str, str]
    woken: list[str] = []
