"""The command. It runs where the new build's image runs, with its settings: those of the connection to Temporal suffice.

Ends with 0 when the other builds are drained, with 1 when something still sits on them, with 2 when the build has no workers.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from nautes.clients.builds import Deployment, build_of
from nautes.clients.settings import Settings
from nautes.clients.temporal import connect
from nautes.messages import ids
from nautes.messages.errors import NautesError
from nautes.rollout import rolling
from nautes.rollout.workflows import Workflows

STILL_THERE, REFUSED, INTERRUPTED = 1, 2, 130
ARGUMENTS = argparse.ArgumentParser(prog="nautes-rollout", description="Roll out a build of the platform, or go back.")
ARGUMENTS.add_argument("action", nargs="?", choices=("begin", "status"), default="begin", help="begin by default")
ARGUMENTS.add_argument("--to", metavar="BUILD", default="", help="the build that becomes current; by default this one")
ARGUMENTS.add_argument("--timeout", type=float, default=3_600, help="seconds to wait for the other builds (3600)")
ARGUMENTS.add_argument(
    "--rate", type=int, choices=range(1, 1_001), metavar="1-1000", default=50, help="workflows woken in a second (50)"
)
ARGUMENTS.add_argument("--fewer-queues", action="store_true", help="the build polls fewer task queues, and is meant to")


async def run(given: argparse.Namespace, settings: Settings) -> int:
    """The exit code."""
    client = await connect(settings)
    deployment = Deployment(client, settings.deployment)
    workflows = Workflows(client, settings.deployment, ids.TASK_QUEUE)
    if given.action == "status":
        print("\n".join(await rolling.status(deployment, workflows)) or "no worker has ever run")
        return 0
    build = given.to or build_of(settings)
    how = {"timeout": given.timeout, "rate": given.rate, "fewer": given.fewer_queues}
    left = await rolling.roll_out(deployment, workflows, build, **how, say=_say)
    print("\n".join(rolling.report(left)), end="\n" if left else "")
    return STILL_THERE if left else 0


def _say(text: str) -> None:
    print(text, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point. `arguments`: those of the process by default."""
    given = ARGUMENTS.parse_args(arguments)
    try:
        code = asyncio.run(run(given, Settings()))
    except (NautesError, ValueError) as error:  # of ours, or a setting that is wrong
        code = REFUSED
        print(getattr(error, "message", error), file=sys.stderr)
    except KeyboardInterrupt:
        code = INTERRUPTED
        print("interrupted: begin it again to go on", file=sys.stderr)
    sys.stdout.flush()
    os._exit(code)  # not sys.exit: Temporal's core may abort while the interpreter is taken down
