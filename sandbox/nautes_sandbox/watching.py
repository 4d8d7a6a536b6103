"""List-and-watch for the sandbox's players: calls a function for every object as it is now, and again when it changes.

Used by node.py, controllers.py and tekton.py. Waits for events, never polls; a kind that is not served yet is asked for
again after a while.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

from nautes_sandbox.kubernetes.client import Client, Kind, Object, RequestError

WATCH_SECONDS = 300
PAUSE = 0.5  # seconds before a broken watch is begun anew


def follow(cluster: Client, kind: Kind, seen: Callable[[Object], None]) -> None:
    """Call `seen` for every object of a kind, for ever. An error of `seen` is logged; it never ends the loop."""
    while True:
        try:
            listing = cluster.list(kind)
            for item in listing.items:
                _safely(seen, item)
            for event, item in cluster.watch(kind, version=listing.version, seconds=WATCH_SECONDS):
                if event in ("ADDED", "MODIFIED"):
                    _safely(seen, item)
        except RequestError as error:
            logging.debug("%s: %s", kind.kind, error)
            time.sleep(PAUSE)


def follow_all(cluster: Client, plays: Iterable[tuple[Kind, Callable[[Object], None]]]) -> None:
    """`follow` several kinds, each on a thread of its own, for ever."""
    threads = [threading.Thread(target=follow, args=(cluster, kind, seen)) for kind, seen in plays]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _safely(seen: Callable[[Object], None], item: Object) -> None:
    try:
        seen(item)
    except RequestError as error:
        logging.info("%s/%s: %s", item.get("kind"), item["metadata"]["name"], error)
    except Exception:
        logging.exception("%s/%s", item.get("kind"), item["metadata"]["name"])
