"""How data, outputs and errors of jobs are told: pure, so without a database."""

from __future__ import annotations

from typing import Any

import pytest

from pgboss.core.wire import Unreadable
from pgboss.web.dashboard.job_error import JobError, error_of
from pgboss.web.dashboard.tree import DEEPEST, MOST_MEMBERS, MOST_NODES, Node, tree
from pgboss.web.redaction import HIDDEN, redacted, restored


def test_a_tree_has_every_value_of_json() -> None:
    root = tree({"a": [1, 2.5], "b": "x", "c": None, "d": True, "e": {}})
    assert (root.kind, root.size, root.left_out) == ("object", 5, 0)
    assert [(one.label, one.kind, one.text) for one in root.members] == [
        ("a", "array", ""),
        ("b", "string", "x"),
        ("c", "literal", "null"),
        ("d", "literal", "true"),
        ("e", "object", ""),
    ]
    assert [(one.label, one.text) for one in root.members[0].members] == [("0", "1"), ("1", "2.5")]
    assert tree(Unreadable("too deep")) == Node(None, "unreadable", "too deep")


def test_of_what_is_very_large_only_the_beginning_is_shown() -> None:
    assert tree(list(range(1000))).left_out == 1000 - MOST_MEMBERS
    wide = tree([[0] * 100 for _ in range(100)])
    assert _count(wide) <= MOST_NODES
    deep: Any = 0
    for _ in range(200):
        deep = [deep]
    assert _depth(tree(deep)) == DEEPEST


def _count(node: Node) -> int:
    return 1 + sum(_count(one) for one in node.members)


def _depth(node: Node) -> int:
    return 1 + max((_depth(one) for one in node.members), default=-1)


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (None, None),
        ({"value": "shut down"}, JobError(None, "shut down")),
        ({"value": {"message": "job timed out"}}, JobError(None, "job timed out")),
        ({"name": "E", "message": "m", "stack": "s"}, JobError("E", "m", "s")),
        ({"message": "m", "cause": {"message": "c"}}, JobError(None, "m", None, (JobError(None, "c"),))),
        (
            {"message": "m", "errors": [{"name": "E", "message": "c"}, 7]},
            JobError(None, "m", None, (JobError("E", "c"),)),
        ),
        ({"name": 7, "message": "m", "stack": [], "cause": "x", "errors": 1}, JobError(None, "m")),
        ([1, 2], JobError(None, "[1, 2]")),
    ],
)
def test_an_error_is_read_from_whatever_is_stored(output: Any, told: JobError | None) -> None:
    assert error_of(output) == told


NAMES = frozenset({"token"})
STORED = {"Token": "s", "deep": [{"token": {"a": 1}, "to": "ada"}], "to": "ada"}


def test_what_was_hidden_comes_back_as_it_was() -> None:
    assert restored(redacted(STORED, NAMES), STORED, NAMES) == STORED


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"Token": HIDDEN, "to": "bob"}, {"Token": "s", "to": "bob"}),
        ({"Token": "new"}, {"Token": "new"}),
        ({"to": HIDDEN}, {"to": HIDDEN}),
        ({"deep": [{"token": HIDDEN}, {"token": "t"}]}, {"deep": [{"token": {"a": 1}}, {"token": "t"}]}),
        ([1], [1]),
    ],
)
def test_what_was_changed_beside_it_stays_changed(sent: Any, kept: Any) -> None:
    assert restored(sent, STORED, NAMES) == kept
