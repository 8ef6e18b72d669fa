import pytest

from pipeline.cluster.checks import check_cluster
from pipeline.cluster.parameters import PUSH_DESTINATION, complete
from pipeline.cluster.paths import mounting_components
from pipeline.config.reading import parse

MODELS = {"claim": "models", "path": "/models"}


def configured(data_root="gs://bucket/parts", sections=None, **kubeflow):
    kubeflow = {"image": "i", "pipeline_root": "gs://bucket/p", **kubeflow}
    return parse({"data": {"root": data_root}, "kubeflow": kubeflow, **(sections or {})})


def check(data_root="gs://bucket/parts", parameters=None, platform="kubeflow", **more):
    config = configured(data_root, **more)
    check_cluster(config, complete(config, parameters or {}), platform)


def refused(message, *args, **more):
    with pytest.raises(ValueError, match=message):
        check(*args, **more)


@pytest.mark.parametrize("platform", ["kubeflow", "vertex"])
def test_buckets_are_accepted(platform):
    check(platform=platform)
    check("s3://bucket/parts", platform=platform)


def test_an_image_is_required():
    refused(r"kubeflow\.image: is required", image=None)


@pytest.mark.parametrize(
    ("root", "message"),
    [
        (None, "pipeline_root: is required"),
        ("/data/p", "a path of one machine"),
        ("runs", "a path of one machine"),
        ("minio://mlpipeline/v2", "write s3://"),
    ],
)
@pytest.mark.parametrize("platform", ["kubeflow", "vertex"])
def test_the_pipeline_root_is_shared(root, message, platform):
    refused(message, pipeline_root=root, platform=platform)


def test_beam_workers_do_not_reach_local_copies():
    sections = {"beam": {"args": ["--runner=DataflowRunner"]}}
    check(sections=sections)
    refused(r"kubeflow\.pipeline_root: s3://b/p: .*--runner=DataflowRunner",
            pipeline_root="s3://b/p", sections=sections)  # fmt: skip


def test_vertex_writes_to_cloud_storage_only():
    check(pipeline_root="s3://bucket/p")
    refused("Cloud Storage only", pipeline_root="s3://bucket/p", platform="vertex")


def test_a_local_data_root_is_refused():
    refused(r"data\.root: /data/parts is a path of this machine", "/data/parts")
    refused(
        r"data\.root: /data/parts",
        "/data/parts",
        volumes=[{"claim": "a", "path": "/dat", "components": ["Judge"]}],
    )
    refused(r"push\.destination: /models", parameters={"push_destination": "/models"})


@pytest.mark.parametrize("key", ["model.backbone", "model.weights", "tuner.reuse", "judge.unknown"])
@pytest.mark.parametrize("path", ["here/found.h5", "/home/me/found.h5"])
def test_every_other_local_path_is_refused(key, path):
    section, name = key.split(".")
    volumes = [{"claim": "found", "path": "/found", "components": ["Trainer", "Tuner", "Judge"]}]
    check(sections={section: {name: "gs://bucket/found.h5"}})
    check(sections={section: {name: "/found/found.h5"}}, volumes=volumes)
    refused(
        f"{key}: {path} is a path of this machine",
        sections={section: {name: path}},
        volumes=volumes,
    )


def test_a_mounted_volume_is_accepted():
    check("/data/parts", volumes=[{"claim": "images", "path": "/data/"}])
    check("/data", volumes=[{"claim": "images", "path": "/data"}])


def test_vertex_has_no_volumes():
    """The model would be written into the container, and lost with it."""
    push = {"push": {"destination": "/models"}}
    check(sections=push, volumes=[MODELS])
    refused(r"kubeflow\.volumes: Vertex AI has none", sections=push, volumes=[MODELS],
            platform="vertex")  # fmt: skip
    refused(r"push\.destination: /models is a path of this machine; put it in a bucket "
            r"\(gs://, s3://\)$", sections=push, platform="vertex")  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("image_pull_secrets", ["registry"]),
        ("env_from_secrets", [{"secret": "minio", "env": {"AWS_ACCESS_KEY_ID": "accesskey"}}]),
    ],
)
def test_vertex_has_no_secrets(key, value):
    check(**{key: value})
    refused(rf"kubeflow\.{key}: Vertex AI has none", platform="vertex", **{key: value})


def mounting(parameters=None, sections=None, **kubeflow):
    config = configured(sections=sections, **kubeflow)
    [volume] = config.kubeflow.volumes
    return set(mounting_components(volume, config, complete(config, parameters or {})))


def test_a_volume_is_mounted_where_it_is_needed():
    models = {"volumes": [MODELS]}
    push = {"push": {"destination": "/models"}}
    assert mounting(sections=push, **models) == set(PUSH_DESTINATION.tasks)
    assert mounting({"data_root": "/models/images"}, **models) == {"ImageExampleGen"}
    assert mounting(sections={"judge": {"unknown": "/models/u"}}, **models) == {"Judge"}
    backbone = {"model": {"backbone": "/models/encoder.keras"}}
    assert mounting(sections=backbone, **models) == {"Tuner", "Trainer"}
    assert mounting(unfinished="/models/unfinished", **models) == {"Tuner", "Trainer"}
    assert mounting(volumes=[{**MODELS, "components": ["Transform"]}]) == {"Transform"}


def test_a_volume_that_nobody_mounts_is_refused():
    refused("no component mounts models, since no path .* on /models", volumes=[MODELS])


def test_components_that_need_a_volume_must_mount_it():
    refused(
        "Trainer, Judge, InfraCheck must mount models to reach push.destination",
        sections={"push": {"destination": "/models"}},
        volumes=[{**MODELS, "components": ["Pusher"]}],
    )


def test_a_cached_span_is_named():
    root = "gs://bucket/span-{SPAN}"
    check(root)
    check(root, {"span": "7"}, cache=True)
    refused("--param span=7", root, cache=True)


def test_a_span_fits_the_data_root():
    refused(r"has no {SPAN}", parameters={"span": "7"})
