"""Lets the tests import `bench` and `scripts`, which are no part of the package, from the checkout."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
