"""Writes answers in the JSON of TensorFlow Serving's REST API, with its digits and line breaks.

Source: https://github.com/tensorflow/serving/blob/master/tensorflow_serving/util/json_tensor.cc
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from serving.embedded.statuses import invalid_argument, resource_exhausted

_MOST_VALUES = 2**22
_INDENT = "    "
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
# Values between which other threads can run.
_CHUNK = 2**12


def predictions(outputs: Mapping[str, np.ndarray]) -> bytes:
    """Return the answer to a request with rows (`instances`).

    Args:
        outputs: Arrays that all have the batch as their first dimension.

    Raises:
        Status: INVALID_ARGUMENT: they don't, or a dtype has no JSON. RESOURCE_EXHAUSTED.
    """
    _check(outputs)
    size: int | None = None
    for name, array in outputs.items():
        if array.ndim == 0:
            raise invalid_argument(f"Tensor name: {name} has no shape information")
        if size is not None and array.shape[0] != size:
            raise invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: {array.shape[0]} "
                f"expecting: {size}"
            )
        size = array.shape[0]
    columns = {
        name: [_line(tokens, array.shape[1:]) for _ in array]
        for name, array in outputs.items()
        for tokens in [_tokens(name, array)]
    }
    if len(columns) == 1:
        (values,) = columns.values()
        rows = f"[{', '.join(values)}{_break(1) if values else ''}]"
    else:
        rows = _block(
            "[]",
            [
                _block(
                    "{}", [f"{json.dumps(k)}: {v}" for k, v in zip(columns, row, strict=True)], 2
                )
                for row in zip(*columns.values(), strict=True)
            ],
            1,
        )
    return _document("predictions", rows)


def columns(outputs: Mapping[str, np.ndarray]) -> bytes:
    """Return the answer to a request with columns (`inputs`).

    Args:
        outputs: Arrays of any shapes.

    Raises:
        Status: INVALID_ARGUMENT: there are none, or a dtype has no JSON. RESOURCE_EXHAUSTED.
    """
    _check(outputs)
    if len(outputs) == 1:
        ((name, array),) = outputs.items()
        return _document("outputs", _lines(_tokens(name, array), array.shape, 1))
    named = [
        f"{json.dumps(name)}: {_lines(_tokens(name, array), array.shape, 2)}"
        for name, array in outputs.items()
    ]
    return _document("outputs", _block("{}", named, 1))


def error(message: str) -> bytes:
    """Return an error."""
    return _document("error", json.dumps(message, ensure_ascii=False))


def message(value: Any) -> bytes:
    """Return a protobuf message, given as JSON, in protobuf's own layout."""
    return json.dumps(value, indent=1).encode() + b"\n"


def _check(outputs: Mapping[str, np.ndarray]) -> None:
    if not outputs:
        raise invalid_argument("Cannot convert empty tensor map to JSON")
    count = sum(array.size for array in outputs.values())
    if count > _MOST_VALUES:
        raise resource_exhausted(
            f"The outputs have {count} values, and an answer in JSON at most {_MOST_VALUES}: ask "
            "for fewer rows, or by gRPC."
        )


def _document(key: str, value: str) -> bytes:
    return _block("{}", [f'"{key}": {value}'], 0).encode()


def _break(level: int) -> str:
    return "\n" + _INDENT * level


def _block(brackets: str, items: list[str], level: int) -> str:
    """Return items on a line each, indented by one more than the brackets."""
    if not items:
        return brackets
    inside = _break(level + 1)
    return brackets[0] + inside + f",{inside}".join(items) + _break(level) + brackets[1]


def _line(tokens: Iterator[str], shape: tuple[int, ...]) -> str:
    """Return nested lists on one line."""
    if not shape:
        return next(tokens)
    return "[" + ", ".join([_line(tokens, shape[1:]) for _ in range(shape[0])]) + "]"


def _lines(tokens: Iterator[str], shape: tuple[int, ...], level: int) -> str:
    """Return nested lists with each value on a line."""
    if not shape:
        return next(tokens)
    items = [_lines(tokens, shape[1:], level + 1) for _ in range(shape[0])]
    return _block("[]", items, level)


def _tokens(name: str, array: np.ndarray) -> Iterator[str]:
    """Yield the JSON of each value."""
    flat, kind = array.ravel(), array.dtype.kind
    if kind == "O":
        return (_text(each, name.endswith("_bytes")) for each in flat)
    if kind == "b":
        return ("true" if each else "false" for each in flat)
    if kind in "iu":
        return map(str, flat)
    if kind == "c":
        raise invalid_argument(f"Failed to write JSON value for tensor type: {array.dtype}")
    return _decimals(flat if array.dtype == np.float64 else flat.astype(np.float32))


def _decimals(values: np.ndarray) -> Iterator[str]:
    """Yield numbers with 6 digits, or as many as are needed to read any of their kind exactly."""
    digits = 17 if values.dtype == np.float64 else 9
    for start in range(0, values.size, _CHUNK):
        some = values[start : start + _CHUNK]
        texts = [f"{value:.6g}" for value in some.tolist()]
        read = np.fromiter(map(float, texts), some.dtype, some.size)
        for i in np.flatnonzero(read != some):
            texts[i] = f"{float(some[i]):.{digits}g}"
        for text in texts:
            if text in _NOT_FINITE:
                yield _NOT_FINITE[text]
            else:
                yield text if "." in text or "e" in text else text + ".0"


def _text(value: bytes | str, as_bytes: bool) -> str:
    raw = value.encode() if isinstance(value, str) else value
    if not as_bytes:
        try:
            return json.dumps(raw.decode(), ensure_ascii=False)
        except UnicodeDecodeError:
            pass  # not UTF-8, which JSON cannot hold
    return f'{{"b64": "{base64.b64encode(raw).decode()}"}}'
