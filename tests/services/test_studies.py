"""Slices are put together by patient and series, in order, and summed up by their most suspicious tenth."""

from __future__ import annotations

import pytest

from hilum.services.studies import HeaderReader, SliceAnswer, put_together
from series_files import series_slice


def answers(files: list[bytes], cancer: list[float] | None = None) -> list[SliceAnswer]:
    """Answers for files, with cancer probabilities as given."""
    reader = HeaderReader()
    cancer = cancer or [0.5] * len(files)
    return [
        SliceAnswer(index, reader.read(data), {"adenocarcinoma": one, "normal": 1 - one}, one)
        for index, (data, one) in enumerate(zip(files, cancer, strict=True))
    ]


def test_slices_are_ordered_by_their_place_whatever_their_order_and_number() -> None:
    files = [series_slice(n, changes={0x00200013: ("IS", str(9 - n))}) for n in (3, 0, 2, 1)]
    (series,) = put_together(answers(files)).series

    assert series.order == (1, 3, 2, 0)
    assert series.positions_mm == (0.0, 2.5, 5.0, 7.5)
    assert series.warnings == ()


def test_a_tilted_gantry_is_followed_along_its_normal() -> None:
    tilt = "1\\0\\0\\0\\0.9659258\\-0.2588190"
    files = [
        series_slice(n, changes={0x00200037: ("DS", tilt), 0x00200032: ("DS", f"0\\0\\{10.0 - n}")}) for n in range(3)
    ]
    (series,) = put_together(answers(files)).series

    assert series.order == (2, 1, 0)
    assert series.positions_mm[1] == pytest.approx(9 * 0.9659258)


def test_without_positions_the_number_decides_and_a_warning_says_so() -> None:
    files = [series_slice(n, changes={0x00200032: None}) for n in (2, 0, 1)]
    (series,) = put_together(answers(files)).series

    assert (series.order, series.warnings) == ((1, 2, 0), ("order-unknown",))


@pytest.mark.parametrize(
    ("files", "warning"),
    [
        ([series_slice(n) for n in (0, 1, 2, 5)], "gaps"),
        ([series_slice(0), series_slice(1), series_slice(2, position=2.5)], "duplicate-positions"),
        ([series_slice(0), series_slice(1, thickness="5")], "mixed-thickness"),
        ([series_slice(0), series_slice(0, position=2.5)], "duplicate-instance-numbers"),
        ([series_slice(0), b"\x89PNG\r\n\x1a\n"], None),
    ],
)
def test_what_is_doubtful_about_a_series_is_said(files: list[bytes], warning: str | None) -> None:
    study = put_together(answers(files))
    if warning is None:
        assert study.warnings == ("several-series",)
    else:
        assert study.series[0].warnings == (warning,)


def test_patients_and_series_are_kept_apart() -> None:
    files = [
        *(series_slice(n) for n in range(3)),
        *(series_slice(n, series="1.2.3.5") for n in range(2)),
        series_slice(0, patient="ROE^RICHARD"),
    ]
    study = put_together(answers(files))

    assert [one.order for one in study.series] == [(0, 1, 2), (3, 4), (5,)]
    assert study.warnings == ("several-patients", "several-series")
    assert "DOE" not in repr(study)
    assert "DOE" not in repr(answers(files))


def test_keys_of_two_requests_have_nothing_in_common() -> None:
    first, second = (HeaderReader().read(series_slice(0)) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.patient != second.patient


def test_the_aggregate_rests_on_the_most_suspicious_tenth() -> None:
    cancer = [0.01] * 40
    cancer[7], cancer[20], cancer[21], cancer[22] = 0.9, 0.8, 0.95, 0.7
    aggregate = put_together(answers([series_slice(n) for n in range(40)], cancer)).series[0].aggregate

    assert (aggregate.slices, aggregate.used) == (40, 4)
    assert aggregate.most_suspicious == (21, 7, 20, 22)
    assert aggregate.cancer_probability == pytest.approx((0.9 + 0.8 + 0.95 + 0.7) / 4)
    assert aggregate.probabilities["normal"] == pytest.approx(1 - (0.9 + 0.8 + 0.95 + 0.7) / 4)
    assert aggregate.mean_probabilities["adenocarcinoma"] == pytest.approx((0.36 + 3.35) / 40)
    assert aggregate.predicted_class == "adenocarcinoma"


def test_three_slices_count_where_there_are_few_and_all_where_no_class_is_a_cancer() -> None:
    few = put_together(answers([series_slice(n) for n in range(5)], [0.1, 0.2, 0.3, 0.4, 0.5])).series[0].aggregate
    assert (few.used, few.most_suspicious) == (3, (4, 3, 2))
    reader = HeaderReader()
    unknown = [SliceAnswer(n, reader.read(series_slice(n)), {"a": 0.25 * n, "b": 1 - 0.25 * n}, None) for n in range(4)]
    aggregate = put_together(unknown).series[0].aggregate
    assert (aggregate.cancer_probability, aggregate.most_suspicious, aggregate.used) == (None, (), 4)
