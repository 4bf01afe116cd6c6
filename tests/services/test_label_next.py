"""What to label next: uncertain before sure, and not the same twice."""

from __future__ import annotations

from hilum.services.label_next import UnlabelledPrediction, suggest


def one(name: str, *probabilities: float, image: str = "") -> UnlabelledPrediction:
    """A prediction with these probabilities of classes a, b, c."""
    return UnlabelledPrediction(name, image or name, dict(zip("abc", probabilities, strict=True)))


def names(*predictions: UnlabelledPrediction, count: int = 10) -> list[str]:
    """Which are suggested, in order."""
    return [suggestion.prediction_id for suggestion in suggest(predictions, count)]


def test_the_least_certain_comes_first_and_the_surest_last() -> None:
    found = names(one("sure", 0.98, 0.01, 0.01), one("open", 0.34, 0.33, 0.33), one("torn", 0.5, 0.49, 0.01))
    assert found == ["open", "torn", "sure"]
    (first,) = suggest([one("torn", 0.5, 0.49, 0.01)], 1)
    assert first.reason == "between a 50.0 % and b 49.0 %; uncertainty 0.68 of 1"


def test_two_of_one_kind_are_not_both_suggested_before_another_kind() -> None:
    torn_ab = [one(f"ab{n}", 0.5, 0.5 - n / 1000, n / 1000) for n in range(5)]
    found = names(*torn_ab, one("bc", 0.02, 0.5, 0.48), count=2)
    assert "bc" in found


def test_each_image_once_the_newest_prediction_of_it() -> None:
    assert names(one("new", 0.5, 0.4, 0.1, image="x"), one("old", 0.4, 0.4, 0.2, image="x")) == ["new"]


def test_nothing_to_suggest() -> None:
    assert suggest([], 5) == []
    assert names(UnlabelledPrediction("p", "p", {})) == []
    assert names(one("certain", 1.0, 0.0, 0.0)) == []
