"""Compares the embedded server with direct calls of the model: `python -m benchmarks.serving`.

A direct call runs the model's signature in this process on the same images. Server and direct calls
alternate in short rounds, so that a slower machine slows both.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

CLIENTS = (1, 4, 16)
BATCH_SIZES = (1, 2, 4, 8, 16)
BATCHING = """
max_batch_size {{ value: {size} }}
batch_timeout_micros {{ value: 0 }}
max_enqueued_batches {{ value: 100 }}
num_batch_threads {{ value: {threads} }}
"""

Call = Callable[[], Any]


def main() -> None:
    """Measure, print the table, and write the figures."""
    options = _options()
    image = _jpeg(options.size)
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or _made_model(Path(folder) / "model", options)
        direct = Direct(model, options.signature)
        base = Path(folder) / "base"
        base.mkdir()
        (base / "1").symlink_to(Path(model).resolve(), target_is_directory=True)
        with served(base, Path(folder), options) as (address, process):
            figures = measure(direct, address, options.signature, image, options)
            figures["peak_mib"] = _peak_mib(process.pid)
    report(figures)
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=2) + "\n")


class Direct:
    """A SavedModel's signature on image bytes.

    Args:
        model: Folder of the SavedModel.
        name: The signature.
    """

    def __init__(self, model: str, name: str) -> None:
        self._model = tf.saved_model.load(model)
        self._signature = self._model.signatures[name]
        (self.input,) = self._signature.structured_input_signature[1]

    def __call__(self, images: Sequence[bytes]) -> list[np.ndarray]:
        """Return all outputs for n encoded images."""
        outputs = self._signature(**{self.input: tf.constant(list(images))})
        return [output.numpy() for output in outputs.values()]


@contextlib.contextmanager
def served(
    base: Path, folder: Path, options: argparse.Namespace
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start a server on a model's folder; yields its gRPC address and its process."""
    parameters = folder / "batching.txt"
    parameters.write_text(BATCHING.format(threads=options.batch_threads, size=options.max_batch))
    command = [sys.executable, "-m", "serving.embedded", "--host=localhost", "--port=0"]
    command += [f"--model_base_path={base}", "--model_name=m", "--enable_batching"]
    command += [f"--batching_parameters_file={parameters}"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            sys.exit("The server didn't start; run it yourself to see why: " + " ".join(command))
        try:
            yield line.removeprefix("gRPC on ").strip(), process
        finally:
            process.terminate()


def measure(
    direct: Direct, address: str, signature: str, image: bytes, options: argparse.Namespace
) -> dict[str, Any]:
    """Run all calls in alternation.

    Returns:
        `direct`: images/s by batch size, and milliseconds of one image; `served`: the same by
        number of clients; `ratios`.
    """
    stubs = [_stub(address) for _ in range(max(CLIENTS))]
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "m", signature
    request.inputs[direct.input].CopyFrom(tf.make_tensor_proto([image]))
    calls: dict[str, tuple[list[Call], int]] = {}
    for size in BATCH_SIZES:
        calls[f"direct {size}"] = ([partial(direct, [image] * size)], size)
    for clients in CLIENTS:
        ask: list[Call] = [partial(stub.Predict, request, timeout=60) for stub in stubs[:clients]]
        calls[f"served {clients}"] = (ask, 1)
    for name, (each, _) in calls.items():
        _round(each, seconds=1.0)  # TensorFlow prepares each batch size when it is first used
        print(f"\rwarming up: {name}   ", end="", file=sys.stderr, flush=True)
    images = dict.fromkeys(calls, 0)
    spent = dict.fromkeys(calls, 0.0)
    latencies: dict[str, list[float]] = {name: [] for name in calls}
    rounds: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(options.rounds):
        print(f"\rround {number + 1} of {options.rounds}   ", end="", file=sys.stderr, flush=True)
        for name, (each, size) in calls.items():
            took, seconds = _round(each, options.seconds)
            images[name] += size * len(took)
            spent[name] += seconds
            latencies[name] += took
            rounds[name].append(size * len(took) / seconds)
    print("\r", end="", file=sys.stderr)
    rates = {name: float(np.median(rounds[name])) for name in calls}
    milliseconds = {
        name: [1000 * float(np.percentile(latencies[name], q)) for q in (50, 99)] for name in calls
    }
    best = max(rates[f"direct {size}"] for size in BATCH_SIZES)
    return {
        "image_bytes": len(image),
        "cores": len(os.sched_getaffinity(0)),
        "direct": {size: _figures(rates, milliseconds, f"direct {size}") for size in BATCH_SIZES},
        "served": {
            clients: _figures(rates, milliseconds, f"served {clients}") for clients in CLIENTS
        },
        "ratios": {
            "throughput_of_16_clients_to_best_direct": rates["served 16"] / best,
            "p50_of_1_client_to_direct": milliseconds["served 1"][0] / milliseconds["direct 1"][0],
            "p50_of_1_client_minus_direct_ms": milliseconds["served 1"][0]
            - milliseconds["direct 1"][0],
        },
    }


def report(figures: dict[str, Any]) -> None:
    """Print the ratios, then the figures behind them."""
    ratios = figures["ratios"]
    share = ratios["throughput_of_16_clients_to_best_direct"]
    more = ratios["p50_of_1_client_minus_direct_ms"]
    allowed = 0.1 * figures["direct"][1]["p50_ms"] + 2
    print(f"16 clients / best direct throughput   {share:6.2f}   (aim: at least 0.90)")
    print(f"1 client - direct call, p50           {more:6.2f} ms (aim: at most {allowed:.2f})")
    print(f"1 client / direct call, p50           {ratios['p50_of_1_client_to_direct']:6.2f}")
    print(f"peak memory of the server             {figures['peak_mib']:6.0f} MiB")
    print(f"\n{'':22}{'images/s':>10}{'p50 ms':>10}{'p99 ms':>10}")
    for kind, unit in (("direct", "in a batch"), ("served", "clients")):
        for count, each in figures[kind].items():
            name = f"{kind}, {count} {unit}"
            print(
                f"{name:22}{each['images_per_s']:10.1f}{each['p50_ms']:10.2f}{each['p99_ms']:10.2f}"
            )


def _figures(rates: dict, milliseconds: dict, name: str) -> dict[str, float]:
    p50, p99 = milliseconds[name]
    return {"images_per_s": rates[name], "p50_ms": p50, "p99_ms": p99}


def _round(calls: Sequence[Call], seconds: float) -> tuple[list[float], float]:
    """Call from a thread each for a while: seconds of each call, and of the round."""
    took: list[list[float]] = [[] for _ in calls]
    began = time.monotonic()

    def client(call: Call, mine: list[float]) -> None:
        while (start := time.monotonic()) < began + seconds:
            call()
            mine.append(time.monotonic() - start)

    if len(calls) == 1:
        client(calls[0], took[0])
    else:
        threads = [
            threading.Thread(target=client, args=pair) for pair in zip(calls, took, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return [each for mine in took for each in mine], time.monotonic() - began


def _peak_mib(pid: int) -> float:
    """Return the most memory that a process had resident, in MiB."""
    match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(match[1]) / 1024 if match else 0.0


def _stub(address: str) -> prediction_service_pb2_grpc.PredictionServiceStub:
    # A connection for each: clients in one process would share it.
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
    return prediction_service_pb2_grpc.PredictionServiceStub(
        grpc.insecure_channel(address, options)
    )


def _jpeg(size: int) -> bytes:
    # Smooth, as photographs are: noise would take longer to decode than the network to run.
    y, x = np.mgrid[0:size, 0:size]
    pixels = np.stack([x, y, (x + y) // 2], axis=-1) * 255 // size
    return tf.io.encode_jpeg(pixels.astype(np.uint8), quality=95).numpy()


def _made_model(folder: Path, options: argparse.Namespace) -> str:
    import keras

    size = options.size
    network = getattr(keras.applications, options.network)(
        weights=None, include_top=False, pooling="avg", input_shape=(size, size, 3)
    )

    def pixels(image: tf.Tensor) -> tf.Tensor:
        decoded = tf.io.decode_jpeg(image, channels=3)
        return tf.image.resize(decoded, [size, size]) / 127.5 - 1

    module = tf.Module()
    # A server restores the tf.Variables that are tracked, which Keras' own variables only hold.
    module.variables_ = [variable.value for variable in network.variables]
    spec = tf.TensorSpec([size, size, 3], tf.float32)
    embed = tf.function(
        lambda image: {
            "embedding": network(tf.map_fn(pixels, image, fn_output_signature=spec), training=False)
        },
        input_signature=[tf.TensorSpec([None], tf.string, name="image")],
    )
    tf.saved_model.save(module, str(folder), {options.signature: embed})
    return str(folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    add = parser.add_argument
    add("--model", help="folder of a SavedModel; without it one is made")
    add("--signature", default="embed", help="takes image bytes (default: embed)")
    add("--network", default="ResNet50", help="of keras.applications, where one is made")
    add("--size", type=int, default=224, help="height and width of the images (default: 224)")
    add("--rounds", type=int, default=10, help="turns of each (default: 10)")
    add("--seconds", type=float, default=2.0, help="of a turn (default: 2)")
    add("--batch-threads", type=int, default=1, help="batches at once in the server (default: 1)")
    add("--max-batch", type=int, default=4, help="images in a batch of the server (default: 4)")
    add("--json", help="file for the figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
