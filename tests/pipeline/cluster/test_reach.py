import pytest

from pipeline.cluster.parameters import PARAMETERS
from pipeline.cluster.reach import check_reachable
from pipeline.config.errors import ConfigError
from pipeline.config.reading import parse


def check(data_root="gs://bucket/parts", parameters=None, sections=None, **kubeflow):
    config = parse(
        {
            "data": {"root": data_root},
            "kubeflow": {"pipeline_root": "gs://bucket/p", **kubeflow},
            **(sections or {}),
        }
    )
    defaults = {one.name: one.default(config) for one in PARAMETERS}
    check_reachable(config, {**defaults, **(parameters or {})})


def test_buckets_are_good():
    check()
    check("s3://bucket/parts", pipeline_root="s3://bucket/p")


@pytest.mark.parametrize(
    ("root", "said"),
    [
        (None, "pipeline_root: is needed"),
        ("/data/p", "a path of one machine"),
        ("runs", "a path of one machine"),
        ("minio://mlpipeline/v2", "write s3://"),
    ],
)
def test_roots_that_pods_cannot_share_are_refused(root, said):
    with pytest.raises(ConfigError, match=said):
        check(pipeline_root=root)


def test_a_local_folder_of_images_is_refused():
    with pytest.raises(ConfigError, match=r"data\.root: /data/parts is a path of this machine"):
        check("/data/parts")
    with pytest.raises(ConfigError, match=r"data\.root: /data/parts"):
        check("/data/parts", volumes=[{"claim": "images", "path": "/dat"}])
    with pytest.raises(ConfigError, match=r"push\.destination: /models"):
        check(parameters={"push_destination": "/models"})


@pytest.mark.parametrize("key", ["model.backbone", "model.weights", "tuner.reuse", "judge.unknown"])
@pytest.mark.parametrize("path", ["here/found.h5", "/home/me/found.h5"])
def test_whatever_else_a_run_reads_is_refused_by_name(key, path):
    section, name = key.split(".")
    volumes = [{"claim": "found", "path": "/found"}]
    check(sections={section: {name: "gs://bucket/found.h5"}})
    check(sections={section: {name: "/found/found.h5"}}, volumes=volumes)
    with pytest.raises(ConfigError, match=f"{key}: {path} is a path of this machine"):
        check(sections={section: {name: path}}, volumes=volumes)


def test_a_mounted_volume_is_good():
    check("/data/parts", volumes=[{"claim": "images", "path": "/data/"}])
    check("/data", volumes=[{"claim": "images", "path": "/data"}])


def test_the_cache_needs_the_spans_number():
    root = "gs://bucket/span-{SPAN}"
    check(root)
    check(root, {"span": "7"}, cache=True)
    with pytest.raises(ConfigError, match="--param span=7"):
        check(root, cache=True)
