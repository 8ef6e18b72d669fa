"""kubeflow/manifests: what can be known of it without a cluster."""

import ipaddress
import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from serving.embedded.config_files import read_metrics_path
from serving.engine import IMAGE
from tests.kubeflow.kustomization import build

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "kubeflow" / "manifests"
CONFIG = ROOT / "serving" / "deploy" / "config"
OVERLAYS = ["plain", "gke"]
OLDEST = "1.28"
VERSIONS = [OLDEST, ".".join(kubernetes_validate.latest_version().split(".")[:2])]


@pytest.fixture(scope="module", params=OVERLAYS)
def overlay(request):
    return request.param


@pytest.fixture(scope="module")
def objects(overlay):
    """The overlay's objects by kind and name."""
    built = build(MANIFESTS / "overlays" / overlay)
    by_name = {(each["kind"], each["metadata"]["name"]): each for each in built}
    assert len(by_name) == len(built)
    return by_name


@pytest.fixture
def deployment(objects):
    return objects["Deployment", "siamese-serving"]["spec"]


@pytest.fixture
def pod(deployment):
    return deployment["template"]["spec"]


@pytest.fixture
def container(pod):
    (container,) = pod["containers"]
    return container


@pytest.fixture(scope="module")
def model():
    config = text_format.Parse(
        (CONFIG / "models.config").read_text(), model_server_config_pb2.ModelServerConfig()
    )
    (model,) = config.model_config_list.config
    return model


