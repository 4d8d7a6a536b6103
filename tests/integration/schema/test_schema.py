"""The API's description is right: schemathesis calls every operation with valid and invalid input, and applies all its checks.

`NAUTES_SCHEMA_EXAMPLES=100 python -m pytest tests/integration/schema -s` is a longer run; the figures are printed at the end.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from nautes_sandbox.scenario import Scenario

EXAMPLES = int(os.environ.get("NAUTES_SCHEMA_EXAMPLES", "3"))
# What is well-formed may still be refused: by a rule (422), a precondition (412), a cursor that was given out by nobody
# (422) or that is too old (410). Everything else is as schemathesis has it, and no check is left out.
MAY_BE_REFUSED = ["2xx", "304", "401", "403", "404", "409", "410", "412", "422", "429", "503"]
PROJECT: dict[str, Any] = {
    "generation": {"max-examples": EXAMPLES, "deterministic": True, "database": "none"},
    "seed": 1,
    "checks": {"positive_data_acceptance": {"expected-statuses": MAY_BE_REFUSED}},
    "parameters": {
        # A product that is there, so that there are answers to look at; names of things are made up. Nobody waits.
        "product_name": "shop",
        "wait": 0,
    },
    "request-timeout": 30,
}


@pytest.mark.timeout(3600)
def test_no_answer_is_undescribed_and_none_is_an_error_of_ours(
    shop: Scenario, capsys: pytest.CaptureFixture[str]
) -> None:
    token = shop.people["team"].token
    config = SchemathesisConfig.from_dict(
        {**PROJECT, "headers": {"Authorization": f"Bearer {token}", "PRIVATE-TOKEN": token}}
    )
    schema = schemathesis.openapi.from_url(f"{shop.world.api_url}/openapi.json", config=config)
    counted: Counter[str] = Counter()
    wrong: list[str] = []
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            counted["scenarios"] += 1
            counted["cases"] += len(event.recorder.cases)
            answers = [each.response for each in event.recorder.interactions.values() if each.response]
            counted["answered 2xx"] += sum(200 <= each.status_code < 300 for each in answers)
            for checks in event.recorder.checks.values():
                counted["checks"] += len(checks)
                wrong += [f"{each.name}: {each.failure_info.failure}" for each in checks if each.failure_info]
        elif isinstance(event, events.NonFatalError):
            wrong.append(str(event.info))
        elif isinstance(event, events.FatalError):
            raise event.exception
    with capsys.disabled():
        print(f"\nschemathesis: {dict(counted)}, {EXAMPLES} examples per operation and phase, {len(wrong)} failures")
    assert not wrong, "\n\n".join(wrong[:20])
    assert counted["cases"] > 1000
    assert counted["answered 2xx"] > 200  # it was let in, and there was something to see
