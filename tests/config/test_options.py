"""The table of all keys: ranges, defaults, and the page that is made of it."""

import tomllib
from random import Random

import pytest
from repository import REPOSITORY

from edge.__main__ import main
from edge.config.check import build
from edge.config.options import SECTIONS, markdown, title
from edge.learn.registry import MODELS, create
from edge.learn.states import StateScale
from edge.option import OneOf, Within
from edge.twins.model_options import OPTIONS

PAGE = REPOSITORY / "docs" / "configuration.md"


@pytest.mark.parametrize("section", SECTIONS)
def test_every_number_has_a_range_that_holds_its_default(section):
    for option in SECTIONS[section].options:
        assert option.meaning
        if option.kind in (int, float):
            assert isinstance(option.mark, Within | OneOf), option.key
            assert option.required or option.refusal(option.default) == ""


@pytest.mark.parametrize("section", SECTIONS)
def test_every_default_has_the_type_of_its_key(section):
    """A default of the wrong type would only be noticed on the node that relies on it."""
    for option in SECTIONS[section].options:
        assert option.required or type(option.default) is option.kind


def test_the_known_options_are_those_of_the_models():
    """The table is read without numpy; here it is compared with what the models take."""
    scale = StateScale.of_max_power(3000.0)
    for model, options in OPTIONS.items():
        given = {"window_days": 9, "context": "weekday", "prior": 2.0, "share": 0.25, "inputs": "power time"}
        given |= {"runner": "numpy", "layers": 1, "cells": 4, "members": 2, "start": ""}
        rest = {"first_epochs": 1.0, "first_rate": 0.1, "rate": 0.1, "decay": 0.0}
        create(model, scale, Random(1), **{each.key: (given | rest).get(each.key, 2) for each in options})
    assert OPTIONS.keys() == MODELS.keys()


def test_options_prints_every_key(capsys):
    assert main(["options"]) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 100
    for name, section in SECTIONS.items():
        assert title(name) in printed
        assert all(option.key in printed for option in section.options)


def test_the_page_of_the_configuration_is_current(capsys):
    assert main(["options", "--markdown"]) == 0
    printed = capsys.readouterr().out
    assert printed == markdown()
    command = "microgrid-edge options --markdown > docs/configuration.md"
    assert PAGE.read_text(encoding="utf-8") == printed, f"the page is out of date; run: {command}"


def test_the_example_of_the_page_is_right():
    example = PAGE.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    assert build(tomllib.loads(example), "f").twins[0].name == "water_heater"
