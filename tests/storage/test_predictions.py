"""The repositories of predictions and feedback, on SQLite and on PostgreSQL."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from storage_samples import NOON, PROVENANCE, keep, prediction

from hilum.storage import feedback, predictions
from hilum.storage.database import Database
from hilum.storage.feedback import Feedback
from hilum.storage.predictions import PredictionFilter, StoredPrediction


def page(database: Database, wanted: PredictionFilter | None = None, *, limit: int = 100) -> list[int]:
    """The numbers of the predictions that are wanted, read through pages of `limit`."""
    found: list[StoredPrediction] = []
    while True:
        before = (found[-1].created_at, found[-1].id) if found else None
        with database.reading() as connection:
            some = predictions.page(connection, wanted or PredictionFilter(), before=before, limit=limit)
        if not some:
            return [item.id.int - 1 for item in found]
        assert len(some) <= limit
        found += some


def test_a_prediction_comes_back_as_it_was_stored(database: Database) -> None:
    keep(database, prediction(1), prediction(2))

    with database.reading() as connection:
        assert predictions.find(connection, prediction(1).id) == prediction(1)
        assert predictions.find(connection, uuid.uuid4()) is None
        assert predictions.find_provenance(connection, PROVENANCE) == {"model": {"version": "tiny-1"}}


def test_times_are_kept_in_utc_to_the_microsecond(database: Database) -> None:
    east = datetime(2026, 5, 4, 23, 30, 0, 123456, tzinfo=timezone(timedelta(hours=5)))
    keep(database, prediction(1, created_at=east))

    with database.reading() as connection:
        found = predictions.find(connection, prediction(1).id)
    assert found is not None
    assert found.created_at == east
    assert found.created_at.tzinfo == UTC


def test_times_beyond_2038_and_set_back_keep_their_order(database: Database) -> None:
    """H119. What comes after the clock was set back stands before what it said earlier, and no page loses any."""
    moments = [datetime(year, 3, 29, 1, 30, tzinfo=UTC) for year in (2039, 2107, 2026)]
    stored = [prediction(number, created_at=moment) for number, moment in enumerate(moments)]
    keep(database, *stored)
    with database.reading() as connection:
        found = [predictions.find(connection, one.id) for one in stored]
        first = predictions.page(connection, PredictionFilter(), before=None, limit=2)
        rest = predictions.page(connection, PredictionFilter(), before=(first[-1].created_at, first[-1].id), limit=2)
    assert found == stored
    assert [one.created_at.year for one in (*first, *rest)] == [2107, 2039, 2026]


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(Exception, match="time zone"):
        keep(database, prediction(1, created_at=datetime(2026, 5, 4)))


@pytest.mark.parametrize("limit", [1, 2, 7, 100])
def test_pages_give_every_prediction_once_the_newest_first(database: Database, limit: int) -> None:
    keep(database, *(prediction(number, created_at=NOON + timedelta(seconds=number // 3)) for number in range(12)))

    assert page(database, limit=limit) == list(range(11, -1, -1))


def test_what_is_added_meanwhile_moves_no_page(database: Database) -> None:
    keep(database, *(prediction(number) for number in range(4)))
    with database.reading() as connection:
        first = predictions.page(connection, PredictionFilter(), before=None, limit=2)
    keep(database, prediction(9))

    with database.reading() as connection:
        place = (first[-1].created_at, first[-1].id)
        second = predictions.page(connection, PredictionFilter(), before=place, limit=2)
    assert [item.id.int - 1 for item in (*first, *second)] == [3, 2, 1, 0]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (PredictionFilter(predicted_class="normal"), [5, 3, 1]),
        (PredictionFilter(decision="confident"), [3, 0]),
        (PredictionFilter(predicted_class="normal", decision="confident"), [3]),
        (PredictionFilter(model_version="tiny-1"), [5, 4, 3, 2, 1, 0]),
        (PredictionFilter(model_version="tiny-2"), []),
        (PredictionFilter(since=NOON + timedelta(seconds=2), until=NOON + timedelta(seconds=4)), [3, 2]),
        (PredictionFilter(predicted_class="' OR 1=1 --"), []),
    ],
)
def test_filters(database: Database, wanted: PredictionFilter, expected: list[int]) -> None:
    keep(database, *(prediction(number) for number in range(6)))

    assert page(database, wanted, limit=2) == expected


def test_more_rows_than_one_statement_takes(database: Database) -> None:
    keep(database, *(prediction(number) for number in range(1100)))

    found = page(database, limit=1000)
    assert len(found) == 1100
    assert all(newer > older for newer, older in pairwise(found))


def test_old_predictions_are_deleted_with_their_feedback(database: Database) -> None:
    keep(database, *(prediction(number) for number in range(6)))
    with database.writing() as connection:
        feedback.put(connection, Feedback(prediction(0).id, "normal", is_new_label=False, given_at=NOON))
        assert predictions.delete_until(connection, NOON + timedelta(seconds=4), limit=3) == 3
    assert page(database) == [5, 4, 3]
    with database.writing() as connection:
        assert predictions.delete_until(connection, NOON + timedelta(seconds=4), limit=3) == 1
        assert feedback.find(connection, prediction(0).id) is None


def test_knows_which_images_are_in_use(database: Database) -> None:
    keep(database, prediction(0), prediction(1, is_image_kept=False))
    asked = [prediction(number).image_sha256 for number in range(3)]
    with database.reading() as connection:
        assert predictions.images_in_use(connection, asked) == {asked[0]}


def test_feedback_said_again_changes_nothing_and_corrected_replaces(database: Database) -> None:
    keep(database, prediction(0))
    said = Feedback(prediction(0).id, "normal", is_new_label=False, given_at=NOON)
    again = Feedback(prediction(0).id, "normal", is_new_label=False, given_at=NOON + timedelta(hours=1))
    corrected = Feedback(prediction(0).id, "hamartoma", is_new_label=True, given_at=NOON + timedelta(hours=2))

    with database.writing() as connection:
        assert feedback.put(connection, said) == said
        assert feedback.put(connection, again) == said
        assert feedback.put(connection, corrected) == corrected
        found = predictions.find(connection, prediction(0).id)
    assert found is not None
    assert found.confirmed_class == "hamartoma"