class TestBuild:
    @pytest.mark.parametrize("version", VERSIONS)
    def test_follows_the_schemas(self, objects, version):
        for (kind, _), each in objects.items():
            if kind == "ServiceMonitor":
                continue  # not Kubernetes' own; see TestMonitor
            kubernetes_validate.validate(each, version, strict=True)

    def test_the_schemas_see_a_wrong_field(self, objects):
        wrong = yaml.safe_load(yaml.safe_dump(objects["Deployment", "siamese-serving"]))
        wrong["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
        with pytest.raises(kubernetes_validate.ValidationError, match="readinesProbe"):
            kubernetes_validate.validate(wrong, OLDEST, strict=True)

    def test_is_what_kustomize_builds(self, overlay, objects):
        folder = str(MANIFESTS / "overlays" / overlay)
        if shutil.which("kustomize"):
            command = ["kustomize", "build", folder]
        elif shutil.which("kubectl"):
            command = ["kubectl", "kustomize", folder]
        else:
            pytest.skip("neither kustomize nor kubectl is on the PATH")
        built = subprocess.run(command, capture_output=True, text=True)
        assert built.returncode == 0, built.stderr
        hashed = re.search(r"name: (siamese-serving-config-\w{10})\n", built.stdout)[1]
        text = built.stdout.replace(hashed, hashed.rpartition("-")[0])
        real = {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(text)}
        assert real == objects

    def test_all_is_in_one_namespace(self, objects):
        spaces = {each["metadata"].get("namespace") for each in objects.values()}
        assert spaces - {None} == {"kubeflow"}
        assert {k for (k, _), each in objects.items() if "namespace" not in each["metadata"]} <= {
            "PersistentVolume"
        }

    def test_every_file_is_used(self):
        base = yaml.safe_load((MANIFESTS / "base/kustomization.yaml").read_text())
        there = {file.name for file in (MANIFESTS / "base").glob("*.yaml")} - {"kustomization.yaml"}
        assert there == {name for name in base["resources"] if "/" not in name}

    @pytest.mark.parametrize("version", VERSIONS)
    def test_the_limits_of_ephemeral_storage_follow_the_schema(self, version):
        limits = yaml.safe_load((MANIFESTS / "ephemeral-storage.yaml").read_text())
        kubernetes_validate.validate(limits, version, strict=True)

    def test_the_folder_is_no_package(self):
        assert not list((ROOT / "kubeflow").rglob("__init__.py"))


class TestServer:
    def test_is_the_one_of_compose(self, container):
        compose = yaml.safe_load((ROOT / "serving/deploy/compose.yaml").read_text())
        service = compose["services"]["serving"]
        assert container["image"] == service["image"] == IMAGE
        # Compose reads $$ as a dollar.
        entrypoint = [word.replace("$$", "$") for word in service["entrypoint"]]
        assert container["command"] == entrypoint

        def but_for_cpus(options):
            return [option for option in options if "parallelism" not in option]

        assert but_for_cpus(container["args"]) == but_for_cpus(service["command"])

    def test_reads_the_same_files(self, objects, pod, container):
        data = objects["ConfigMap", "siamese-serving-config"]["data"]
        files = {file.name: file.read_text() for file in CONFIG.iterdir()}
        files.pop("kustomization.yaml")
        assert data == files
        volumes = {each["name"]: each for each in pod["volumes"]}
        assert volumes["config"]["configMap"]["name"] == "siamese-serving-config"
        assert {"name": "config", "mountPath": "/config", "readOnly": True} in container[
            "volumeMounts"
        ]
        named = [
            option.split("=/config/")[1] for option in container["args"] if "/config/" in option
        ]
        assert set(named) == set(data)

    def test_finds_the_pushed_models(self, objects, pod, container, model):
        volumes = {each["name"]: each for each in pod["volumes"]}
        claim = volumes["models"]["persistentVolumeClaim"]
        assert claim["readOnly"] is True
        assert ("PersistentVolumeClaim", claim["claimName"]) in objects
        assert {"name": "models", "mountPath": model.base_path, "readOnly": True} in container[
            "volumeMounts"
        ]

    def test_has_the_threads_that_it_may_use(self, container):
        limits, requests = container["resources"]["limits"], container["resources"]["requests"]
        assert f"--tensorflow_session_parallelism={limits['cpu']}" in container["args"]
        assert requests["cpu"] == limits["cpu"]
        assert requests.keys() == limits.keys() == {"cpu", "memory"}

    def test_is_confined(self, pod, container):
        """Pod Security Standards, restricted; and a root that is read-only."""
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {key for each in pod["volumes"] for key in each} <= {
            "name",
            "persistentVolumeClaim",
            "configMap",
            "emptyDir",
        }
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()

    def test_holds_no_token(self, objects, pod):
        assert pod["automountServiceAccountToken"] is False
        account = objects["ServiceAccount", pod["serviceAccountName"]]
        assert account["automountServiceAccountToken"] is False
        bound = [
            subject["name"]
            for (kind, _), each in objects.items()
            if kind in ("RoleBinding", "ClusterRoleBinding")
            for subject in each["subjects"]
        ]
        assert bound == ["siamese-pipeline"]

    def test_is_probed_by_grpc(self, container):
        ports = {each["name"]: each["containerPort"] for each in container["ports"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["grpc"] == {"port": ports["grpc"]}
            assert container[probe]["timeoutSeconds"] >= 5
        assert "--enable_grpc_healthcheck_service=true" in container["args"]
        start = container["startupProbe"]
        assert start["failureThreshold"] * start["periodSeconds"] >= 600

    def test_goes_when_the_clients_are_gone(self, pod, container):
        command = container["lifecycle"]["preStop"]["exec"]["command"]
        assert command[0] == "sleep"
        assert 0 < int(command[1]) < pod["terminationGracePeriodSeconds"]

    def test_a_rollout_takes_no_server_away_first(self, deployment):
        assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


class TestAroundTheServer:
    def test_all_mean_its_pods(self, objects, deployment):
        labels = deployment["template"]["metadata"]["labels"]
        selectors = [
            deployment["selector"]["matchLabels"],
            objects["Service", "siamese-serving"]["spec"]["selector"],
            objects["Service", "siamese-serving-pods"]["spec"]["selector"],
            objects["PodDisruptionBudget", "siamese-serving"]["spec"]["selector"]["matchLabels"],
            objects["NetworkPolicy", "siamese-serving"]["spec"]["podSelector"]["matchLabels"],
            deployment["template"]["spec"]["topologySpreadConstraints"][0]["labelSelector"][
                "matchLabels"
            ],
        ]
        for selector in selectors:
            assert selector
            assert selector.items() <= labels.items()

    def test_the_ports_are_the_servers(self, objects, container):
        options = dict(option.removeprefix("--").split("=", 1) for option in container["args"])
        ports = {each["name"]: each["containerPort"] for each in container["ports"]}
        assert ports == {"grpc": int(options["port"]), "rest": int(options["rest_api_port"])}
        for port in objects["Service", "siamese-serving"]["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"]

    def test_clients_can_distribute_their_calls(self, objects):
        pods = objects["Service", "siamese-serving-pods"]
        assert pods["spec"]["clusterIP"] == "None"
        assert [each["port"] for each in pods["spec"]["ports"]] == [8500]
        # Else Prometheus would ask each pod twice.
        monitored = objects["ServiceMonitor", "siamese-serving"]["spec"]["selector"]["matchLabels"]
        assert not monitored.items() <= pods["metadata"]["labels"].items()

    def test_the_autoscaler_alone_counts_the_servers(self, objects, deployment, container):
        scaler = objects["HorizontalPodAutoscaler", "siamese-serving"]["spec"]
        assert scaler["scaleTargetRef"] == {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": "siamese-serving",
        }
        assert "replicas" not in deployment
        (metric,) = scaler["metrics"]
        assert metric["containerResource"]["container"] == container["name"]
        assert metric["containerResource"]["name"] in container["resources"]["requests"]
        # Else a node could never be drained, or would be with the last server.
        assert (
            scaler["minReplicas"]
            > objects["PodDisruptionBudget", "siamese-serving"]["spec"]["maxUnavailable"]
        )

    def test_the_monitor_asks_where_the_metrics_are(self, objects):
        monitor = objects["ServiceMonitor", "siamese-serving"]
        assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
        service = objects["Service", "siamese-serving"]
        chosen = monitor["spec"]["selector"]["matchLabels"]
        assert chosen
        assert chosen.items() <= service["metadata"]["labels"].items()
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint.keys() == {"port", "path", "interval"}
        assert endpoint["port"] == "rest"
        assert endpoint["path"] == read_metrics_path(str(CONFIG / "monitoring.config"))


class TestNetwork:
    def test_clients_come_from_the_namespace_and_prometheus_from_its_own(self, objects):
        policy = objects["NetworkPolicy", "siamese-serving"]["spec"]
        assert policy["policyTypes"] == ["Ingress", "Egress"]
        clients, prometheus = policy["ingress"]
        assert clients == {
            "from": [{"podSelector": {}}],
            "ports": [{"port": "grpc"}, {"port": "rest"}],
        }
        assert prometheus["ports"] == [{"port": "rest"}]
        assert list(prometheus["from"][0]) == ["namespaceSelector"]

    def test_the_server_asks_nobody_but_the_bucket(self, overlay, objects):
        egress = objects["NetworkPolicy", "siamese-serving"]["spec"]["egress"]
        if overlay == "plain":
            assert egress == []
            return
        for rule in egress:
            ports = {each["port"] for each in rule["ports"]}
            if "to" not in rule:
                assert ports == {443}
            for each in rule.get("to", ()):
                if "ipBlock" in each:
                    assert ipaddress.ip_network(each["ipBlock"]["cidr"]).is_link_local


class TestPipelineAccount:
    def test_may_do_what_a_task_needs_and_nothing_more(self, overlay, objects):
        rules = objects["Role", "siamese-pipeline"]["rules"]
        allowed = {
            (group, resource, verb, *rule.get("resourceNames", ["*"]))
            for rule in rules
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }
        needed = {
            ("argoproj.io", "workflowtaskresults", "create", "*"),
            ("argoproj.io", "workflowtaskresults", "patch", "*"),
            ("", "configmaps", "get", "kfp-launcher"),
        }
        if overlay == "plain":
            needed |= {("", "secrets", "get", "mlpipeline-minio-artifact")}
        assert allowed == needed

    def test_is_the_one_that_the_role_is_bound_to(self, objects):
        binding = objects["RoleBinding", "siamese-pipeline"]
        assert binding["roleRef"]["name"] == "siamese-pipeline"
        (subject,) = binding["subjects"]
        account = objects["ServiceAccount", subject["name"]]
        assert subject["namespace"] == account["metadata"]["namespace"]

    def test_nothing_holds_in_the_whole_cluster(self, objects):
        assert not [kind for kind, _ in objects if kind.startswith("ClusterRole")]


class TestVolume:
    def test_is_one_for_many_nodes(self, objects):
        claim = objects["PersistentVolumeClaim", "siamese-pushed-models"]["spec"]
        assert claim["accessModes"] == ["ReadWriteMany"]
        assert claim["storageClassName"]

    def test_on_gke_the_claim_takes_the_bucket(self, overlay, objects, deployment, pod):
        volumes = [name for kind, name in objects if kind == "PersistentVolume"]
        if overlay == "plain":
            assert volumes == []
            return
        claim = objects["PersistentVolumeClaim", "siamese-pushed-models"]["spec"]
        assert volumes == [claim["volumeName"]]
        volume = objects["PersistentVolume", claim["volumeName"]]["spec"]
        assert volume["storageClassName"] == claim["storageClassName"]
        assert volume["accessModes"] == claim["accessModes"]
        assert volume["capacity"]["storage"] == claim["resources"]["requests"]["storage"]
        assert volume["csi"]["driver"] == "gcsfuse.csi.storage.gke.io"
        assert volume["csi"]["readOnly"] is True
        # The server's user must be able to read, and TFX writes no objects for folders.
        context = pod["securityContext"]
        assert {
            f"uid={context['runAsUser']}",
            f"gid={context['runAsGroup']}",
            "implicit-dirs",
        } <= set(volume["mountOptions"])
        annotations = deployment["template"]["metadata"]["annotations"]
        assert annotations["gke-gcsfuse/volumes"] == "true"

    def test_what_must_be_set_is_marked(self, overlay):
        marked = "".join(
            line
            for file in (MANIFESTS / "overlays" / overlay).glob("*.yaml")
            for line in file.read_text().splitlines(keepends=True)
            if "# <<<" in line
        )
        values = {"plain": ["kubeflow", "nfs-client"], "gke": ["kubeflow", "my-bucket"]}
        for value in values[overlay]:
            assert value in marked
