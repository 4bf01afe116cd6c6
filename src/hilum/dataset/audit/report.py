"""Writes an audit into a folder: audit.json, pictures, and a page that needs nothing else. Computes nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, PackageLoader

from hilum.dataset.audit.finding import Audit
from hilum.dataset.audit.pictures import montage_png

JSON_NAME = "audit.json"
PAGE_NAME = "audit.html"


def write_report(audit: Audit, root: Path, out: Path) -> Path:
    """Writes `audit.json`, `audit.html` and a picture `<code>.png` for each finding that has pairs.

    Args:
        audit: what was found.
        root: the data set's folder.
        out: the folder to write to; made where it is missing.

    Returns:
        The page, which holds its pictures.
    """
    out.mkdir(parents=True, exist_ok=True)
    pictures: dict[str, bytes] = {}
    for finding in audit.findings:
        if finding.pairs:
            pictures[finding.code] = montage_png(root, finding.pairs)
            (out / f"{finding.code}.png").write_bytes(pictures[finding.code])
    (out / JSON_NAME).write_text(json.dumps(audit.to_dict(), indent=1) + "\n", encoding="utf-8")
    page = out / PAGE_NAME
    page.write_text(_page(audit, pictures), encoding="utf-8")
    return page


def _page(audit: Audit, pictures: Mapping[str, bytes]) -> str:
    environment = Environment(loader=PackageLoader("hilum.dataset.audit", "."), autoescape=True)
    inlined = {code: base64.b64encode(png).decode() for code, png in pictures.items()}
    return environment.get_template("audit.html.jinja").render(audit=audit, pictures=inlined)
