"""The real stack as it is written down, looked at without an engine: nothing undeclared, nothing open, no secret in it."""

from __future__ import annotations

import re
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from api import codec
from nautes.clients.settings import Settings
from nautes.clients.temporal import keyring
from nautes.messages import search
from nautes_sandbox import openbao, temporal
from tests.unit.wheels import ROOT, build, files, held

DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("nautes-api", "nautes-worker")
JOBS = {"temporal-schema", "temporal-namespace"}
SECRET = re.compile(r"password|passwd|secret|token|credential|_key|pwd", re.IGNORECASE)


def pinned(image: str) -> bool:
    """Whether an image is named with a version, by its tag."""
    tag = image.rpartition(":")[2] if ":" in image.rpartition("/")[2] else ""
    return bool(re.fullmatch(r"v?\d+\.\d+[\w.-]*", tag))


def used(service: dict[str, Any], what: str) -> list[str]:
    """Names of the secrets or networks of a service."""
    return [each["source"] if isinstance(each, dict) else each for each in service.get(what, [])]


def instructions(name: str) -> list[list[str]]:
    """What follows each instruction of this name in the Dockerfile."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return [line.split()[1:] for line in text.splitlines() if line.startswith(f"{name} ")]


def copied() -> list[str]:
    """What the Dockerfile takes from the repository."""
    lines = [line for line in instructions("COPY") if not line[0].startswith("--from")]
    return [source for line in lines for source in line[:-1]]


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path out: the last pattern that fits it, or a directory above it, decides."""
    out = False
    parents = [path, *(str(each) for each in Path(path).parents if str(each) != ".")]
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#"):
            wanted = pattern.removeprefix("!").removeprefix("**/")
            if any(fnmatch(each, wanted) for each in parents):
                out = not pattern.startswith("!")
    return out


def test_all_that_the_stack_needs_is_there() -> None:
    images = {each["image"].rpartition(":")[0] for each in SERVICES.values()}
    assert images == {
        "postgres",
        "temporalio/admin-tools",
        "temporalio/server",
        "temporalio/ui",
        "caddy",
        "gitlab/gitlab-ce",
        "openbao/openbao",
        "rancher/k3s",
        "nautes",
    }


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_pinned_by_its_version(name: str) -> None:
    assert pinned(SERVICES[name]["image"])


def test_our_images_base_is_pinned_and_one() -> None:
    bases = {line[0] for line in instructions("FROM")}
    assert len(bases) == 1 and all("-slim" in base and pinned(base) for base in bases)


@pytest.mark.parametrize("name", OURS)
def test_every_setting_of_ours_exists(name: str) -> None:
    given = {key for key in SERVICES[name]["environment"] if key.startswith("NAUTES_")}
    known = {f"NAUTES_{field.upper()}" for field in Settings.model_fields}
    assert given and given <= known
    assert "NAUTES_ALLOW_LOOPBACK" not in given, "that is the sandbox's"


def test_no_setting_is_named_anywhere_that_does_not_exist() -> None:
    known = {f"NAUTES_{field.upper()}" for field in Settings.model_fields}
    files = [ROOT / "docker-compose.yml", ROOT / "Dockerfile", *(each for each in DEPLOY.rglob("*") if each.is_file())]
    texts = [each.read_text() for each in files if "secrets/" not in str(each.relative_to(ROOT))]
    named = {name for text in texts for name in re.findall(r"NAUTES_[A-Z_]+[A-Z]", text)}
    assert named <= known


@pytest.mark.parametrize("name", OURS)
def test_payloads_are_encrypted_with_the_key_that_the_script_makes(name: str, tmp_path: Path) -> None:
    subprocess.run([str(DEPLOY / "secrets.sh"), str(tmp_path / "secrets")], check=True, capture_output=True)
    given = SERVICES[name]["environment"]
    file = Path(given["NAUTES_CODEC_KEYS_FILE"]).name
    current = given["NAUTES_CODEC_CURRENT"].removeprefix("${CODEC_CURRENT:-").removesuffix("}")
    keys = keyring(Settings(codec_keys_file=tmp_path / "secrets" / file, codec_current=current))
    assert keys is not None


