"""Reads the tensors of a PyTorch checkpoint without PyTorch, and without running anything the file says."""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}

_MALFORMED = (
    pickle.UnpicklingError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ValueError,
    OverflowError,
    MemoryError,
)
"""What unpickling and slicing raise on bytes that are no checkpoint."""


@dataclass(frozen=True)
class _TensorStub:
    storage: str
    dtype: np.dtype[Any]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _stub(
    storage: tuple[str, np.dtype[Any]], offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> _TensorStub:
    key, dtype = storage
    if not all(isinstance(n, int) and n >= 0 for n in (offset, *shape, *strides)):
        raise pickle.UnpicklingError("a tensor's offset, shape or strides are not counts")
    return _TensorStub(key, dtype, offset, tuple(shape), tuple(strides))


class _TensorUnpickler(pickle.Unpickler):
    """Admits ordered dictionaries of tensors; every other global is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _stub
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"the checkpoint names {module}.{name}, which is not a tensor")

    def persistent_load(self, pid: Any) -> tuple[str, np.dtype[Any]]:
        _, dtype, key, *_ = pid
        return key, dtype


def read_torch_weights(path: Path) -> dict[str, NDArray[Any]]:
    """Returns the tensors of a legacy (pre-1.6) PyTorch checkpoint by name.

    The format is five pickles (magic, protocol, machine, tensors, storage keys), then each storage as an int64
    element count and its raw values (`torch.serialization._legacy_save`).

    Args:
        path: a `.pth` file of contiguous float32 and int64 tensors.

    Raises:
        ValueError: the file is not such a checkpoint, or holds anything but tensors.
    """
    stream = io.BytesIO(path.read_bytes())
    try:
        _require_magic(_TensorUnpickler(stream).load())
        _protocol, _machine = _TensorUnpickler(stream).load(), _TensorUnpickler(stream).load()
        stubs: dict[str, _TensorStub] = _TensorUnpickler(stream).load()
        keys: list[str] = _TensorUnpickler(stream).load()
        dtypes = {stub.storage: stub.dtype for stub in stubs.values()}
        storages = {key: _read_storage(stream, dtypes[key]) for key in keys}
        return {name: _view(storages[stub.storage], stub) for name, stub in stubs.items()}
    except _MALFORMED as error:
        raise ValueError(f"{path.name} is not a PyTorch checkpoint of plain tensors: {error}") from error


def _require_magic(number: object) -> None:
    if number != _MAGIC:
        raise pickle.UnpicklingError("its magic number is not that of a legacy checkpoint")


def _read_storage(stream: io.BytesIO, dtype: np.dtype[Any]) -> NDArray[Any]:
    count = int.from_bytes(stream.read(8), "little")
    data = stream.read(count * dtype.itemsize)
    if len(data) != count * dtype.itemsize:
        raise EOFError(f"a storage of {count} elements is cut short")
    return np.frombuffer(data, dtype)


def _view(storage: NDArray[Any], stub: _TensorStub) -> NDArray[Any]:
    """The tensor's elements: strides matter, as converted weights are often saved permuted."""
    reach = stub.offset + 1 + sum((size - 1) * stride for size, stride in zip(stub.shape, stub.strides, strict=True))
    if reach > storage.size:
        raise ValueError(f"a tensor of shape {stub.shape} reaches beyond its storage of {storage.size} elements")
    steps = tuple(stride * storage.itemsize for stride in stub.strides)
    return np.lib.stride_tricks.as_strided(storage[stub.offset :], stub.shape, steps, writeable=False)
