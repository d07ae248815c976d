"""What the compose file promises, judged without an engine."""

import importlib
import json
import re

import pytest
from pydantic_settings import BaseSettings

from headrace.contracts.services import EVERY, PORTS
from headrace.inference.settings import InferenceSettings
from headrace.objects import ObjectSettings
from headrace.provision.settings import ProvisionSettings

from .conftest import COMPOSE, CONTAINERS, JOBS, LASTING, REPLICAS, ROOT, SERVICES, VARIABLE, mounts, ports

OWN = sorted(name for name, each in CONTAINERS.items() if each["image"].startswith("headrace/"))
PUBLIC = sorted(CONTAINERS.keys() - set(OWN))
BEGIN_AS_ROOT = {"secrets", "postgres"}  # to give files away, and to become its own user
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|ACCESS_KEY|API_KEY|NKEY")


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_runs(service: str) -> None:
    """A new folder in services/ needs its container."""
    assert CONTAINERS[service]["build"]["args"]["SERVICE"] == service


def test_two_replicas_answer_behind_one_port() -> None:
    """The balancer finds every replica by one name; each has a disk of its own for what the broker has not taken."""
    disks = [next(source for source in mounts(name) if source.endswith("-data")) for name in REPLICAS]

    assert len(REPLICAS) >= 2
    assert len(set(disks)) == len(REPLICAS)
    assert all("inference" in CONTAINERS[name]["networks"]["front"]["aliases"] for name in REPLICAS)
    assert "inference:8080" in (ROOT / "infra/balancer/haproxy.cfg").read_text()


@pytest.mark.parametrize("name", REPLICAS)
def test_a_replica_does_not_take_the_balancer_for_one_caller(name: str) -> None:
    """All connections come from one address there: a limit for each address would be one for everybody together."""
    told = CONTAINERS[name]["environment"]["HEADRACE_HTTP_CONNECTIONS_PER_ADDRESS"]

    assert InferenceSettings(http_connections_per_address=told).http_connections_per_address == 0


def test_only_what_people_use_is_published_and_on_loopback_alone() -> None:
    """Store and database are reachable by nobody outside; whoever wants more puts a proxy with TLS before it."""
    published = {name: ports(name) for name in CONTAINERS if ports(name) and "profiles" not in CONTAINERS[name]}

    assert published.keys() == {*SERVICES, "balancer", "nats"}
    assert {address for each in published.values() for address, _ in each} == {"127.0.0.1"}
    for service, port in PORTS.items():
        assert published["balancer" if service == "inference" else service] == [("127.0.0.1", port)]


def test_what_attach_is_told_is_what_is_published() -> None:
    """Every service under its usual port, and the broker."""
    told = json.loads(CONTAINERS["secrets"]["environment"]["HEADRACE_PUBLISHED"])

    assert told.pop("nats") == ports("nats")[0][1]
    assert told == PORTS


@pytest.mark.parametrize("service", EVERY)
def test_the_secrets_of_each_service_have_a_volume(service: str) -> None:
    """And the service reads that one alone."""
    places = [name for name in CONTAINERS if f"for-{service}" in mounts(name)]

    assert "secrets" in places
    assert {name.rstrip("-0123456789") for name in places} == {"secrets", service}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_can_do_little(name: str) -> None:
    """Read-only root, no capabilities but those that two need to stop being root, no way to gain any."""
    container = CONTAINERS[name]

    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in container
    assert bool(container.get("cap_add")) == (name in BEGIN_AS_ROOT)
    assert str(container.get("user", "1000")).startswith("1000") or name in BEGIN_AS_ROOT


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_image_runs_as_nobody_in_particular(name: str) -> None:
    """Images that would run as root are told not to, but PostgreSQL's, which steps down by itself."""
    assert CONTAINERS[name].get("user") == "1000:1000" or name in BEGIN_AS_ROOT


@pytest.mark.parametrize("name", CONTAINERS)
def test_an_image_is_pinned(name: str) -> None:
    """What ran yesterday runs tomorrow."""
    _, _, tag = CONTAINERS[name]["image"].rpartition(":")

    assert re.search(r"\d", tag), f"{name} runs {CONTAINERS[name]['image']}: name a version"


def test_nothing_secret_has_a_default() -> None:
    """Every variable of the file that could be a secret is empty when nothing is set."""
    named = VARIABLE.findall((ROOT / "docker-compose.yml").read_text())

    assert not [name for name, default in named if SECRET.search(name) and default]


@pytest.mark.parametrize("name", CONTAINERS)
def test_no_secret_stands_in_the_environment(name: str) -> None:
    """`docker inspect` shows the environment to whoever may ask; secrets are files."""
    environment = CONTAINERS[name].get("environment", {})
    told = {
        key for key, value in environment.items() if SECRET.search(key) and value and not str(value).startswith("/")
    }

    assert not told - {"RAY_AUTH_MODE"}


@pytest.mark.parametrize("name", LASTING)
def test_a_container_sees_its_own_secrets_alone(name: str) -> None:
    """Who gets into one finds one identity; and may not change it."""
    part = "inference" if name in REPLICAS else "ray" if name == "ray-gpu" else name
    secrets = {source: writes for source, (_, writes) in mounts(name).items() if source.startswith(("for-", "vault"))}

    assert secrets.keys() <= {f"for-{part}"}
    assert not any(secrets.values())


