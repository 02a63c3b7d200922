"""Comparing the functions and the job states of a live schema with the expected ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from pgboss.core.names import SchemaName, quote_literal
from pgboss.schema.bodies import CLOCK_SETTING, is_ours, is_sound, own_functions_behind
from pgboss.schema.catalog import Catalog, Function
from pgboss.schema.findings import Finding
from pgboss.schema.plans import CLOCK_TABLE
from pgboss.schema.texts import MANAGED_FUNCTIONS, OWN_FUNCTIONS, managed_functions, own_function, table

__all__ = ["compare_functions", "compare_states"]

Overloads = Mapping[str, tuple[Function, ...]]


def compare_functions(schema: SchemaName, wanted: Catalog, found: Catalog) -> Iterator[Finding]:
    """Everything that is wrong with the functions; those of ours come before those that need them.

    Functions of ours are only looked for where a function that pg-boss calls leans on them: a schema that Node has
    installed has none.
    """
    needed: set[str] = set()
    for name in MANAGED_FUNCTIONS:
        live = found.functions.get(name, ())
        # Ours are there, or will be by mending; pg-boss's own function needs none of them.
        if not any(is_sound(name, function.body) and not is_ours(name, function.body) for function in live):
            needed |= own_functions_behind(name)
    for name in OWN_FUNCTIONS:
        if name in needed:
            yield from _compare_own(schema, wanted.functions[name][0], found.functions)
    for name in MANAGED_FUNCTIONS:
        yield from _compare_managed(schema, wanted.functions[name][0], found)
    if CLOCK_TABLE in found.tables and not _has_test_clock(found.functions.get("job_now", ())):
        yield Finding("test clock", CLOCK_TABLE, "A test clock of pg-boss left this table behind.", note=True)


def compare_states(schema: SchemaName, wanted: tuple[str, ...], found: tuple[str, ...]) -> Iterator[Finding]:
    """What is wrong with the type of a job's state; the order of the states counts."""
    if found == wanted:
        return
    if not found:
        yield Finding("missing type", "job_state", "The type is not there.", (table(schema, "job_state").strip(),))
        return
    if tuple(state for state in wanted if state in found) == found:
        mend = tuple(_add_states(schema, wanted, found))
        advice = ""
    else:
        mend = ()
        advice = " States cannot be removed or moved in place."
    yield Finding(
        "different type",
        "job_state",
        f"The states are {', '.join(found)} instead of {', '.join(wanted)}.{advice}",
        mend,
    )


def _add_states(schema: SchemaName, wanted: tuple[str, ...], found: tuple[str, ...]) -> Iterator[str]:
    for position, state in enumerate(wanted):
        if state not in found:
            # What comes before it is there by now; only the first state has nothing before it.
            place = f"AFTER {quote_literal(wanted[position - 1])}" if position else f"BEFORE {quote_literal(found[0])}"
            yield f"ALTER TYPE {schema.table('job_state')} ADD VALUE {quote_literal(state)} {place};"


def _compare_own(schema: SchemaName, wanted: Function, found: Overloads) -> Iterator[Finding]:
    live = [function for function in found.get(wanted.name, ()) if function.types == wanted.types]
    text = own_function(schema, wanted.name).strip()
    if not live:
        yield Finding("missing function", f"{wanted.name}()", "The function is not there.", (text,))
    elif not is_sound(wanted.name, live[0].body) or live[0].volatility != wanted.volatility:
        yield Finding("different function", f"{wanted.name}()", "It does not say what this release installs.", (text,))


def _compare_managed(schema: SchemaName, wanted: Function, found: Catalog) -> Iterator[Finding]:
    live = found.functions.get(wanted.name, ())
    sound = [function for function in live if _same_signature(function, wanted)]
    create = managed_functions(schema, wanted.name).strip()
    drops = tuple(_drop(schema, function) for function in live if function not in sound)
    if not live:
        yield Finding("missing function", f"{wanted.name}()", "The function is not there.", (create,))
    elif not sound:
        yield Finding(
            "different function",
            f"{wanted.name}()",
            f"It is {_signature(live[0])} instead of {_signature(wanted)}.",
            (*drops, create),
        )
    elif _has_test_clock(tuple(sound)):
        yield Finding(
            "test clock",
            f"{wanted.name}()",
            "A test clock of pg-boss was left behind by a killed test run: sessions may be told a wrong time, and "
            "every reading of the clock is slow.",
            (create, f"DROP TABLE IF EXISTS {schema.table(CLOCK_TABLE)};"),
        )
    elif not is_sound(wanted.name, sound[0].body):
        yield Finding(
            "different function", f"{wanted.name}()", "It says neither what pg-boss installs nor what we do.", (create,)
        )
    if sound and drops:
        yield Finding(
            "overloaded function",
            f"{wanted.name}()",
            f"Besides pg-boss's there is {', '.join(_signature(f) for f in live if f not in sound)}, so calls may go "
            "astray.",
            drops,
        )


def _has_test_clock(functions: tuple[Function, ...]) -> bool:
    return any(CLOCK_SETTING in function.body for function in functions)


def _same_signature(found: Function, wanted: Function) -> bool:
    return replace(found, body="") == wanted


def _signature(function: Function) -> str:
    volatility = {"i": "IMMUTABLE", "s": "STABLE", "v": "VOLATILE"}[function.volatility]
    return f"{function.name}({function.arguments}) RETURNS {function.returns} {volatility}"


def _drop(schema: SchemaName, function: Function) -> str:
    return f"DROP FUNCTION {schema.table(function.name)}({function.types});"
