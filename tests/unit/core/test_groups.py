"""Limits of groups, in all forms in which they may be given."""

from __future__ import annotations

from typing import Any

import pytest

from pgboss import GroupConcurrency, ValidationError
from pgboss.core.options import FetchOptions


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (3, GroupConcurrency(3)),
        ({"default": 3}, GroupConcurrency(3)),
        ({"default": 3, "tiers": {"gold": 9}}, GroupConcurrency(3, {"gold": 9})),
        (GroupConcurrency(3, {"gold": 9}), GroupConcurrency(3, {"gold": 9})),
    ],
)
def test_what_may_be_given(given: Any, meant: GroupConcurrency) -> None:
    assert FetchOptions(group_concurrency=given).group_concurrency == meant


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "3", None, [3]])
def test_a_limit_is_an_integer_of_one_or_more(limit: Any) -> None:
    with pytest.raises(ValidationError, match="group_concurrency must be an integer of 1 or more, not"):
        FetchOptions(group_concurrency=limit)
    with pytest.raises(ValidationError, match="group_concurrency must be an integer of 1 or more, not"):
        FetchOptions(group_concurrency={"default": limit})
    with pytest.raises(ValidationError, match="group_concurrency of tier 'gold' must be an integer of 1 or more, not"):
        FetchOptions(group_concurrency={"default": 1, "tiers": {"gold": limit}})


@pytest.mark.parametrize("given", [{}, {"tiers": {"gold": 1}}, {"default": 1, "tier": {}}])
def test_a_mapping_holds_default_and_tiers(given: Any) -> None:
    with pytest.raises(ValidationError, match="group_concurrency must hold 'default' and may hold 'tiers'"):
        FetchOptions(group_concurrency=given)


@pytest.mark.parametrize("tiers", [None, 1, ["gold"], {"": 1}, {7: 1}])
def test_tiers_map_names_to_limits(tiers: Any) -> None:
    with pytest.raises(ValidationError, match="group_concurrency: "):
        FetchOptions(group_concurrency={"default": 1, "tiers": tiers})


def test_limits_do_not_change_with_the_mapping_they_were_made_from() -> None:
    tiers = {"gold": 2}
    limits = GroupConcurrency(1, tiers)
    tiers["gold"] = 0
    assert limits.limits == [1, 2]


@pytest.mark.parametrize("given", [["a", "b"], ("a", "b"), {"a": 1, "b": 2}.keys()])
def test_ignored_groups(given: Any) -> None:
    assert FetchOptions(ignore_groups=given).ignore_groups == ("a", "b")


@pytest.mark.parametrize("given", ["a", 5, None, [5], [None], ["\x00"]])
def test_ignored_groups_are_a_list_of_texts(given: Any) -> None:
    with pytest.raises(ValidationError, match="ignore_groups must"):
        FetchOptions(ignore_groups=given)
