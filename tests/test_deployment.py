"""The files of deploy/ agree with the program: nothing here needs Docker or Kubernetes."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from skyreid.service.administering.login_routes import ROUTES
from tests.test_readme import parsed

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
PAGE = ROOT / "docs/deployment.md"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
MANIFESTS = {
    path.name: [*yaml.safe_load_all(path.read_text())] for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
}
RAY = (DEPLOY / "ray-cluster.yaml").read_text()
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
TEXTS = [*sorted(path for path in DEPLOY.rglob("*") if path.is_file()), PAGE]


def containers():
    for manifests in MANIFESTS.values():
        for manifest in manifests:
            if manifest["kind"] == "Deployment":
                yield from manifest["spec"]["template"]["spec"]["containers"]


def commands():
    """Every `skyreid …`: of services, of containers, and those that people are told to type into one of them."""
    for service in COMPOSE["services"].values():
        if service["command"][0] == "skyreid":
            yield service["command"][1:]
    for container in containers():
        assert container["args"][0] == "skyreid"
        yield container["args"][1:]
    for path in TEXTS:
        for line in re.findall(r"exec \S+ (?:-- )?skyreid ([^`\n]+)", path.read_text()):
            yield shlex.split(line, comments=True)


@pytest.mark.parametrize("arguments", [*commands()], ids=" ".join)
def test_every_command_parses(arguments):
    try:
        assert parsed(arguments) is not None
    except SystemExit as stop:
        pytest.fail(f"skyreid {shlex.join(arguments)} is refused with status {stop.code}")


def test_services_containers_and_people_are_told_commands():
    names = {" ".join(arguments[:2]) for arguments in commands()}
    assert names >= {"serve /cases", "serve /data/cases", "case work", "user add", "weights get"}


def test_the_image_brings_extras_that_exist():
    extras = {name for given in re.findall(r"EXTRAS=([\w,]+)", DOCKERFILE + RAY) for name in given.split(",")}
    assert {"serve", "postgres", "cluster"} <= extras
    assert extras <= tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"].keys()


def test_the_pins_that_the_image_takes_from_the_lock_are_those_of_the_lock():
    """The program of the Dockerfile, by the sed that stands there."""
    program = re.search(r"sed -n '(.+?)' /requirements\.txt", DOCKERFILE)
    assert program
    lock = (ROOT / ".ci/requirements.txt").read_text()
    made = subprocess.run(["sed", "-n", program[1]], input=lock, capture_output=True, text=True, check=True).stdout
    locked = dict(re.findall(r"^([\w.-]+)==([^ +]+)", lock, re.MULTILINE))
    assert dict(line.split("==") for line in made.split()) == locked


def test_what_is_asked_for_health_and_set_in_the_environment_is_what_the_program_knows():
    public = {path for _, path, *_ in ROUTES}
    asked = set(re.findall(r"https://127\.0\.0\.1:8765(/\w+)", DOCKERFILE))
    asked |= {
        probe["httpGet"]["path"] for each in containers() for name, probe in each.items() if name.endswith("Probe")
    }
    assert asked and asked <= public
    program = "".join(path.read_text() for path in (ROOT / "src/skyreid").rglob("*.py"))
    given = set(COMPOSE["services"]["server"]["environment"]) | set(re.findall(r"^ENV .*?(SKYREID_\w+)=", DOCKERFILE))
    given |= {variable["name"] for each in containers() for variable in each["env"]}
    entrypoint = (DEPLOY / "entrypoint.sh").read_text()
    assert "SKYREID_CACHE" in given
    assert all(f'"{name}"' in program or name in entrypoint for name in given), given


def test_images_are_pinned_and_no_version_floats():
    images = re.findall(r"^ARG PYTHON=(\S+)", DOCKERFILE, re.MULTILINE)
    images += [COMPOSE["services"]["database"]["image"].partition(":")[2]]
    assert len(images) == 2
    assert all(re.fullmatch(r"\d+\.\d+(\.\d+)?-[\w-]+", tag) for tag in images), images


def test_only_this_machine_reaches_a_server_that_nobody_opened():
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert ports == ["${SKYREID_LISTEN:-127.0.0.1}:8765:8765"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert COMPOSE["services"]["database"]["networks"] == ["inside"]
    kinds = {manifest["kind"] for manifests in MANIFESTS.values() for manifest in manifests}
    assert "Ingress" not in kinds
    assert all("type" not in each["spec"] for each in MANIFESTS["server.yaml"] if each["kind"] == "Service")


def test_every_node_of_the_ray_cluster_is_guarded_as_the_page_says():
    page = (ROOT / "docs/many-machines.md").read_text()
    guarded = page.partition("On several machines")[2]
    asked = set(re.findall(r"\bRAY_(?:USE_TLS|TLS_\w+|AUTH_\w+)=\S+", guarded))
    cluster = yaml.safe_load(RAY)
    given = {option.removeprefix("--env=") for option in cluster["docker"]["run_options"]}
    assert asked and asked <= given
    starts = [each for name in ("head", "worker") for each in cluster[f"{name}_start_ray_commands"] if "start" in each]
    shown = re.findall(r"^ray start (--head .+?|--address .+?) +#", page, re.MULTILINE)
    assert len(starts) == len(shown) == 2
    for start, line in zip(starts, shown, strict=True):
        assert set(line.replace("HEAD:", "$RAY_HEAD_IP:").split()) <= set(start.split())


def test_every_volume_secret_and_claim_that_is_used_is_declared():
    for service in COMPOSE["services"].values():
        assert set(service.get("secrets", ())) <= COMPOSE["secrets"].keys()
        named = {volume.partition(":")[0] for volume in service["volumes"]}
        assert {name for name in named if "/" not in name} <= COMPOSE["volumes"].keys()
    claims = {each["metadata"]["name"] for each in MANIFESTS["storage.yaml"]}
    for name in ("server.yaml", "worker.yaml"):
        pod = MANIFESTS[name][0]["spec"]["template"]["spec"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        for container in (*pod["initContainers"], *pod["containers"]):
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes.keys()
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert volumes["data"]["persistentVolumeClaim"]["claimName"] in claims


def test_no_password_stands_in_a_file():
    for path in TEXTS:
        text = path.read_text()
        assert not re.search(r"postgresql\S*://\w+:\w", text), path
        assert not re.search(r"(?i)\w*password\w*[:=] *[\"']?\w", text.replace("password=FILE", "")), path


@pytest.mark.parametrize("password", [r"colon: \back \: %s$HOME`id`'\"", "naïve ünïcode"])
def test_libpq_takes_the_password_from_a_mounted_file_that_others_may_read(tmp_path, password):
    pytest.importorskip("psycopg")
    mounted, made = tmp_path / "secret", tmp_path / "pgpass"
    mounted.write_text(password + "\n")
    mounted.chmod(0o444)
    asks = (
        "import sys; from psycopg import pq;"
        "found = pq.PGconn.connect_start(b'host=127.0.0.1 port=1 user=skyreid dbname=skyreid');"
        "sys.stdout.buffer.write(found.password)"
    )
    environment = {"PATH": os.environ["PATH"], "PGPASSWORD_FILE": str(mounted), "PGPASSFILE": str(made)}
    command = ["/bin/sh", str(DEPLOY / "entrypoint.sh"), sys.executable, "-c", asks]
    assert subprocess.run(command, env=environment, capture_output=True, check=True).stdout == password.encode()
    assert made.stat().st_mode & 0o777 == 0o600
