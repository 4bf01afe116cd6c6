"""TIFF layouts against the plain picture: tiles, planes, predictor, colour order, alpha kinds."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from hilum.errors import ImageTooLarge
from hilum.imaging.decode import Limits, decode
from hilum.imaging.phantoms import draw_phantom

_PICTURE = draw_phantom(3, side=120)


def _saved(picture: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "TIFF", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits"])
@pytest.mark.parametrize("strip_bytes", [1000, 65_536])
def test_compressions_and_strips(compression: str | None, strip_bytes: int) -> None:
    data = _saved(Image.fromarray(_PICTURE), compression=compression, strip_size=strip_bytes)
    assert np.array_equal(decode(data).pixels, _PICTURE)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
def test_predictor(compression: str) -> None:
    rgb = Image.fromarray(np.dstack([_PICTURE] * 3))
    assert np.array_equal(decode(_saved(rgb, compression=compression, tiffinfo={317: 2})).pixels, _PICTURE)


def test_sixteen_bit_predictor() -> None:
    sixteen = Image.fromarray(_PICTURE.astype(np.uint16) * 257)
    data = _saved(sixteen, compression="tiff_lzw", tiffinfo={317: 2})
    assert np.array_equal(decode(data).pixels, _PICTURE.astype(np.float32))


def test_tiles_overhanging_the_picture() -> None:
    tifffile_like = _tiled(_PICTURE, 32)
    assert np.array_equal(decode(tifffile_like).pixels, _PICTURE)
    with pytest.raises(ImageTooLarge):
        decode(tifffile_like, limits=Limits(pixels=120 * 120))


def _tiled(picture: np.ndarray, side: int) -> bytes:
    height, width = picture.shape
    padded = np.pad(picture, ((0, -height % side), (0, -width % side)), constant_values=99)
    blocks = padded.reshape(padded.shape[0] // side, side, -1, side).swapaxes(1, 2).reshape(-1, side * side)
    body = blocks.tobytes()
    count, start = len(blocks), 8
    tables = start + len(body)
    offsets = np.arange(count, dtype="<u4") * side * side + start
    lengths = np.full(count, side * side, "<u4")
    entries = [
        (256, 1, width), (257, 1, height), (258, 1, 8), (259, 1, 1), (262, 1, 1), (277, 1, 1), (322, 1, side),
        (323, 1, side), (324, count, tables), (325, count, tables + 4 * count),
    ]  # fmt: skip
    directory = b"".join(
        np.array([tag, 4], "<u2").tobytes() + np.array([n, v], "<u4").tobytes() for tag, n, v in entries
    )
    head = b"II*\x00" + np.array([tables + 8 * count], "<u4").tobytes()
    return (
        head + body + offsets.tobytes() + lengths.tobytes() + np.array([len(entries)], "<u2").tobytes() + directory
        + bytes(4)
    )  # fmt: skip


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "1"])
def test_modes(mode: str) -> None:
    picture = Image.fromarray(_PICTURE).convert(mode)
    expected = np.asarray(picture.convert("L"))
    assert np.abs(decode(_saved(picture)).pixels.astype(int) - expected).max() <= 1
