"""The gate that ships, on real pictures: those of other kinds were fitted on, the manifest has the held-out figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hilum.errors import InputRejected, NotAChestCt
from hilum.imaging.decode import decode
from hilum.imaging.phantoms import draw_phantom
from hilum.inference.bundle import open_bundle
from hilum.inference.gate import Gate
from hilum.services.samples import SAMPLE_SEEDS

BUNDLE = Path(__file__).resolve().parent.parent / "models" / "reference"


@pytest.fixture(scope="module")
def gate() -> Gate:
    loaded = open_bundle(BUNDLE).load_gate(threads=1)
    assert loaded is not None
    return loaded


@pytest.fixture(scope="module")
def data(reference_data: Path) -> Path:
    return reference_data.parent


def refusals(gate: Gate, files: Iterator[Path]) -> list[bool]:
    """Of each file, whether decoder or gate refuses it."""
    refused = []
    for file in sorted(files):
        try:
            gate.admit(decode(file.read_bytes(), name=file.name).pixels)
        except InputRejected:
            refused.append(True)
        else:
            refused.append(False)
    return refused


def share(refused: list[bool]) -> float:
    assert refused
    return sum(refused) / len(refused)


def test_its_held_out_figures_are_what_was_asked_for(gate: Gate) -> None:
    held_out = {figure.pictures: figure for figure in gate.settings.measured}
    everything = held_out["all that is no chest CT, by decoder or gate, cross-fitted"]
    assert everything.n == 95
    assert everything.refused / everything.n >= 0.95
    for kind in ("abdominal_ct", "brain_mri", "chest_xray", "natural"):
        figure = held_out[f"{kind}, cross-fitted"]
        assert figure.refused / figure.n >= 0.9
    test = held_out["chest-ct-scan-images, test split"]
    assert (test.n, test.refused <= 3) == (315, True)
    assert held_out["iq-oth-nccd, test split"].refused == 0


@pytest.mark.parametrize("side", [128, 512])
def test_drawn_slices_pass(gate: Gate, side: int) -> None:
    for seed in {*range(8), *SAMPLE_SEEDS.values()}:
        assert gate.admit(draw_phantom(seed, side=side)) == ()


@pytest.mark.parametrize("kind", ["abdominal-ct", "brain-mri", "chest-xray", "natural", "screens"])
def test_other_pictures_are_refused(gate: Gate, data: Path, kind: str) -> None:
    assert share(refusals(gate, (data / "not-chest-ct" / kind).iterdir())) >= 0.9


@pytest.mark.parametrize(
    ("pattern", "at_most"),
    [
        ("chest-ct-scan-images/test/*/*", 0.01),
        ("iq-oth-nccd/*/*", 0.02),
        ("dicom/lidc-idri-0003/*", 0),
        ("dicom/ct1-transfer-syntaxes/*", 0),
    ],
)
def test_chest_slices_pass(gate: Gate, data: Path, pattern: str, at_most: float) -> None:
    assert share(refusals(gate, data.glob(pattern))) <= at_most


def test_a_head_is_refused_in_words(gate: Gate, data: Path) -> None:
    head = data / "dicom" / "not-an-axial-chest-ct" / "barre_CT_brain.dcm"
    with pytest.raises(NotAChestCt, match="head"):
        gate.admit(decode(head.read_bytes(), name=head.name).pixels)
