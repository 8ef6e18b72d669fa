"""Two stacks from one code base; the Python version chooses (see README, "Versions")."""

from pathlib import Path

from setuptools import find_packages, setup

TFX_1_21 = 'python_version >= "3.11"'  # its wheels need glibc 2.39
TFX_1_16 = 'python_version < "3.11"'  # runs on any glibc since 2.17
S3 = "boto3>=1.36"  # older ones do not know the settings of checksums
KFP = 'kfp>=2.5,<2.17; python_version < "3.12"'  # later Pythons: no kfp is compatible with TFX
KFP_SPEC = "kfp-pipeline-spec"  # enough to compile, and to run a task in its container
HEIF = ["pillow-heif"]  # reads HEIC; Pillow itself reads AVIF
# With it TensorFlow Text, which keras_hub imports where it is installed: of TensorFlow's version.
KERAS_HUB = [f"keras-hub>=0.32; {TFX_1_21}"]
ONNX = [
    "tf2onnx>=1.17",
    "onnx>=1.17",  # tf2onnx names no oldest one
    "onnxruntime>=1.20",
    "onnxruntime<1.24; python_version < '3.11'",  # the last one with wheels
]
UI = [  # the HTTP of the browser interface, and of the embedded server
    "jinja2",
    "markupsafe",
    "starlette>=0.40",
    "uvicorn>=0.30",
]
PIPELINE = [
    *UI,
    f"tfx==1.21.0; {TFX_1_21}",
    f"keras>=3.15.1; {TFX_1_21}",  # earlier ones have known vulnerabilities
    f"tensorboard; {TFX_1_21}",  # TFX's Trainer needs it, TensorFlow 2.21 no longer brings it
    f"opencv-python-headless>=4.12,<5; {TFX_1_21}",
    f"tfx==1.16.0; {TFX_1_16}",
    f"apache-beam==2.59.0; {TFX_1_16}",
    f"dill==0.3.1.1; {TFX_1_16}",  # tfx_bsl and TFT import it without declaring it
    f"ipykernel; {TFX_1_16}",  # of TFMA; notebook, which has it, is left out
    f"keras>=3.12.4,<3.13; {TFX_1_16}",  # earlier ones have known vulnerabilities
    f"tf-keras~=2.16.0; {TFX_1_16}",
    f"opencv-python-headless>=4.9,<4.12; {TFX_1_16}",  # later ones need NumPy 2
    "grpcio-health-checking",
    "h11",  # HTTP of the recorder; uvicorn brings it
    "keras-tuner>=1.4.8",
    "prometheus-client",
    "scikit-learn>=1.5",
    "tensorflow-serving-api",  # the embedded server's messages; TFX bounds its version
]
PACKAGES = [
    *("pipeline", "components", "trainer", "serving"),
    *("monitoring", "review", "traffic"),
    *("judging", "records", "images", "storage", "base"),
]

setup(
    name="siamese-tfx",
    version="0.2.0",
    description="From 5 to 100 labelled images per class to a gated, served Siamese classifier.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10,<3.14",
    packages=find_packages(include=[f"{name}{below}" for name in PACKAGES for below in ("", ".*")]),
    package_data={
        "pipeline.report": ["templates/*"],
        "pipeline.ui": ["templates/*", "static/*"],
    },
    install_requires=[  # enough for serving/client.py, and for the commands that ask a server
        "grpcio",
        "numpy",
        "pillow>=12.3",
        "protobuf>=3.20.3",
        "pydantic>=2.6",
        "pyyaml",
        "rich",
        "scipy",  # of the command line; the client itself does not load it
        "typer>=0.19",
    ],
    extras_require={
        "pipeline": PIPELINE,
        "gpu": [*PIPELINE, "tensorflow[and-cuda]"],  # NVIDIA's CUDA libraries as packages
        "kubeflow": [*PIPELINE, KFP, KFP_SPEC],
        "heif": HEIF,
        "keras-hub": [*PIPELINE, *KERAS_HUB],
        "onnx": ONNX,
        "parquet": ["pyarrow"],  # which the pipeline has
        "s3": [S3],
        "ui": UI,
        "dev": [
            *PIPELINE,
            *HEIF,
            *KERAS_HUB,
            *ONNX,
            KFP,  # the tests compile pipelines and run the result
            KFP_SPEC,
            S3,  # the tests read and write an S3 server on loopback: moto, which needs Flask
            "flask",
            "flask-cors",
            "moto[s3]",
            "axe-playwright-python",  # brings axe, which the tests run in Chromium
            "check-jsonschema",  # brings the schemas of Compose, GitHub Actions, GitLab CI
            "hypothesis",
            "import-linter",
            "jax",  # a second Keras backend to test on
            "kubernetes-validate",  # brings Kubernetes' schemas
            "mypy",
            "pre-commit",
            "promql-parser",
            "pytest",
            "pytest-timeout",
            "pytest-xdist",
            "ruff",
            "types-PyYAML",
        ],
    },
    entry_points={"console_scripts": ["siamese = pipeline.cli:main"]},
)
