"""`nautes demo`: the main process from an empty directory to an empty cluster, each step with its time.

Called by cli/main.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sandbox.journey import Journey, StepFailedError
from sandbox.process import ServiceError
from sandbox.world import World

console = Console()


def play(directory: Path, *, keep: bool) -> int:
    """Carry out the main process; the exit code says whether every step held."""
    world = World(directory)
    journey = Journey(world, say=_quiet)
    rows: list[tuple[str, float, str]] = []
    try:
        _play(world, journey, rows, keep)
    except (StepFailedError, ServiceError) as error:
        console.print(f"[red]did not hold:[/red] {error}", highlight=False)
        console.print(f"logs: {directory}", highlight=False)
        return 1
    finally:
        journey.close()
        _summary(rows)
        if not keep:
            world.down()
    if keep:
        console.print(f"\nstill running; Temporal UI {world.temporal_ui_url}, API {world.api_url}", highlight=False)
        console.print("`nautes sandbox down` ends it, `nautes sandbox reset` forgets it", highlight=False)
    return 0


def _play(world: World, journey: Journey, rows: list[tuple[str, float, str]], keep: bool) -> None:
    steps: list[tuple[str, Callable[[], object]]] = [
        ("start the servers", lambda: world.up(_progress)),
        ("install: Vault, tenant repository, people", journey.install),
        ("register two runtime clusters", journey.register_clusters),
        ("initialize a product", journey.initialize_product),
        ("deploy: push manifests, converged and healthy", journey.deploy),
        ("change one object: exactly one write", journey.change_one),
        ("remove a file: its object is pruned", journey.prune),
        ("aim at another namespace: refused, the rest converges", journey.refuse_foreign),
        ("edit by hand in the cluster: put back", journey.correct_drift),
        ("lose a webhook: deployed all the same", journey.lose_webhook),
        ("push source code: the pipeline succeeds", journey.run_pipeline),
        ("break the build: GitLab says so", journey.break_build),
        ("view: status, runs, explain, wait", lambda: console.print(journey.view(), highlight=False)),
    ]
    if not keep:
        steps += [
            ("remove the product: nothing left", journey.destroy),
            ("remove the clusters", journey.unregister),
        ]
    for title, step in steps:
        rows.append(_timed(world, title, step))


def _timed(world: World, title: str, step: Callable[[], object]) -> tuple[str, float, str]:
    console.print(f"[bold]{title}[/bold] ...", highlight=False)
    before = world.calls()
    began = time.monotonic()
    step()
    seconds = time.monotonic() - began
    after = world.calls()
    counted = ", ".join(
        f"{name} {after[name] - before.get(name, 0)}" for name in after if after[name] > before.get(name, 0)
    )
    console.print(f"  held, {seconds:.1f} s", highlight=False)
    return title, seconds, counted


def _summary(rows: list[tuple[str, float, str]]) -> None:
    table = Table(title="The main process", show_footer=True)
    table.add_column("step", footer="together")
    table.add_column("seconds", justify="right", footer=f"{sum(row[1] for row in rows):.1f}")
    table.add_column("calls")
    for title, seconds, counted in rows:
        table.add_row(title, f"{seconds:.1f}", counted)
    console.print(table)


def _progress(name: str, state: str) -> None:
    console.print(f"  {name}: {state}", highlight=False)


def _quiet(_: str) -> None:
    """The demo prints its own lines."""
