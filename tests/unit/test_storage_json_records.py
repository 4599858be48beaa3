"""Plans and results survive being written as JSON."""

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from storage.json_records import (
    derived_series_from_json,
    derived_series_to_json,
    json_text,
    plan_from_json,
    plan_to_json,
    result_from_json,
    result_to_json,
)
from storage.records import (
    CaseResult,
    DerivedInstance,
    DerivedSeries,
    FusionPlan,
    Recipe,
    SeriesChoice,
    StoredObject,
)

words = st.text(max_size=12)
names = st.tuples() | st.lists(words, max_size=4).map(tuple)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words
plain: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=6
)
parameters = st.dictionaries(words, plain, max_size=3)
choices = st.builds(SeriesChoice, words, words, words, words, names, words, names)
recipes = st.builds(Recipe, words, words, parameters, words, parameters, names, parameters, parameters)
plans = st.builds(
    FusionPlan,
    choices,
    st.lists(choices, max_size=3).map(tuple),
    recipes,
    words,
    words,
    names,
    st.lists(st.booleans(), max_size=3).map(tuple),
    names,
    words,
)
instances = st.builds(DerivedInstance, words, words, words, st.builds(StoredObject, words, st.integers(min_value=0)))
series = st.builds(DerivedSeries, words, words, words, words, words, st.lists(instances, max_size=3).map(tuple))
results = st.builds(
    CaseResult, words, st.lists(parameters, max_size=3).map(tuple), st.lists(series, max_size=3).map(tuple)
)


@given(plan=plans)
def test_a_plan_survives_and_keeps_its_key(plan: FusionPlan) -> None:
    back = plan_from_json(json.loads(json_text(plan_to_json(plan))))
    assert back == plan
    assert back.key == plan.key


@given(result=results)
def test_a_result_survives(result: CaseResult) -> None:
    assert result_from_json(json.loads(json_text(result_to_json(result)))) == result


@given(one=series)
def test_a_derived_series_survives(one: DerivedSeries) -> None:
    assert derived_series_from_json(json.loads(json_text(derived_series_to_json(one)))) == one


@given(value=plain)
def test_plain_values_survive(value: object) -> None:
    assert json.loads(json_text(value)) == value


def test_what_json_has_no_number_for_becomes_null() -> None:
    report = {"similarity": math.nan, "matrix": [[1.0, -math.inf]], "reasons": ("diverged",)}
    assert json.loads(json_text(report)) == {"similarity": None, "matrix": [[1.0, None]], "reasons": ["diverged"]}
