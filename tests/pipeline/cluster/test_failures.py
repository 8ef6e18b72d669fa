import pytest

from pipeline.cluster.failures import explain_log
from pipeline.cluster.task import FAILED

IMAGE = "registry/image:1"


@pytest.mark.parametrize(
    ("log", "explanation"),
    [
        (
            "/usr/bin/python: Error while finding module specification for 'pipeline.cluster.task' "
            "(ModuleNotFoundError: No module named 'pipeline')",
            f"the image {IMAGE} has no module 'pipeline': this project is not installed",
        ),
        (
            "/usr/bin/python: No module named pipeline.cluster",
            f"the image {IMAGE} has no module 'pipeline.cluster'",
        ),
        ("ModuleNotFoundError: No module named 'cv2'", "built for another version"),
        (
            "UnimplementedError: File system scheme 'oss' not implemented (file: 'oss://b/f')",
            "the image cannot read oss:// URIs",
        ),
        ("mkdir /gcs/b/Split-train: not a directory", "empty object of the bucket"),
        ("container was OOMKilled", "memory_gb"),
        ("0/3 nodes are available: 3 Insufficient nvidia.com/gpu.", "GPU not scheduled"),
        ("Back-off pulling image: ImagePullBackOff", "kubeflow.image"),
        ("grpc: received message larger than max (5 vs. 4194304)", "4 MB"),
        (f"noise\n{FAILED}span: 'x' is neither a number\nnor more\n", "span: 'x' is neither"),
        (f"{FAILED}No module named 'components'", "is not installed in it"),
    ],
)
def test_known_failures_are_explained(log, explanation):
    assert explanation in explain_log(log, IMAGE)


def test_an_unknown_failure_is_not_explained():
    assert explain_log("Segmentation fault") is None
    assert explain_log("") is None


def test_nor_are_tensorflows_local_files():
    assert explain_log("File system scheme '[local]' not implemented") is None
