"""Settings: command line over environment over defaults; nothing unknown, nothing meaningless."""

import os

import pytest

from kani_npc.config import ServeSettings, calm_libraries, serve_settings
from kani_npc.errors import SettingsError


def test_the_command_line_wins_over_the_environment_which_wins_over_the_defaults():
    environment = {"KANI_NPC_SLOTS": "3", "KANI_NPC_MODEL": "folder", "HOME": "/somewhere"}
    settings = serve_settings(environment, model="other", device=None)
    assert settings == ServeSettings(slots=3, model="other")


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"KANI_NPC_SLOT": "3"}, "KANI_NPC_SLOT is no setting.*KANI_NPC_SLOTS"),
        ({"KANI_NPC_SLOTS": "many"}, "KANI_NPC_SLOTS must be a number"),
        ({"KANI_NPC_DRAIN_S": "nan"}, "drain_s"),
    ],
)
def test_a_variable_that_means_nothing_is_refused(environment, says):
    with pytest.raises(SettingsError, match=says):
        serve_settings(environment)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("address", "localhost"),
        ("address", "localhost:http"),
        ("address", ":50051"),
        ("address", "localhost:99999"),
        ("device", "gpu"),
        ("slots", 0),
        ("slots", 100_000),
        ("threads", -1),
        ("model", ""),
    ],
)
def test_a_value_that_means_nothing_is_refused_by_name(name, value):
    with pytest.raises(SettingsError, match=name):
        serve_settings({}, **{name: value})


def test_an_address_has_a_host_and_a_port():
    assert (ServeSettings(address="[::1]:80").host, ServeSettings(address="[::1]:80").port) == (
        "::1",
        80,
    )
    assert ServeSettings(device="cuda:1").device == "cuda:1"


@pytest.mark.parametrize(
    ("given", "count"),
    [({}, "5000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "PASSIVE"}, None)],
)
def test_threads_wait_awake_for_a_moment_unless_the_environment_says_how(monkeypatch, given, count):
    environment = dict(given)
    monkeypatch.setattr(os, "environ", environment)
    calm_libraries()
    assert environment.get("GOMP_SPINCOUNT") == count
    assert environment.get("OMP_WAIT_POLICY") == given.get("OMP_WAIT_POLICY")