def test_temporal_ui_asks_the_codec_endpoint_with_the_persons_token() -> None:
    given = SERVICES["temporal-ui"]["environment"]
    assert given["TEMPORAL_AUTH_ENABLED"] == given["TEMPORAL_CODEC_PASS_ACCESS_TOKEN"] == "true"
    endpoint = re.sub(r"\$\{\w+:-(\d+)\}", r"\1", given["TEMPORAL_CODEC_ENDPOINT"])
    assert endpoint == f"https://localhost:8443{codec.PREFIX}", "the UI sends tokens by https only"
    assert "https://localhost:8443 {" in (DEPLOY / "tls" / "Caddyfile").read_text()
    callback = given["TEMPORAL_AUTH_CALLBACK_URL"]
    assert callback.startswith(SERVICES["nautes-api"]["environment"]["NAUTES_TEMPORAL_UI_URL"]), "the one origin"
    setup = (DEPLOY / "gitlab" / "setup.rb").read_text()
    assert f"uid: '{given['TEMPORAL_AUTH_CLIENT_ID']}'" in setup
    assert f"scopes: '{given['TEMPORAL_AUTH_SCOPES'].replace(',', ' ')}'" in setup


@pytest.mark.parametrize("name", OURS)
def test_a_secrets_file_is_a_secret_of_the_service(name: str) -> None:
    service = SERVICES[name]
    files = {value for key, value in service["environment"].items() if key.endswith("_FILE")}
    assert files and files == {f"/run/secrets/{each}" for each in used(service, "secrets")}


def test_what_is_used_is_declared_and_what_is_declared_is_used() -> None:
    for what in ("secrets", "networks"):
        assert {each for service in SERVICES.values() for each in used(service, what)} == set(COMPOSE[what])
    sources = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert {each for each in sources if not each.startswith(".")} == set(COMPOSE["volumes"])
    for each in sources:
        assert not each.startswith(".") or (ROOT / each).exists(), each
    for service in SERVICES.values():
        assert set(service.get("depends_on", {})) <= set(SERVICES)


def test_secrets_are_files_that_the_script_makes_and_git_does_not_keep(tmp_path: Path) -> None:
    names = {Path(each["file"]).name for each in COMPOSE["secrets"].values()}
    assert {str(Path(each["file"]).parent) for each in COMPOSE["secrets"].values()} == {"deploy/secrets"}
    command = [str(DEPLOY / "secrets.sh"), str(tmp_path / "secrets")]
    subprocess.run(command, check=True, capture_output=True)
    made = {each.name: each.read_text() for each in (tmp_path / "secrets").iterdir()}
    assert set(made) == names
    assert len(set(made.values())) == len(made) and all(len(text) >= 20 for text in made.values())
    subprocess.run(command, check=True, capture_output=True)
    assert made == {each.name: each.read_text() for each in (tmp_path / "secrets").iterdir()}, "what is there is kept"
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
    check = ["git", "-C", str(ROOT), "check-ignore", "--quiet", "deploy/secrets/gitlab_token"]
    assert subprocess.run(check, check=False).returncode == 0
    assert ignored("deploy/secrets/gitlab_token"), "and the image does not either"


def test_no_secret_stands_in_the_environment_or_in_a_default() -> None:
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            switch = str(value) in ("true", "false")
            assert switch or not SECRET.search(key) or key.endswith(("_FILE", "_ROLE_ID")), f"{name}: {key}"
            assert "glpat-" not in str(value)
    text = (ROOT / "docker-compose.yml").read_text() + (DEPLOY / "env.example").read_text()
    for variable in re.findall(r"\$\{(\w+)", text):
        assert not SECRET.search(variable), f"{variable} would come from the environment"


def test_ports_are_open_on_this_machine_only() -> None:
    published = [str(port) for service in SERVICES.values() for port in service.get("ports", [])]
    assert published and all(port.startswith("127.0.0.1:") for port in published)
    assert not any("network_mode" in service for service in SERVICES.values())
    assert COMPOSE["networks"]["database"] == {"internal": True}


