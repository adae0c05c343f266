"""The grammar of lies: what is said, which part of it is false, and how it is false. Each lie is a sentence.

    wire    kind of message, field, value, about whom
    relay   what is done to what the member passes on
    energy  trick of the market, power, number of twins that play it
    market  message of the market of the next day, part, false value, by whom
    price   message of a negotiation, likewise
    gate    what a gate of a holon tells, likewise

The last three are said where the microgrid has such a thing, and drawn by themselves (`false_words`). Each
has a rate per second and a duration. A combination without a meaning, such as the priority of a question, is
a true message at that rate, which is a flood.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

KINDS = (
    "statement",
    "pulse",
    "lsa",
    "delta",
    "near",
    "tombstone",
    "roster",
    "question",
    "identity",
    "revocation",
    "raw",
)
FIELDS = (
    "power",
    "priority",
    "version",
    "incarnation",
    "sequence",
    "number",
    "life",
    "path",
    "name",
    "label",
    "query",
    "size",
    "count",
    "signature",
    "seal",
    "tag",
    "timing",
)
VALUES = ("zero", "negative", "huge", "end", "nan", "others", "replayed", "contradictory", "random")
SUBJECTS = ("own", "other", "invented")
RELAYED = ("drop", "delay", "alter", "replay", "reorder", "swallow")
TRICKS = ("covet", "hoard", "renege", "offer", "confirm", "deny", "confuse", "seize", "nonsense")
POWERS = ("zero", "little", "share", "all", "huge")
PRIORITIES = ("low", "medium", "high")
FAMILIES = {"wire": 6, "relay": 2, "energy": 4}  # and how often each is drawn
_SURPLUS = ("power", "lack", "price", "limit", "way", "forecast", "length", "type")
WORDS = {  # the messages of each family that is drawn by itself, and their parts that can be false
    "market": {
        "call": ("day", "time", "number", "price", "type"),
        "orders": ("number", "day", "step", "length", "energy", "limit", "type"),
        "result": ("number", "day", "step", "type"),
        "meter": ("number", "day", "length", "energy", "type"),
        "bill": ("number", "day", "type"),
        "answer": ("number", "step", "length", "energy", "price", "partner", "type"),
    },
    "price": {
        "counter": ("number", "round", "price", "type"),
        "offer": ("number", "power", "price", "limit", "length", "time"),
    },
    "gate": {"gate": _SURPLUS, "behind": _SURPLUS, "left": ("power",), "need": ("number", "power", "type")},
}
OF_MARKET = ("call", "answer")  # said by who holds the market; all else of it by a trader
SPEAKERS = ("own", "other", "invented")  # who may say it; in another's name; a twin that may not
_RATES_HZ = (0.2, 1.0, 5.0, 20.0, 60.0)
_SECONDS = (2.0, 40.0)

Arguments = tuple[str | float, ...]


@dataclass(frozen=True, slots=True)
class Lie:
    """One sentence of the grammar, said `rate_hz` times a second for `seconds`."""

    family: str
    what: str
    field: str
    value: str
    subject: str
    rate_hz: float
    seconds: float

    @property
    def arguments(self) -> Arguments:
        """As those of a fault."""
        return self.family, self.what, self.field, self.value, self.subject, self.rate_hz, self.seconds

    @classmethod
    def of(cls, arguments: Arguments) -> "Lie":
        """The lie of a fault."""
        *words, rate_hz, seconds = arguments
        family, what, field, value, subject = map(str, words)
        return cls(family, what, field, value, subject, float(rate_hz), float(seconds))


def draw_lie(rng: random.Random) -> Lie:
    """Any sentence of the grammar."""
    family = rng.choices(list(FAMILIES), list(FAMILIES.values()))[0]
    rate_hz, seconds = rng.choice(_RATES_HZ), round(rng.uniform(*_SECONDS), 1)
    if family == "wire":
        words = rng.choice(KINDS), rng.choice(FIELDS), rng.choice(VALUES), rng.choice(SUBJECTS)
    elif family == "relay":
        share = rng.choice(("some", "half", "all"))
        words = rng.choice(RELAYED), share, rng.choice(VALUES), rng.choice(("one", "every"))
    else:
        twins = rng.choice(("1", "1", "3", "20"))
        words = rng.choice(TRICKS), rng.choice(POWERS), rng.choice(PRIORITIES), twins
    return Lie(family, *words, rate_hz, seconds)


def draw_words(rng: random.Random, family: str, messages: Sequence[str]) -> Lie:
    """Any sentence about one of these messages of a family."""
    rate_hz, seconds = rng.choice(_RATES_HZ), round(rng.uniform(*_SECONDS), 1)
    what = rng.choice(messages)
    words = what, rng.choice(WORDS[family][what]), rng.choice(VALUES), rng.choice(SPEAKERS)
    return Lie(family, *words, rate_hz, seconds)
