"""Settings are checked once, say what is wrong by name, keep secrets to themselves, and none is unread."""

from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from dispatch.settings import Settings, SettingsError, load_settings

ROOT = Path(__file__).resolve().parents[1]


def written(tmp_path, text):
    path = tmp_path / "city.toml"
    path.write_text(text)
    return str(path)


def test_defaults_hold_and_a_file_overrides_them(tmp_path):
    assert load_settings(None, {}).web.port == 8000
    path = written(tmp_path, "[web]\nport = 9000\n[feed]\nstale_after_s = 90\n")
    settings = load_settings(None, {"DISPATCH_CONFIG": path})
    assert (settings.web.port, settings.feed.stale_after_s) == (9000, 90.0)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[web]\nprot = 1\n", "web.prot: no such setting"),
        ("[nothing]\n", "nothing: no such setting"),
        ("web = 1\n", "web: a table is needed"),
        ("[web]\nport = '8000'\n", "web.port: int is needed"),
        ("[web]\nport = true\n", "web.port: int is needed"),
        ("[web]\nport = 99999\n", "web.port: 0 to 65535"),
        ("[web]\nhost = '0.0.0.0'\n", "web.host: only loopback"),
        ("[ingest]\nshare = '3/2'\n", "ingest.share"),
        ("[ingest]\nwindow = 60000\n", "ingest.window: at most ingest.inbox_capacity"),
        ("[ingest]\ntick_s = 0.0\n", "ingest.tick_s"),
        ("mqtt_url = 'mqtt://u:p@h'\n", "mqtt_url holds a secret"),
        ("not toml", "city.toml"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, named):
    with pytest.raises(SettingsError, match=named):
        load_settings(written(tmp_path, text), {})


def test_a_missing_file_is_named():
    with pytest.raises(SettingsError, match="none.toml"):
        load_settings("none.toml", {})


def test_secrets_come_from_the_environment_and_are_never_shown():
    environment = {
        "DISPATCH_MQTT_URL": "mqtt://bus:hush@broker:1883",
        "DISPATCH_DATABASE_URL": "postgresql://u:hush@db/x",
    }
    settings = load_settings(None, environment)
    assert settings.mqtt_url == environment["DISPATCH_MQTT_URL"]
    shown = "\n".join([*settings.describe(), repr(settings)])
    assert "hush" not in shown
    assert "broker = mqtt://broker:1883" in shown


def test_every_setting_is_read_somewhere():
    sources = "\n".join(path.read_text() for path in (ROOT / "dispatch").rglob("*.py") if path.name != "settings.py")
    unread = [
        f"{part.name}.{item.name}"
        for part in fields(Settings)
        if is_dataclass(getattr(Settings(), part.name))
        for item in fields(getattr(Settings(), part.name))
        if f"{part.name}.{item.name}" not in sources and f"def {item.name}" not in sources and item.name != "share"
    ]
    assert unread == []
