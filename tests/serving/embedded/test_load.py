"""Many clients while versions come and go: nobody notices."""

import threading
import time

import grpc
import pytest

from tests.serving.embedded.conftest import option
from tests.serving.embedded.models import publish
from tests.serving.embedded.processes import Server, eventually

CLIENTS = 16
SWAPS = 10
BALLAST = 16  # megabytes of a version


@pytest.mark.slow
def test_swaps_under_load(request, tmp_path):
    seconds = 60 if option(request, "--full-load") else 5
    base = tmp_path / "m"
    publish(base, 1, BALLAST)
    server = Server(
        tmp_path / "log",
        model_name="m",
        model_base_path=base,
        file_system_poll_wait_seconds=0.05,
        max_num_load_retries=0,
    )
    try:
        memory = swap_under_load(server, base, seconds)
        # A level varies by what the allocator still holds; the lowest shows what never comes back.
        # One copy of each version kept would raise it by five versions.
        half = SWAPS // 2
        assert min(memory[half:]) < min(memory[:half]) + 2.5 * BALLAST, memory
        assert server.stop() == 0
    finally:
        server.kill()


def swap_under_load(server, base, seconds):
    published, stop = [1], threading.Event()
    failures, seen, answered = [], set(), [0] * CLIENTS

    def ask(number):
        client = server.client()
        newest = 0
        while not stop.is_set():
            try:
                outputs, version = client.predict("m", x=[0.0, 1.0])
                latest = published[-1]
            except grpc.RpcError as e:
                failures.append(e)
                continue
            if outputs["version"].tolist() != [version] * 2:
                failures.append(f"version {version} answered as {outputs['version']}")
            if not newest <= version <= latest:
                failures.append(f"version {version} after {newest}, before {latest}")
            newest = version
            seen.add(version)
            answered[number] += 1
            time.sleep(0.01)  # the machine's cores are for the loads, too

    clients = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    memory, began = [], time.monotonic()
    try:
        for swap in range(SWAPS):
            version = published[-1] + 1
            if swap == SWAPS // 2:
                publish(base, version, BALLAST, saved_model_dot_pb=b"no proto")
                eventually(lambda: "can't be loaded" in server.log.read_text())
                version += 1
            published.append(version)  # clients may see it from now on
            publish(base, version, BALLAST)
            eventually(lambda: version in seen)  # noqa: B023
            eventually(lambda: server.log.read_text().count("is unloaded") == swap + 1)  # noqa: B023
            rest = (swap + 1) * seconds / SWAPS - (time.monotonic() - began)
            time.sleep(max(0.0, rest))
            memory.append(server.memory() / 2**20)
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert not failures, failures[:5]
    assert min(answered) > 0
    assert seen == set(published)
    return memory
