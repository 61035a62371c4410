"""Real recordings of two cities, judged against independent counts."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from dispatch.replay import open_recording, play_direct, play_through_broker
from dispatch.settings import Settings
from tests.support.program import free_port
from tests.support.washington import measure


@pytest.fixture(scope="module")
def washington(shared_data):
    return measure(shared_data / "wmata-2026-02-16")


def test_washington_buses_are_matched_to_their_shapes(washington):
    assert washington.matched_share > 0.97
    assert washington.lateral_m_p50 < 10
    assert washington.lateral_m_p99 < 60


def test_washington_passages_leave_few_stops_out(washington):
    assert washington.passages / washington.expected > 0.97


def test_washington_headways_agree_with_a_brute_force_that_shares_no_code(washington):
    assert washington.compared / washington.brute_force > 0.9
    assert washington.difference_s_p50 < 10
    assert washington.difference_s_p90 < 45


def events_direct(recording):
    found = []
    play_direct(recording, Settings(), found.append, lambda _: None)
    return found


@pytest.mark.services
@pytest.mark.parametrize("name", ["wmata-2026-02-16", "hfp/recorded.dump"])
async def test_through_the_broker_a_recording_gives_the_events_it_gives_directly(shared_data, server_dir, name):
    recording = open_recording(shared_data / name, None, 30.0)
    if len(recording.steps) > 2500:
        recording = replace(recording, steps=recording.steps[:2000])
    defaults = Settings()
    settings = replace(
        defaults, web=replace(defaults.web, port=free_port()), data=replace(defaults.data, dir=str(server_dir))
    )
    through = []
    await play_through_broker(recording, settings, 1e6, through.append, lambda _: None, stay=False)
    assert through == events_direct(recording)
    assert len(through) > 20


def test_direct_prints_events_as_lines_of_json_and_progress_elsewhere(shared_data):
    done = subprocess.run(
        [sys.executable, "-m", "dispatch", "replay", str(shared_data / "hfp" / "recorded.dump"), "--direct"],
        capture_output=True,
        text=True,
        check=True,
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {e["type"] for e in events} >= {"StopPassage"}
    assert "639 messages" in done.stderr


def test_a_recording_that_is_not_there_is_said_in_one_line():
    done = subprocess.run(
        [sys.executable, "-m", "dispatch", "replay", "nothing.dump", "--direct"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == "dispatch: nothing.dump: no such recording"