def test_the_vault_is_opened_by_jobs_alone() -> None:
    """And written by the one that makes secrets, which has no network."""
    assert {name for name in CONTAINERS if "vault" in mounts(name)} == set(JOBS)
    assert {name for name in JOBS if mounts(name)["vault"][1]} == {"secrets"}
    assert CONTAINERS["secrets"]["network_mode"] == "none"


def test_every_volume_is_declared_and_used() -> None:
    """An undeclared one would be refused, an unused one would mislead."""
    used = {source for name in CONTAINERS for source in mounts(name) if not source.startswith(".")}

    assert used == COMPOSE["volumes"].keys()


def test_every_file_that_is_mounted_exists() -> None:
    """The engine would make an empty folder of a missing one."""
    files = [source for name in CONTAINERS for source in mounts(name) if source.startswith(".")]

    assert not [file for file in files if not (ROOT / file).exists()]


@pytest.mark.parametrize("name", [*SERVICES, *REPLICAS])
def test_services_wait_until_their_world_is_made(name: str) -> None:
    """Databases, buckets and streams first; everything else they wait for by themselves."""
    assert CONTAINERS[name]["depends_on"] == {"provision": {"condition": "service_completed_successfully"}}


@pytest.mark.parametrize("job", JOBS)
def test_a_job_is_waited_for_by_somebody(job: str) -> None:
    """Else `docker compose up --wait` takes its ending for a failure."""
    waiting = [each["depends_on"].get(job, {}) for each in CONTAINERS.values() if "depends_on" in each]

    assert {"condition": "service_completed_successfully"} in waiting


@pytest.mark.parametrize("name", LASTING)
def test_what_dies_comes_back(name: str) -> None:
    """Also after the machine has restarted."""
    assert CONTAINERS[name]["restart"] == "always"


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_image_gets_a_health_check(name: str) -> None:
    """Ours bring theirs along."""
    assert CONTAINERS[name]["healthcheck"]["test"]


@pytest.mark.parametrize(
    "file", sorted({CONTAINERS[name]["build"]["dockerfile"] for name in OWN if "build" in CONTAINERS[name]})
)
def test_our_images_say_what_they_are_and_run_as_a_user(file: str) -> None:
    """Labels of the Open Container Initiative, a health check, no root, no newest version of anything."""
    text = (ROOT / file).read_text()
    last = text[text.rindex("\nFROM ") :]

    assert "\nUSER 1000:1000\n" in last
    assert "\nHEALTHCHECK " in last
    assert {"title", "description", "licenses", "version"} <= set(re.findall(r"opencontainers\.image\.(\w+)=", last))
    assert ":latest" not in text


def test_only_the_trainer_reaches_ray() -> None:
    """Whoever speaks with Ray's head can run any code there."""
    assert {name for name in CONTAINERS if "ray" in networks(name)} == {"ray", "ray-gpu", "trainer"}
    assert COMPOSE["networks"]["ray"] == {"internal": True}


def test_only_services_reach_their_database() -> None:
    """And nothing of that network leads outside."""
    assert {name for name in CONTAINERS if "data" in networks(name)} == {*SERVICES, "postgres", "provision"}
    assert COMPOSE["networks"]["data"] == {"internal": True}


def test_a_gpu_is_asked_for_only_with_its_profile() -> None:
    """The rest starts on any machine."""
    asking = {name for name, each in CONTAINERS.items() if "devices" in str(each.get("deploy"))}

    assert asking == {"ray-gpu"}
    assert CONTAINERS["ray-gpu"]["profiles"] == ["gpu"]
    device = CONTAINERS["ray-gpu"]["deploy"]["resources"]["reservations"]["devices"][0]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    assert CONTAINERS["ray-gpu"]["build"]["args"]["GPU"] == "all"


def test_any_store_takes_minios_place_by_settings_alone() -> None:
    """No container waits for MinIO or names it, and it can be left out."""
    text = (ROOT / "docker-compose.yml").read_text()

    assert not [name for name, each in CONTAINERS.items() if "minio" in each.get("depends_on", {})]
    assert "scale: ${HEADRACE_MINIO:-1}" in text
    assert text.count("http://minio:9000") == 1
    assert "HEADRACE_S3_ENDPOINT: ${HEADRACE_S3_ENDPOINT:-http://minio:9000}" in text


@pytest.mark.parametrize("name", [*SERVICES, *REPLICAS, *JOBS])
def test_every_setting_is_one_that_its_program_knows(name: str) -> None:
    """A misspelt one would be ignored in silence."""
    known = {"HEADRACE_MODULE", "HEADRACE_ENV_FILE", *variables(settings_of(name)), *variables(ObjectSettings)}
    told = {key for key in CONTAINERS[name].get("environment", {}) if key.startswith("HEADRACE_")}

    assert told <= known


def networks(name: str) -> set[str]:
    """The networks of a container."""
    return set(CONTAINERS[name].get("networks", ()))


def settings_of(name: str) -> type[BaseSettings]:
    """What a container's program can be told."""
    if name in JOBS:
        return ProvisionSettings
    if name in REPLICAS:
        return InferenceSettings
    module = importlib.import_module(f"headrace.{name}.settings")
    return next(
        each
        for key, each in vars(module).items()
        if key == f"{name.title()}Settings" and issubclass(each, BaseSettings)
    )


def variables(settings: type[BaseSettings]) -> set[str]:
    """The environment variables of a settings class."""
    prefix = settings.model_config["env_prefix"]
    return {f"{prefix}{field}".upper() for field in settings.model_fields}
