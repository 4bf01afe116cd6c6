"""Programs that measure hilum on the machine they run on. See README.md; no test times anything."""

import hilum  # noqa: F401 - before ONNX Runtime, whose telemetry it turns off
