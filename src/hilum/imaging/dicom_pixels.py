"""The frame of a DICOM file as stored 16-bit words. Checks each codestream's own header before a codec sees it."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from hilum.errors import DicomDecodeFailed, DicomInconsistent, ImageCorrupt
from hilum.imaging.dicom_elements import (
    JPEG_2000,
    JPEG_LOSSLESS,
    JPEG_LS,
    NATIVE,
    PIXEL_DATA,
    RLE,
    DicomFile,
    fragments,
)
from hilum.imaging.jpeg import frame_size

_PLUGINS = (
    {RLE: "pydicom", JPEG_LOSSLESS: "gdcm"} | dict.fromkeys(JPEG_LS, "pyjpegls") | dict.fromkeys(JPEG_2000, "pylibjpeg")
)
"""One permissively licensed codec each (pylibjpeg-libjpeg is GPL)."""

_MAX_TILES = 1024
_J2K_START = b"\xff\x4f\xff\x51"
_SOF_LOSSLESS, _SOF_JPEG_LS = 0xC3, 0xF7


def decode_frame(file: DicomFile, rows: int, columns: int, bits_stored: int, is_signed: bool) -> NDArray[np.uint16]:
    """Decodes the only frame.

    Args:
        file: the walked file, its transfer syntax on the allow-list.
        rows: as checked against the caps.
        columns: as checked against the caps.
        bits_stored: 1 to 16.
        is_signed: by Pixel Representation.

    Returns:
        (rows, columns) words as stored, high bits included.

    Raises:
        DicomInconsistent: the pixel data does not fit the attributes.
        DicomDecodeFailed: the codestream is damaged.
    """
    if file.transfer_syntax in NATIVE:
        return _native(file, rows, columns)
    parts = fragments(file)
    if not parts:
        raise DicomDecodeFailed("The DICOM pixel data is empty.")
    if file.transfer_syntax == RLE and len(parts) > 1:
        raise DicomInconsistent("The DICOM file has more RLE fragments than frames.")
    frame = b"".join(parts)
    if len(frame) > 4 * rows * columns + 65_536:
        raise DicomInconsistent("The DICOM pixel data is longer than its frame can be.")
    _check_codestream(file.transfer_syntax, frame, rows, columns)
    options: dict[str, int | str] = {
        "rows": rows,
        "columns": columns,
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "bits_allocated": 16,
        "bits_stored": bits_stored,
        "pixel_representation": int(is_signed),
        "number_of_frames": 1,
        "pixel_keyword": "PixelData",
    }
    # Imported here: pydicom's dictionaries take 38 MB, which a service that reads PNGs need not hold.
    from pydicom.encaps import encapsulate
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    decoder = get_decoder(UID(file.transfer_syntax))
    try:
        words, _ = decoder.as_array(
            encapsulate([frame], has_bot=False),
            raw=True,
            index=0,
            decoding_plugin=_PLUGINS[file.transfer_syntax],
            **options,  # type: ignore[arg-type]
        )
    except (RuntimeError, ValueError, TypeError, IndexError, OSError, NotImplementedError, struct.error) as error:
        raise DicomDecodeFailed("The compressed DICOM pixel data is damaged.") from error
    if words.shape != (rows, columns) or words.dtype.itemsize != 2:
        raise DicomInconsistent("The decoded DICOM frame does not have the declared size.")
    return np.ascontiguousarray(words).view(np.uint16)


def _native(file: DicomFile, rows: int, columns: int) -> NDArray[np.uint16]:
    element = file.elements[PIXEL_DATA]
    expected = 2 * rows * columns
    if element.length is None or not expected <= element.length <= expected + 1 or element.vr == "OB":
        raise DicomInconsistent(
            "The DICOM pixel data's length is not Rows x Columns x 2 bytes.", limit=expected, actual=element.length
        )
    words = np.frombuffer(file.data, file.order + "u2", rows * columns, element.start)
    return words.reshape(rows, columns).astype(np.uint16)


def _check_codestream(syntax: str, frame: bytes, rows: int, columns: int) -> None:
    if syntax == RLE:
        _check_rle(frame, rows * columns)
        return
    # All three end with FF D9 and perhaps padding; OpenJPEG would fill in what is cut off without a word.
    if b"\xff\xd9" not in frame[-4:]:
        raise DicomDecodeFailed("The compressed DICOM pixel data has no end marker.")
    size = _j2k_size(frame) if syntax in JPEG_2000 else _jpeg_size(frame, syntax)
    if size != (rows, columns):
        raise DicomInconsistent("The codestream and the DICOM attributes disagree about the image's size.")


def _jpeg_size(frame: bytes, syntax: str) -> tuple[int, int]:
    try:
        marker, precision, height, width, components = frame_size(frame)
    except ImageCorrupt as error:
        raise DicomDecodeFailed("The DICOM pixel data is no JPEG codestream.") from error
    wanted = _SOF_LOSSLESS if syntax == JPEG_LOSSLESS else _SOF_JPEG_LS
    # gdcm and CharLS give one byte a sample up to 8 bits, which no CT slice has.
    if frame[:2] != b"\xff\xd8" or marker != wanted or components != 1 or not 8 < precision <= 16:
        raise DicomDecodeFailed("The DICOM codestream is of another kind than its transfer syntax says.")
    return height, width


def _j2k_size(frame: bytes) -> tuple[int, int]:
    """Reads SIZ (ITU-T T.800, A.5.1), whose tile and component counts decide what the codec allocates."""
    if not frame.startswith(_J2K_START) or len(frame) < 45:
        raise DicomDecodeFailed("The DICOM pixel data is no JPEG 2000 codestream.")
    x1, y1, x0, y0, tile_width, tile_height, tile_x, tile_y, components, depth, dx, dy = struct.unpack_from(
        ">8IHBBB", frame, 8
    )
    if components != 1 or dx != 1 or dy != 1 or (depth & 0x7F) + 1 > 16 or x0 >= x1 or y0 >= y1:
        raise DicomDecodeFailed("The JPEG 2000 codestream is not that of a grey slice.")
    if not tile_width or not tile_height or tile_x > x0 or tile_y > y0:
        raise DicomDecodeFailed("The JPEG 2000 tiles are impossible.")
    if -(-(x1 - tile_x) // tile_width) * -(-(y1 - tile_y) // tile_height) > _MAX_TILES:
        raise DicomDecodeFailed("The JPEG 2000 codestream has too many tiles.", limit=_MAX_TILES)
    return y1 - y0, x1 - x0


def _check_rle(frame: bytes, expected: int) -> None:
    """Counts what each RLE segment (PS3.5, G) expands to, so that no decoder is asked for more."""
    if len(frame) < 64:
        raise DicomDecodeFailed("The DICOM RLE header is cut short.")
    count, *offsets = struct.unpack_from("<3I", frame)
    if count != 2 or offsets[0] != 64 or not 64 < offsets[1] < len(frame):
        raise DicomDecodeFailed("The DICOM RLE header does not describe two byte planes.")
    for start, end in ((64, offsets[1]), (offsets[1], len(frame))):
        produced = _packbits_length(frame, start, end, expected)
        if not expected <= produced <= expected + 1:
            raise DicomDecodeFailed("A DICOM RLE segment does not hold one byte a pixel.")


def _packbits_length(frame: bytes, start: int, end: int, expected: int) -> int:
    """Stops counting once the segment is found to hold more than expected (and a padding byte)."""
    at, produced = start, 0
    while at < end and produced <= expected + 1:
        control = frame[at]
        if control < 128:
            produced += control + 1
            at += control + 2
        elif control == 128:
            at += 1
        else:
            produced += 257 - control
            at += 2
    return produced
