"""Two stacks from one code base; the Python version chooses (see README, "Versions")."""

from pathlib import Path

from setuptools import find_packages, setup

TFX_1_16 = 'python_version < "3.11"'  # runs on any glibc since 2.17
TFX_1_21 = 'python_version >= "3.11"'  # its wheels need glibc 2.39
S3 = [  # for s3://, by TensorFlow and by Beam; no tensorflow-io goes with later TensorFlows
    'boto3; python_version < "3.11"',
    'tensorflow-io==0.37.*; python_version < "3.11"',
]
KFP = 'kfp>=2.5,<2.17; python_version < "3.12"'  # none goes with TFX on later ones
KFP_SPEC = "kfp-pipeline-spec"  # all that compiling, and a task in its container, need of it

setup(
    name="siamese-tfx",
    version="0.1.0",
    description="From a handful of labelled images to a gated, served Siamese classifier.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10,<3.14",
    packages=find_packages(
        include=[
            f"{package}{below}"
            for package in (
                "pipeline",
                "components",
                "trainer",
                "serving",
                "judging",
                "records",
                "images",
                "storage",
                "base",
            )
            for below in ("", ".*")
        ]
    ),
    package_data={"pipeline.report": ["templates/*"]},
    install_requires=[
        f"tfx==1.16.0; {TFX_1_16}",
        f"apache-beam==2.59.0; {TFX_1_16}",
        f"dill==0.3.1.1; {TFX_1_16}",  # tfx_bsl and TFT import it and do not declare it
        f"keras>=3.5,<3.13; {TFX_1_16}",
        f"tf-keras~=2.16.0; {TFX_1_16}",
        f"opencv-python-headless>=4.9,<4.12; {TFX_1_16}",  # later ones need numpy 2
        f"tfx==1.21.0; {TFX_1_21}",
        f"keras>=3.12; {TFX_1_21}",
        f"tensorboard; {TFX_1_21}",  # TFX's Trainer needs it, TensorFlow 2.21 brings it no longer
        f"opencv-python-headless>=4.12,<5; {TFX_1_21}",
        "grpcio-health-checking",
        "grpcio-reflection",
        "jinja2",
        "keras-tuner>=1.4.8",
        "markupsafe",
        "matplotlib",
        "numpy",
        "pillow",
        "prometheus-client",
        "pydantic>=2.6",
        "pyyaml",
        "rich",
        "scikit-learn",
        "scipy",
        "tensorflow-serving-api",  # the messages of TensorFlow Serving
        "typer>=0.12",
    ],
    extras_require={
        "gpu": ["tensorflow[and-cuda]"],  # NVIDIA's CUDA libraries as packages
        "kubeflow": [KFP, KFP_SPEC],
        "s3": S3,
        "ui": ["gradio"],
        "dev": [
            KFP,  # the tests compile, and run what was compiled
            KFP_SPEC,
            *S3,  # and read and write a store of objects
            'flask; python_version < "3.11"',  # which moto's server needs
            'flask-cors; python_version < "3.11"',
            'moto[s3]; python_version < "3.11"',
            "check-jsonschema",  # brings the schemas of Compose, GitHub Actions, GitLab CI
            "hypothesis",
            "import-linter",
            "jax",  # a second Keras backend, to test on
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
