"""What it costs to decode in another process: `python -m bench.isolation`."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path
from statistics import median

import cv2
from PIL import Image

from hilum.imaging.decode import decode
from hilum.imaging.phantoms import draw_phantom
from hilum.services.decoding import Decoders

DATA = Path(os.environ.get("HILUM_DATA") or Path(__file__).parents[1].parent / "shared" / "data")
ROUNDS = 3


def _files() -> dict[str, list[bytes]]:
    """Files by kind: real ones where this machine has them, and drawn ones."""
    found = {
        "PNG": sorted((DATA / "chest-ct-scan-images" / "test").rglob("*.png"))[:60],
        "JPEG": sorted((DATA / "iq-oth-nccd").rglob("*.jpg"))[:60],
        "DICOM, native": sorted((DATA / "dicom" / "lidc-idri-0003").glob("*.dcm")),
    }
    found |= {f"DICOM, {file.stem}": [file] * 10 for file in (DATA / "dicom" / "ct1-transfer-syntaxes").glob("*.dcm")}
    files = {kind: [path.read_bytes() for path in paths] for kind, paths in sorted(found.items()) if paths}
    picture = Image.fromarray(draw_phantom(1))
    for kind, options in (("TIFF", {"compression": "tiff_lzw"}), ("WEBP", {"lossless": True})):
        out = io.BytesIO()
        picture.save(out, kind, **options)
        files[kind] = [out.getvalue()] * 30
    return files


def _cpu_ms(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") * 1000


def main() -> None:
    """Prints medians of each kind, decoded here and apart."""
    cv2.setNumThreads(1)
    decoders = Decoders("all")
    print(f"{'kind':24}{'n':>4}{'cpu here':>10}{'apart':>8}{'parent':>8}{'ms here':>9}{'apart':>8}")
    for kind, files in _files().items():
        here, apart = [], []
        for data in files * ROUNDS:
            started_at = time.perf_counter()
            decode(data)
            between = time.perf_counter()
            decoders.decode(data)
            here.append(between - started_at)
            apart.append(time.perf_counter() - between)
        (pid,) = decoders.pids
        first = time.process_time()
        for data in files:
            decode(data)
        second, child = time.process_time(), _cpu_ms(pid)
        for data in files:
            decoders.decode(data)
        parent = (time.process_time() - second) * 1000 / len(files)
        child = (_cpu_ms(pid) - child) / len(files)
        figures = (
            (second - first) * 1000 / len(files),
            parent + child,
            parent,
            median(here) * 1e3,
            median(apart) * 1e3,
        )
        print(f"{kind:24}{len(files):4}" + "".join(f"{one:9.2f}" for one in figures))
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    print(next(line for line in status if line.startswith("VmRSS")))
    decoders.close()


if __name__ == "__main__":
    main()
