"""Classifies chest CT slices."""

import os

# Builds of ONNX Runtime since 1.29 tell their maker of each process and model, and keep an id of the machine and a
# file of events. Only the environment turns all of it off, and only before the first import (Privacy.md of its wheel).
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
