"""How a folder's name becomes a class name. Knows spelling only, neither files nor which classes exist."""

from __future__ import annotations

import re
import unicodedata

from hilum.dataset.manifest import Split
from hilum.errors import DatasetInvalid

SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "test": "test",
    "testing": "test",
}
"""Folder names, case aside, that mean a split and not a class."""

_STAGE = re.compile(
    r"""
    (?:[ _.-]+(?:left|right|bilateral)\b[^_]*)?       # where the tumour lies: _left.lower.lobe
    [ _.-]+[cpy]*T(?:is|[0-4x])[a-d]?                 # the TNM stage: _T2
    [ _.-]*N[0-3x][a-c]?                              # _N0
    [ _.-]*M[01x][a-c]?                               # _M0
    (?:[ _.-].*)?$                                    # the stage group: _Ib
    """,
    re.IGNORECASE | re.VERBOSE,
)
_CAMEL_BORDER = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NOT_A_WORD = re.compile(r"[\W_]+")


def normalise_class_name(folder_name: str) -> str:
    """Turns a class folder's name into the class name hilum uses.

    A trailing TNM stage (UICC, 8th edition) goes, with the side and site before it; camel case, dots, spaces and
    hyphens become underscores, and letters lower case: `large.cell.carcinoma_left.hilum_T2_N2_M0_IIIa` and
    `Large Cell Carcinoma` are both `large_cell_carcinoma`.

    Raises:
        DatasetInvalid: where no letter or digit is left.
    """
    name = unicodedata.normalize("NFKC", folder_name)
    name = _CAMEL_BORDER.sub("_", _STAGE.sub("", name))
    name = _NOT_A_WORD.sub("_", name.casefold()).strip("_")
    if not name:
        raise DatasetInvalid(f"The folder name {folder_name!r} holds no letter or digit to name a class by; rename it.")
    return name


def split_of_folder(folder_name: str) -> Split | None:
    """The split a folder's name stands for, or None where it stands for none."""
    return SPLIT_NAMES.get(folder_name.casefold())
