"""Which labels people may confirm. Knows class names, not where feedback is kept."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hilum.errors import LabelInvalid

_NEW_LABEL = re.compile(r"[a-z][a-z0-9_]{0,63}")


def checked_label(label: str, known: Sequence[str], *, takes_new: bool) -> tuple[str, bool]:
    """Takes a label that the model knows, or a new one where that is meant.

    Args:
        label: what a person said.
        known: the classes of the model that answered.
        takes_new: whether a label the model does not know is meant.

    Returns:
        The label, and whether it is new.

    Raises:
        LabelInvalid: it is neither.
    """
    if label in known:
        return label, False
    if not takes_new:
        raise LabelInvalid(
            f"the model that answered knows {', '.join(known)}; send is_new_label to confirm another class"
        )
    if not _NEW_LABEL.fullmatch(label):
        raise LabelInvalid("a new label has lower-case letters, digits and underscores, and begins with a letter")
    return label, True
