"""Inputs and results of the activities that signal other workflows and keep schedules (activities/control.py)."""

from __future__ import annotations

from nautes.messages.clusters import KnownCluster
from nautes.messages.gitlab import Push
from nautes.planning.runtimes import DeploymentSpec, PipelineSpec
from nautes.resources.payload import Payload


class NotifyInput(Payload):
    """Notify runtimes of their specifications; `removed` are workflow ids of runtimes that are declared no more."""

    deployments: list[DeploymentSpec] = []
    pipelines: list[PipelineSpec] = []
    removed: list[str] = []


class Notified(Payload):
    """How many workflows were notified; `absent` are names of clusters that have no workflow."""

    count: int
    absent: list[str] = []


class WakeInput(Payload):
    """Start or wake the workflows of everything that exists: after an installation, or after Temporal's data was lost.

    `gone` are clusters that are declared no more: their workflows are notified if they run, and never started.
    """

    clusters: list[KnownCluster] = []
    gone: list[KnownCluster] = []
    products: list[str] = []


class PushesInput(Payload):
    """Pushes that a sweep found, to be passed on to the workflows they concern."""

    pushes: list[Push]


class ObserveInput(Payload):
    """Watch one cluster; `fingerprints` are what the last round left (label of a set of objects -> digest)."""

    cluster: str
    fingerprints: dict[str, str] = {}


class Observed(Payload):
    """The fingerprints at the end of a round."""

    fingerprints: dict[str, str]
