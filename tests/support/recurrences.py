"""Random expressions, zones and starts, many of them near the days on which clocks change; and what we say to each.

Real pg-boss is asked the same by ``tests/interop/node/previews.mjs``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from random import Random
from typing import Any, TypeAlias

from pgboss import ValidationError
from pgboss.core.recurrence import Recurrence, read

__all__ = ["Question", "disagreements", "our_answer", "questions"]

Question: TypeAlias = dict[str, Any]
Answer: TypeAlias = dict[str, Any]

MINUTE, DAY = 60_000, 86_400_000

# Changes at midnight, by half an hour, by two hours, of a whole day; south and north. Left out are Cairo, Casablanca
# and Gaza, whose past or future differs from one edition of the zone database to the next.
ZONES = """
    UTC Europe/Zurich Europe/Dublin America/New_York America/Havana America/Sao_Paulo America/Santiago America/Asuncion
    America/St_Johns America/Scoresbysund Atlantic/Azores Asia/Beirut Asia/Tehran Asia/Kathmandu Pacific/Apia
    Australia/Lord_Howe Antarctica/Troll
""".split()
OFFSETS = ["+02:00", "UTC-3"]
CHANGES = """
    2026-03-29T01:00 2025-03-30T01:00 2026-10-25T01:00 2026-03-08T07:00 2026-11-01T06:00 2025-10-04T15:30
    2026-04-04T15:00 2026-03-08T05:00 2018-11-04T03:00 2026-03-28T22:00 2026-10-24T21:00 2026-02-15T02:00
    2026-03-22T02:00 2021-03-21T20:30 2011-12-30T10:00 2026-03-29T00:00 2024-09-08T04:00 2026-04-05T03:00
""".split()
MONTHS = "jan FEB Mar apr may jun jul aug sep oct nov dec".split()
WEEKDAYS = "sun MON Tue wed thu fri sat".split()
RULE_WEEKDAYS = "MO TU WE TH FR SA SU".split()
UNREADABLE = "L 5-1 */0 60 99 a 1,,2 1-2-3 *-5 - / 1.5 MON# 5#6 L-2 1/0 1,1 ** 15W xyz 1-".split()
ALIASES = """
    @yearly @annually @monthly @weekly @daily @hourly @minutely @secondly @weekdays @weekends @midnight @reboot