def test_whatever_runs_on_is_looked_at_and_waited_for() -> None:
    for name, service in SERVICES.items():
        assert ("healthcheck" in service) is (name not in JOBS), name
        for needed, how in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if needed in JOBS else "service_healthy"
            assert how == {"condition": expected}, (name, needed)
    for name in OURS:
        assert set(SERVICES[name]["depends_on"]) == {"temporal-namespace", "gitlab", "openbao"}


@pytest.mark.parametrize("name", OURS)
def test_our_containers_may_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"] and service["tmpfs"] == ["/tmp"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert [each for each in service["volumes"] if each.endswith(":/var/lib/nautes")] == service["volumes"]
    [[user]] = instructions("USER")
    assert user.split(":")[0].isdigit() and int(user.split(":")[0]) >= 1000


def test_the_image_holds_what_the_lock_pins_and_nothing_else() -> None:
    installs = [" ".join(line) for line in instructions("RUN") if "pip install" in " ".join(line)]
    assert len(installs) == 3
    assert installs[0].endswith("/opt/nautes/bin/python -m pip install --require-hashes -r requirements.lock")
    assert installs[1].endswith("/opt/build/bin/python -m pip install --require-hashes -r requirements-build.lock")
    assert "/opt/build/bin/python -m pip wheel --no-deps --no-build-isolation" in installs[2]
    assert installs[2].endswith("/opt/nautes/bin/python -m pip install --no-deps /wheels/*.whl")
    assert instructions("COPY")[-1][:2] == ["--from=build", "/opt/nautes"], (
        "of the stage that builds, only this is kept"
    )


def test_what_the_image_copies_exists_and_is_not_ignored() -> None:
    for source in copied():
        assert (ROOT / source).exists(), source
        assert not ignored(source), source
        if (ROOT / source).is_dir():
            assert not any(ignored(str(each.relative_to(ROOT))) for each in (ROOT / source).glob("*.[pt]*"))
    for private in (
        ".git/config",
        ".venv/bin/python",
        ".sandbox/secrets/gitlab-root",
        "tests/worlds.py",
        ".env",
    ):
        assert ignored(private), private


def test_what_the_image_copies_makes_the_wheels_that_it_installs(tmp_path: Path) -> None:
    source = tmp_path / "src"
    source.mkdir()
    for each in copied():
        if (ROOT / each).is_dir():
            shutil.copytree(ROOT / each, source / each, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (source / each).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / each, source / each)
    [line] = [" ".join(line) for line in instructions("RUN") if "pip wheel" in " ".join(line)]
    assert "--wheel-dir /wheels . ./deploy/server &&" in line
    for name in ("nautes", "nautes-server"):
        assert held(build(source, name, tmp_path / "dist")) == files(ROOT, name)


def test_the_image_holds_nothing_of_the_sandbox() -> None:
    assert ignored("sandbox/nautes_sandbox/world.py") and ignored("examples/product.yaml")
    assert not any(each.startswith(("sandbox", "examples")) for each in copied())


def test_real_openbao_and_the_sandbox_share_their_policies() -> None:
    for name, policy in (("nautes", openbao.PLATFORM_POLICY), ("nautes-api", openbao.API_POLICY)):
        text = (DEPLOY / "openbao" / "policies" / f"{name}.hcl").read_text()
        assert text.partition("\n")[2].strip() == policy.strip()


def test_real_temporal_and_the_sandbox_share_their_settings() -> None:
    given = {
        key: values[0]["value"]
        for key, values in yaml.safe_load((DEPLOY / "temporal/dynamic.yaml").read_text()).items()
    }
    ours = {key: yaml.safe_load(value) for key, value in temporal.DYNAMIC.items()}
    ours.pop("frontend.WorkflowTimeSkippingEnabled")  # for tests
    assert given == ours
    script = (DEPLOY / "temporal" / "namespace.sh").read_text()
    assert set(re.findall(r"Nautes\w+", script)) == {each.name for each in search.ALL}
    assert f"retention={temporal.RETENTION.days * 24}h" in script
