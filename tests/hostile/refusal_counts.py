"""How many refusals a server has counted. Knows no case."""

from __future__ import annotations

from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families


def refusal_counts(client: TestClient) -> dict[str, float]:
    """The metric `input_rejected_total`, by code."""
    text = client.get("/metrics", headers={"accept": "text/plain"}).text
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    return {one.labels["code"]: one.value for one in samples if one.name == "input_rejected_total"}
