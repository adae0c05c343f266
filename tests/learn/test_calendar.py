"""Models learn by civil time, from minutes of UTC; what earlier releases learnt by civil minutes loads."""

import json
import random
import zlib

import numpy as np
import pytest

from edge.clock import Zone
from edge.learn.calendar import Calendar
from edge.learn.checkpoint import _HEAD, _MAGIC
from edge.learn.registry import create
from edge.learn.states import StateScale

SCALE = StateScale.of_max_power(1000.0)
ZURICH = Calendar(Zone("Europe/Zurich").offset_min)
AUTUMN = 29_357_340  # 2025-10-26T01:00 UTC: in Zurich 03:00 becomes 02:00
OPTIONS = {"mixture": {"cells": 4, "runner": "numpy"}}


def made(name, calendar=ZURICH):
    return create(name, SCALE, random.Random(1), None, calendar, **OPTIONS.get(name, {}))


def feed(model, first, count, power_w=300.0):
    for minute in range(first, first + count):
        model.observe(minute, np.full(6, power_w + 200.0 * (minute % 3), np.float32))


def as_before(data):
    """A checkpoint without the mark of its minutes, as earlier releases wrote it."""
    _, _, _, header_length = _HEAD.unpack_from(data)
    body = zlib.decompress(data[_HEAD.size :])
    header = json.loads(body[:header_length])
    assert header.pop("utc") is True
    text = json.dumps(header).encode()
    body = text + body[header_length:]
    return _HEAD.pack(_MAGIC, zlib.crc32(body), len(body), len(text)) + zlib.compress(body)


@pytest.mark.parametrize("name", ["majority", "markov", "mixture"])
def test_what_was_learnt_by_civil_minutes_still_loads(name):
    """Minutes that were learnt are not learnt again, and later ones are."""
    before, after = made(name, Calendar()), made(name)
    end = AUTUMN + 5000
    feed(before, end + 60 - 300, 300)  # by civil minutes, an hour ahead
    after.load(as_before(before.save()))
    assert after._learnt_minute == end - 1
    feed(after, end, 1)
    assert after._learnt_minute == end


@pytest.mark.parametrize("name", ["majority", "markov", "mixture"])
def test_minutes_that_were_learnt_in_the_future_do_not_keep_a_model_from_learning(name):
    before, after = made(name), made(name)
    feed(before, AUTUMN + 3400 * 1440, 10)
    after.load(before.save(), AUTUMN)
    assert after._learnt_minute == AUTUMN


def test_a_habit_stays_at_its_hour_when_the_clocks_are_set():
    """The power is high from 08:00 to 09:00 of Zurich; the chain that learnt it in summer serves winter."""
    model = made("markov")
    for day in range(-10, 0):
        begin = AUTUMN + day * 1440 + 5 * 60  # 06:00 UTC: 08:00 in summer
        feed(model, begin, 60, 900.0)
    slots = model._counts[0, 0].sum((-1, -2)).nonzero()[0].tolist()
    feed(model, AUTUMN + 1440 + 6 * 60, 60, 900.0)  # 07:00 UTC: 08:00 in winter
    assert model._counts[0, 0].sum((-1, -2)).nonzero()[0].tolist() == slots == [3]
