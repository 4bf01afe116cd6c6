"""Refuses ONNX graphs that could do more than compute: read other files, loop, or run code that hilum does not know.

ONNX Runtime reads weights that a graph keeps "outside" from any file below the working directory, and runs loops of any
length. Graphs of hilum's need neither. This reads the graph's protocol buffers itself, without the package `onnx`,
which serving does not have; field numbers are those of onnx.proto (https://github.com/onnx/onnx).
"""

from __future__ import annotations

from collections.abc import Iterator

from hilum.errors import BundleInvalid

MOST_BYTES = 500_000_000
MOST_NODES = 20_000

_DOMAINS = frozenset({b"", b"ai.onnx", b"com.microsoft"})
"""Operators of the standard and of ONNX Runtime itself."""

_MODEL_GRAPH, _MODEL_FUNCTIONS = 7, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE = 1, 5, 15
_NODE_ATTRIBUTE, _NODE_DOMAIN = 5, 7
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = 5, 6, 10, 11
_ATTRIBUTE_SPARSE, _ATTRIBUTE_SPARSES = 22, 23
_TENSOR_EXTERNAL_DATA, _TENSOR_LOCATION = 13, 14

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def check_graph(data: bytes, name: str) -> None:
    """Returns where a graph only computes, from weights of its own.

    Args:
        data: an ONNX file.
        name: what it is called in a refusal.

    Raises:
        BundleInvalid: it is no ONNX file, too large, keeps weights elsewhere, holds a graph within a graph (`If`,
            `Loop`, `Scan`) or functions, or uses operators of an unknown domain.
    """
    if len(data) > MOST_BYTES:
        raise BundleInvalid(f"{name} has {len(data)} bytes; at most {MOST_BYTES} are taken")
    try:
        _check_model(memoryview(data))
    except ValueError as error:
        raise BundleInvalid(f"{name} is not taken: {error}") from error


def _check_model(model: memoryview) -> None:
    graphs = 0
    for field, value in _fields(model):
        if field == _MODEL_FUNCTIONS:
            raise ValueError("it defines functions of its own")
        if field == _MODEL_GRAPH and isinstance(value, memoryview):
            graphs += 1
            _check_graph(value)
    if graphs != 1:
        raise ValueError(f"it holds {graphs} graphs, not one")


def _check_graph(graph: memoryview) -> None:
    nodes = 0
    for field, value in _fields(graph):
        if not isinstance(value, memoryview):
            continue
        if field == _GRAPH_NODE:
            nodes += 1
            if nodes > MOST_NODES:
                raise ValueError(f"it has more than {MOST_NODES} nodes")
            _check_node(value)
        elif field == _GRAPH_INITIALIZER:
            _check_tensor(value)
        elif field == _GRAPH_SPARSE:
            raise ValueError("it has sparse weights")


def _check_node(node: memoryview) -> None:
    for field, value in _fields(node):
        if not isinstance(value, memoryview):
            continue
        if field == _NODE_DOMAIN and bytes(value) not in _DOMAINS:
            raise ValueError(f"it uses an operator of the domain {bytes(value)[:80]!r}")
        if field == _NODE_ATTRIBUTE:
            _check_attribute(value)


def _check_attribute(attribute: memoryview) -> None:
    for field, value in _fields(attribute):
        if field in {_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS}:
            raise ValueError("it holds a graph within a graph, as loops and branches do")
        if field in {_ATTRIBUTE_SPARSE, _ATTRIBUTE_SPARSES}:
            raise ValueError("it has sparse weights")
        if field in {_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS} and isinstance(value, memoryview):
            _check_tensor(value)


def _check_tensor(tensor: memoryview) -> None:
    for field, value in _fields(tensor):
        if field == _TENSOR_EXTERNAL_DATA or (field == _TENSOR_LOCATION and value):
            raise ValueError("it keeps weights in another file")


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Each field's number and its value: a number, or bytes that may be a message.

    Raises:
        ValueError: this is no protocol buffer.
    """
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        field, kind = key >> 3, key & 7
        if kind == _VARINT:
            number, at = _varint(message, at)
            yield field, number
            continue
        if kind == _BYTES:
            size, at = _varint(message, at)
        elif kind in {_FIXED32, _FIXED64}:
            size = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError("it is no ONNX file")
        if size > end - at:
            raise ValueError("it is cut short")
        yield field, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("it is cut short")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("it is no ONNX file")
