"""The log: one line of JSON per record, with what it is about, and without what looks like a secret."""

from __future__ import annotations

import json
import logging
import sys

import pytest
from temporalio.testing import ActivityEnvironment

from nautes.messages import ids
from nautes.telemetry import logs

SECRETS = [
    "glpat-abcdefghij0123456789",
    "gloas-abcdefghij0123456789abcdef",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "hvs.CAESIJ1234567890abcdefghij",
    "s.abcdefghijklmnopqrstuvwx",
    "eyJhbGciOiJSUzI1NiIsImtpZCI6IiJ9.eyJpc3MiOiJrdWJl.c2lnbmF0dXJl",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA",
    "Bearer c2VjcmV0LXRva2Vu",
    "Authorization: Basic bmF1dGVzOnNlY3JldA==",
]


def _record(message: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, None) if error else None
    return logging.LogRecord("nautes.test", logging.WARNING, __file__, 1, message, arguments, info)


def _line(record: logging.LogRecord) -> dict[str, object]:
    text = logs.Json().format(record)
    assert "\n" not in text
    found: dict[str, object] = json.loads(text)
    return found


def test_a_record_is_one_line_whatever_is_in_it() -> None:
    found = _line(_record("two\nlines of %s", "ünïcode \u2028"))
    assert found["message"] == "two\nlines of ünïcode \u2028"
    assert (found["level"], found["logger"]) == ("WARNING", "nautes.test")
    assert str(found["time"]).endswith("+00:00")


def test_a_traceback_stays_within_its_record() -> None:
    try:
        raise KeyError("oops")
    except KeyError:
        record = _record("failed")
        record.exc_info = sys.exc_info()
    assert "KeyError: 'oops'" in str(_line(record)["error"])


def test_what_is_given_is_told_and_ends_with_its_block() -> None:
    with logs.given(product="shop", cluster=""):
        with logs.given(operation="change/shop/1"):
            found = _line(_record("within"))
            assert (found["product"], found["operation"]) == ("shop", "change/shop/1")
            assert "cluster" not in found
        assert "operation" not in _line(_record("between"))
    assert "product" not in _line(_record("after"))


@pytest.mark.parametrize("secret", SECRETS)
def test_what_looks_like_a_secret_is_blotted_out(secret: str) -> None:
    hidden = secret.partition(" ")[2] if secret.startswith(("Bearer", "Authorization")) else secret
    for form in (logs.Json(), logs.Text()):
        for record in (_record(f"GitLab said {secret} to us"), _record("failed", error=ValueError(f"of {secret}!"))):
            text = form.format(record)
            assert hidden not in text and json.dumps(hidden)[1:-1] not in text, text
            assert logs.BLOT in text


@pytest.mark.parametrize(
    "plain",
    ["deployment/shop/web is converged at 9ea283d2d01e", "http://gitlab/shop/web.git", "basic settings", "gl-branch"],
)
def test_what_is_no_secret_stays(plain: str) -> None:
    assert _line(_record(plain))["message"] == plain
    assert plain in logs.Text().format(_record(plain))


def test_credentials_within_an_address_are_blotted_out() -> None:
    found = _line(_record("fetching http://nautes:hunter2@gitlab/shop.git"))
    assert found["message"] == f"fetching http://{logs.BLOT}@gitlab/shop.git"


@pytest.mark.parametrize(
    ("workflow_id", "about"),
    [
        (ids.change("a/b", "20260101-u7"), {"product": "a/b", "operation": "change/a/b/20260101-u7"}),
        (ids.registration("edge", "op-1"), {"cluster": "edge", "operation": "registration/edge/op-1"}),
        (ids.deployment("a/b", "web"), {"product": "a/b"}),
        (ids.pipeline("a", "build"), {"product": "a"}),
        (ids.run("a/b", "build", "0123456789ab", "on-push"), {"product": "a/b"}),
        (ids.product("a/b"), {"product": "a/b"}),
        (ids.cluster("edge"), {"cluster": "edge"}),
        (ids.observer("edge"), {"cluster": "edge"}),
        (ids.TENANT, {}),
        (ids.BRANCH_SWEEP, {}),
        ("", {}),
    ],
)
def test_an_id_says_what_a_workflow_is_about(workflow_id: str, about: dict[str, str]) -> None:
    assert ids.about(workflow_id) == about


def test_within_an_activity_a_record_names_it() -> None:
    environment = ActivityEnvironment()
    environment.info = environment.default_info()
    found = environment.run(lambda: _line(_record("within")))
    assert (found["activity"], found["attempt"]) == (environment.info.activity_type, 1)
    assert found["workflow_id"] == environment.info.workflow_id
