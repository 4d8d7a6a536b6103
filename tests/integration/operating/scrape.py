"""What Prometheus would see of a process."""

from __future__ import annotations

from dataclasses import dataclass

import httpx2
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from nautes_sandbox.world import World


@dataclass(frozen=True)
class Scrape:
    """All series of one scrape."""

    families: list[Metric]

    @property
    def names(self) -> set[str]:
        """As they are asked for: with _bucket, _sum, _count."""
        return {sample.name for family in self.families for sample in family.samples}

    @property
    def labels(self) -> set[str]:
        """Every value of every label."""
        return {value for each in self.families for sample in each.samples for value in sample.labels.values()}

    def value(self, name: str, **labels: str) -> float:
        """The sum over all series with these labels."""
        return sum(
            sample.value
            for family in self.families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


def scrape(world: World, process: str) -> Scrape:
    """Of the worker or of the API."""
    answer = httpx2.get(f"{world.metrics_urls[process]}/metrics", timeout=20)
    answer.raise_for_status()
    families = list(text_string_to_metric_families(answer.text))
    described = [each.name for each in families]
    assert len(set(described)) == len(described), "the SDK's metrics and ours are disjoint"
    return Scrape(families)
