"""Health check of the worker's container: is a poller of this host known to Temporal on our task queue?

The worker opens no port. It polls at least once a minute, so a poller seen lately is a worker that lives and is connected.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

from nautes.clients.settings import Settings
from nautes.clients.temporal import connect
from nautes.messages import ids

LATELY = 120.0  # seconds; a poll takes up to 70


async def polls(settings: Settings, host: str) -> bool:
    """Whether a worker on this host polled Temporal lately."""
    client = await connect(settings, timeout=3)
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=ids.TASK_QUEUE),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    answer = await client.workflow_service.describe_task_queue(request)
    seen = [each for each in answer.pollers if each.identity.endswith(f"@{host}")]
    return any(time.time() - each.last_access_time.ToSeconds() < LATELY for each in seen)


if __name__ == "__main__":
    # Not sys.exit: Temporal's core may abort while the interpreter is taken down.
    os._exit(0 if asyncio.run(polls(Settings(), socket.gethostname())) else 1)
