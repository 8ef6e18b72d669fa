"""A store of objects on loopback, for tests: moto's S3."""

import subprocess
import sys
from contextlib import contextmanager

# A process of its own, as a store is.
_SERVER = """
import logging, time
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer("127.0.0.1", port=0)
server.start()
print("http://%s:%s" % server.get_host_and_port(), flush=True)
time.sleep(3600)
"""


@contextmanager
def s3_server():
    """Runs it as long as the context; gives the environment that programs need to use it."""
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        address = next(line.strip() for line in server.stdout if line.startswith("http://"))
        yield environment(address)
    finally:
        server.kill()
        server.wait()


def environment(address):
    """The variables of AWS that a user would set for a store of their own."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "key",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def use_here(variables, monkeypatch, tmp_path):
    """Let this process use the store, and forget what this machine knows of AWS."""
    from storage import s3

    for name in ("AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    s3._client.cache_clear()


class Bucket:
    """A bucket of the store that an environment tells of; made, unless it exists."""

    def __init__(self, name, variables):
        import boto3

        self.name = name
        self._client = boto3.client(
            "s3",
            endpoint_url=variables["AWS_ENDPOINT_URL"],
            aws_access_key_id="id",
            aws_secret_access_key="key",
            region_name="us-east-1",
        )
        self._client.create_bucket(Bucket=name)

    def put(self, key, data):
        self._client.put_object(Bucket=self.name, Key=key, Body=data)

    def get(self, key):
        return self._client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def upload(self, folder, prefix):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{prefix}/{path.relative_to(folder)}", path.read_bytes())

    def keys(self, prefix=""):
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=prefix
        )
        return [one["Key"] for page in pages for one in page.get("Contents", [])]

    def delete_all(self):
        for key in self.keys():
            self._client.delete_object(Bucket=self.name, Key=key)