""".split()


def questions(random: Random, number: int, *, rules: bool, passes: bool) -> list[Question]:
    """So many questions; with ``passes`` also about what a pass finds."""
    found = []
    for _ in range(number):
        start = _start(random)
        expression = _rule(random) if rules else _cron(random)
        tz = random.choice(ZONES + OFFSETS)
        question = {"expression": expression, "tz": tz, "from": start, "count": random.choice([1, 3, 6])}
        found.append(question | ({"until": start + random.randint(0, 3 * DAY)} if passes else {}))
    return found


def our_answer(question: Question) -> Answer:
    """What the package says, in the form of ``previews.mjs``."""
    start, until, count = question["from"], question.get("until"), question["count"]
    answer = {"preview": _said(question, lambda found: list(islice(found.later_than(start), count)))}
    if until is None:
        return answer
    return answer | {
        "due": _said(question, lambda found: found.due(until - MINUTE, until)),
        "missed": _said(question, lambda found: [found.latest(start, until - MINUTE)]),
    }


def _said(question: Question, find: Callable[[Recurrence], list[Any]]) -> Any:
    try:
        return find(read(question["expression"], question["tz"]))
    except ValidationError as error:
        return {"refused": str(error)}


def disagreements(question: Question, node: Answer) -> Iterator[str]:
    """Where Node answers otherwise."""
    ours = our_answer(question)
    for what, theirs in node.items():
        if what != "preview" and "refused" in node["preview"]:
            # Nobody can have stored it.
            continue
        mine = ours[what]
        both_refuse = "refused" in theirs and "refused" in mine
        # Node has a second for all of a preview; how much it finds in that is up to the machine.
        gave_up = "refused" in theirs and theirs["refused"].startswith("Gave up")
        if mine != theirs and not both_refuse and not gave_up:
            yield f"{what} of {question}:\n  Node {_shown(theirs)}\n  ours {_shown(mine)}"


def _shown(answer: Any) -> str:
    if isinstance(answer, dict):
        return str(answer)
    return ", ".join("none" if at is None else datetime.fromtimestamp(at / 1000, UTC).isoformat() for at in answer)


def _start(random: Random) -> int:
    if random.random() < 0.6:
        change = datetime.fromisoformat(random.choice(CHANGES)).replace(tzinfo=UTC)
        seconds = int(change.timestamp()) + random.randint(-3 * 86_400, random.choice([3 * 86_400, 7_200]))
    else:
        seconds = random.randint(1_100_000_000, 2_000_000_000)
    if random.random() < 0.3:
        seconds -= seconds % 3600
    return seconds * 1000 + (random.randint(1, 999) if random.random() < 0.2 else 0)


def _cron(random: Random) -> str:
    if random.random() < 0.02:
        return random.choice([*ALIASES, " @daily", "", "  "])
    hour = _field(random, 0, 23)
    if random.random() < 0.4:
        hour = random.choice(["0", "1", "2", "3", "23", "0-3", "2,3", "1-2", "*", "0,23", "*/2"])
    weekdays = "5L 1#2 MON#3 0L 7 5#5 1L,3 SUNL 1-5 5-7 0-7/3".split()
    parts = [
        _field(random, 0, 59),
        hour,
        "*" if random.random() < 0.5 else _field(random, 1, 31, extra=["L", "L,15", "1,L"]),
        "*" if random.random() < 0.6 else _field(random, 1, 12, names=MONTHS),
        "*" if random.random() < 0.5 else _field(random, 0, 7, names=WEEKDAYS, extra=weekdays),
    ]
    if random.random() < 0.3:
        parts.insert(0, _field(random, 0, 59))
    elif random.random() < 0.05:
        parts = parts[random.randint(1, 4) :]
    elif random.random() < 0.01:
        parts += ["*", "*"]
    return " ".join(parts)


def _field(
    random: Random, low: int, high: int, *, names: list[str] | None = None, extra: list[str] | None = None
) -> str:
    def value() -> str:
        return random.choice(names) if names and random.random() < 0.25 else str(random.randint(low, high))

    first, last = sorted((random.randint(low, high), random.randint(low, high)))
    forms = {
        "*": 30,
        "?": 4,
        value(): 26,
        f"*/{random.randint(1, high)}": 10,
        f"{first}-{last}": 6,
        f"{first}-{last}/{random.randint(1, 6)}": 4,
        ",".join({value() for _ in range(random.randint(2, 4))}): 8,
        f"{random.randint(low, high)}/{random.randint(1, high)}": 4,
        random.choice(UNREADABLE): 1,
        random.choice(extra or ["*"]): 5,
    }
    return random.choices(list(forms), list(forms.values()))[0]


def _rule(random: Random) -> str:
    """A rule, often with DTSTART, sometimes with dates beside it, now and then with something wrong."""
    frequency = random.choices("YEARLY MONTHLY WEEKLY DAILY HOURLY MINUTELY SECONDLY".split(), [2, 3, 3, 4, 3, 2, 1])[0]
    parts = [f"FREQ={frequency}", *_parts(random, frequency)]
    form = random.choice(["", "", "", "floating", "floating", "zone", "utc", "date"])
    if form and random.random() < 0.2:
        parts.append(f"COUNT={random.choice([1, 3, 10, 50, 0, 1000])}")
    elif random.random() < 0.2:
        ends_in_z = form in ("zone", "utc") or random.random() < 0.5
        parts.append(f"UNTIL={_time(random, form)}{'Z' if ends_in_z and form != 'date' else ''}")
    if random.random() < 0.04:
        wrong = "BYHOUR=25 BYDAY=XX INTERVAL=0 FOO=1 BYMONTH=13 BYSETPOS=0 COUNT=x BYDAY=0MO BYHOUR= BYMINUTE=1,01"
        parts.append(random.choice(wrong.split()))
    lines = [*_dtstart(random, form), ("RRULE:" if form or random.random() < 0.5 else "") + ";".join(parts)]
    lines += [
        f"{name}:" + ",".join(_time(random, form) for _ in range(random.randint(1, 3)))
        for name in ("RDATE", "EXDATE")
        if form and random.random() < 0.15
    ]
    if random.random() < 0.02:
        lines.append(random.choice(["SUMMARY:x", "BEGIN:VEVENT", "RRULE:FREQ=DAILY", "EXDATE:20260101"]))
    return "\n".join(lines)


def _parts(random: Random, frequency: str) -> Iterator[str]:  # noqa: C901  a list of what there may be
    calendar = frequency in ("YEARLY", "MONTHLY")
    if random.random() < 0.35:
        yield f"INTERVAL={random.choice([1, 2, 3, 5, 7, 10, 90])}"
    if random.random() < 0.3:
        yield f"BYMONTH={_some(random, 1, 12)}"
    if random.random() < 0.4:
        positions = ["", "1", "2", "-1", "3", "5", "+1"] if calendar else [""]
        yield "BYDAY=" + ",".join(
            {random.choice(positions) + random.choice(RULE_WEEKDAYS) for _ in range(random.randint(1, 3))}
        )
    if random.random() < 0.3 and frequency != "WEEKLY":
        yield f"BYMONTHDAY={_some(random, 1, 31, negative=True)}"
    if random.random() < 0.08 and frequency not in ("DAILY", "WEEKLY", "MONTHLY"):
        yield f"BYYEARDAY={_some(random, 1, 366, negative=True)}"
    if random.random() < 0.25 and frequency == "YEARLY":
        yield f"BYWEEKNO={_some(random, 1, 53, negative=True)}"
    if random.random() < 0.55:
        yield "BYHOUR=" + random.choice([_some(random, 0, 23), "2", "1,2,3", "0", "2,3", "1"])
    if random.random() < 0.5:
        yield "BYMINUTE=" + random.choice([_some(random, 0, 59), "0", "30", "0,30"])
    if random.random() < 0.15:
        yield f"BYSECOND={_some(random, 0, 59)}"
    if random.random() < 0.12:
        yield "BYSETPOS=" + random.choice(["1", "-1", "2", "1,-1", "3,-2"])
    if random.random() < 0.1:
        yield f"WKST={random.choice(RULE_WEEKDAYS)}"
    if random.random() < 0.05 and calendar:
        yield random.choice(
            [
                "RSCALE=GREGORIAN",
                "RSCALE=GREGORIAN;SKIP=BACKWARD",
                "RSCALE=GREGORIAN;SKIP=FORWARD",
                "SKIP=OMIT",
                "X-A=1",
            ]
        )


def _some(random: Random, low: int, high: int, *, negative: bool = False) -> str:
    signs = [1, 1, -1] if negative else [1]
    values = {random.randint(low, high) * random.choice(signs) for _ in range(random.randint(1, 3))}
    return ",".join(map(str, values))


def _dtstart(random: Random, form: str) -> list[str]:
    match form:
        case "":
            return []
        case "floating":
            return [f"DTSTART:{_time(random, form)}"]
        case "zone":
            return [f"DTSTART;TZID={random.choice(ZONES)}:{_time(random, form)}"]
        case "utc":
            return [f"DTSTART:{_time(random, form)}Z"]
        case _:
            return [f"DTSTART;VALUE=DATE:{_time(random, form)}"]


def _time(random: Random, form: str) -> str:
    """A time, often one that clocks may skip; a date where the rule is about dates."""
    time = datetime.fromtimestamp(random.randint(1_400_000_000, 1_900_000_000), UTC)
    if random.random() < 0.4:
        time = time.replace(hour=random.choice([0, 1, 2, 3, 23]), minute=random.choice([0, 30]), second=0)
    if random.random() < 0.3:
        time = time.replace(month=random.choice([3, 4, 10, 11]), day=random.choice([1, 8, 25, 28, 29, 30]))
    return time.strftime("%Y%m%d" if form == "date" else "%Y%m%dT%H%M%S")
