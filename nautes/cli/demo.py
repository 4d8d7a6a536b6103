"""`nautes demo`: the main process, from an empty directory until everything is removed again, with the time of each step.

Called by nautes/cli/main.py.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from nautes_sandbox.process import ServiceError
from nautes_sandbox.scenario import Scenario, StepFailedError
from nautes_sandbox.world import World

SYSTEMS = ("GitLab", "Git", "Vault", "Kubernetes")
console = Console()


@dataclass(frozen=True)
class Row:
    """One step: how long it took, how many calls it made ("<system> reads", "<system> writes")."""

    title: str
    seconds: float
    counted: Mapping[str, int]

    def calls(self, system: str) -> str:
        """Reads and writes of one system."""
        reads, writes = (self.counted.get(f"{system} {kind}", 0) for kind in ("reads", "writes"))
        return f"{reads}/{writes}" if reads or writes else "-"


def play(directory: Path, *, keep: bool) -> int:
    """Carry out the main process; the exit code is 0 when every step succeeded."""
    world = World(directory)
    scenario = Scenario(world, say=_quiet)
    rows: list[Row] = []
    try:
        _play(world, scenario, rows, keep)
    except (StepFailedError, ServiceError) as error:
        console.print(f"[red]failed:[/red] {error}", highlight=False)
        console.print(f"logs: {directory}", highlight=False)
        return 1
    finally:
        scenario.close()
        _summary(rows)
        if not keep:
            world.down()
    if keep:
        console.print(f"\nstill running; Temporal UI {world.temporal_ui_url}, API {world.api_url}", highlight=False)
        console.print("`nautes sandbox down` ends it, `nautes sandbox reset` deletes its data", highlight=False)
    return 0


def _play(world: World, scenario: Scenario, rows: list[Row], keep: bool) -> None:
    steps: list[tuple[str, Callable[[], object]]] = [
        ("start the servers", lambda: world.up(_progress)),
        ("install: Vault, tenant repository, people", scenario.install),
        ("register two runtime clusters", scenario.register_clusters),
        ("initialize a product", scenario.initialize_product),
        ("deploy: push manifests, converged and healthy", scenario.deploy),
        ("change one object: exactly one write", scenario.change_one),
        ("remove a file: its object is pruned", scenario.prune),
        ("declare another product's namespace: refused, the rest converges", scenario.refuse_foreign),
        ("edit an object by hand: the change is reverted", scenario.correct_drift),
        ("lose a webhook: the push is deployed", scenario.lose_webhook),
        ("push source code: the pipeline succeeds", scenario.run_pipeline),
        ("break the build: GitLab shows the failure", scenario.break_build),
        ("view: status, runs, explain, wait", lambda: console.print(scenario.view(), highlight=False)),
        ("lose all of Temporal's data: nothing is written, all is known again", scenario.lose_memory),
    ]
    if not keep:
        steps += [
            ("remove the product: nothing left", scenario.destroy),
            ("remove the clusters", scenario.unregister),
        ]
    for title, step in steps:
        rows.append(_timed(world, title, step))


def _timed(world: World, title: str, step: Callable[[], object]) -> Row:
    console.print(f"[bold]{title}[/bold] ...", highlight=False)
    before = world.calls()
    began = time.monotonic()
    step()
    seconds = time.monotonic() - began
    after = world.calls()
    counted = {each: after[each] - before.get(each, 0) for each in after}
    console.print(f"  ok, {seconds:.1f} s", highlight=False)
    return Row(title, seconds, counted)


def _summary(rows: list[Row]) -> None:
    table = Table(title="The main process; calls as reads/writes")
    table.add_column("step")
    table.add_column("seconds", justify="right")
    for system in SYSTEMS:
        table.add_column(system, justify="right")
    for row in [*rows, _together(rows)]:
        table.add_row(row.title, f"{row.seconds:.1f}", *(row.calls(system) for system in SYSTEMS))
    console.print(table)


def _together(rows: list[Row]) -> Row:
    counted: Counter[str] = Counter()
    for row in rows:
        counted.update(row.counted)
    return Row("together", sum(row.seconds for row in rows), counted)


def _progress(name: str, state: str) -> None:
    console.print(f"  {name}: {state}", highlight=False)


def _quiet(_: str) -> None:
    """The demo prints its own lines."""
