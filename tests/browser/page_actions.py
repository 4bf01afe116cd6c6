"""What browser tests do on pages."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from hilum.imaging.phantoms import draw_phantom

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
CUT_OFF = """
() => {
  const right = (one) => one.getBoundingClientRect().right;
  return [...document.querySelectorAll("button, input, select, output, a, .pill")]
    .filter((one) => one.checkVisibility() && !one.matches(".visually-hidden"))
    .filter((one) => right(one) > right(one.closest("td, .viewer, .card, dialog") ?? document.body) + 1)
    .map((one) => one.outerHTML.slice(0, 90));
}
"""
"""Controls and states that stick out of the part of the page they belong to."""

IS_DRAWN = "id => { const i = document.getElementById(id); return i.complete && i.naturalWidth > 0; }"
WAIT_MS = 30_000

_AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
_RUN_AXE = "() => axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations)"
_DROP = """
([data, name, target]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type: "image/png" }));
  for (const type of ["dragover", "drop"]) {
    const event = new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true });
    document.querySelector(target).dispatchEvent(event);
  }
}
"""
_PASTE = """
(data) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], "pasted.png", { type: "image/png" }));
  window.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
}
"""


def phantom_dicom(seed: int) -> tuple[bytes, np.ndarray[Any, np.dtype[np.int16]]]:
    """A synthetic slice as DICOM, and its Hounsfield units."""
    hounsfield = (draw_phantom(seed).astype(np.int16) * 5) - 1000
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    file.SOPClassUID, file.SOPInstanceUID, file.Modality = CTImageStorage, meta.MediaStorageSOPInstanceUID, "CT"
    file.Rows, file.Columns = hounsfield.shape
    file.SamplesPerPixel, file.PhotometricInterpretation, file.PixelRepresentation = 1, "MONOCHROME2", 0
    file.BitsAllocated, file.BitsStored, file.HighBit = 16, 16, 15
    file.RescaleSlope, file.RescaleIntercept = "1", "-1024"
    file.PixelData = (hounsfield + 1024).astype("<u2").tobytes()
    written = io.BytesIO()
    file.save_as(written, enforce_file_format=True)
    return written.getvalue(), hounsfield


def choose(page: Page, *files: tuple[str, bytes], field: str = "#file") -> None:
    """Chooses files `(name, bytes)` in a file field."""
    page.set_input_files(
        field, [{"name": name, "mimeType": "application/octet-stream", "buffer": data} for name, data in files]
    )


def drop(page: Page, data: bytes, name: str, target: str = "#stage") -> None:
    """Drops a file."""
    page.evaluate(_DROP, [base64.b64encode(data).decode(), name, target])


def paste(page: Page, data: bytes) -> None:
    """Pastes a picture."""
    page.evaluate(_PASTE, base64.b64encode(data).decode())


def serious_faults(page: Page, *others: str) -> list[str]:
    """What axe-core finds serious, critical or of one of these `others` on the page as it is, in words."""
    page.evaluate(_AXE.read_text())
    found: list[dict[str, Any]] = page.evaluate(_RUN_AXE)
    return [
        f"{one['id']} at {', '.join(str(node['target']) for node in one['nodes'][:3])}: {one['help']}"
        for one in found
        if one["impact"] in {"serious", "critical", *others}
    ]
