"""Settings: one TOML for a city, secrets from the environment, checked once and printed at the start.

Violation thresholds are not settings: they will be dated rule data that evidence cites.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints
from urllib.parse import urlsplit

T = TypeVar("T")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class SettingsError(Exception):
    """A setting is wrong; the message names it in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """Where the dashboard is served."""

    host: str = "127.0.0.1"  # only loopback until users exist
    port: int = 8000


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Where what we keep ourselves is kept."""

    dir: str = "var"  # embedded database, embedded broker, demo city, recordings


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """The city's timetable."""

    gtfs: str = ""  # zip or folder; empty: buses are shown and not matched


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """From the broker to the picture."""

    tick_s: float = 0.25  # the control step's beat
    inbox_capacity: int = 50_000  # messages waiting to be looked at
    window: int = 20_000  # messages the broker sends before we acknowledge
    share: str = "1/1"  # k/n: this process takes the k-th of n shares of the routes
    record: bool = False  # write every input to a recording


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """What is normal for this city's buses."""

    stale_after_s: float = 30.0  # three report periods
    hold_s: float = 10.0  # rules run so far behind, in fix-time order


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """What is kept, and for how long."""

    retention_days: int = 30  # raw telemetry on plain PostgreSQL
    warm_up_s: float = 90.0  # telemetry read back at a restart, to know every bus again at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of them."""

    web: Web = field(default_factory=Web)
    data: Data = field(default_factory=Data)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    ingest: Ingest = field(default_factory=Ingest)
    feed: Feed = field(default_factory=Feed)
    store: Store = field(default_factory=Store)
    database_url: str | None = field(default=None, repr=False)  # DISPATCH_DATABASE_URL; None: embedded
    mqtt_url: str | None = field(default=None, repr=False)  # DISPATCH_MQTT_URL; None: mosquitto or embedded

    def describe(self) -> list[str]:
        """One line a setting, without secrets, for the start of the log."""
        lines = [
            f"{part.name}.{item.name} = {getattr(getattr(self, part.name), item.name)!r}"
            for part in fields(self)
            if is_dataclass(getattr(self, part.name))
            for item in fields(getattr(self, part.name))
        ]
        return [
            *lines,
            f"database = {_without_secret(self.database_url)}",
            f"broker = {_without_secret(self.mqtt_url)}",
        ]

    def share(self) -> tuple[int, int]:
        """(k, n) of ``ingest.share``, k from 1."""
        k, n = (int(part) for part in self.ingest.share.split("/"))
        return k, n


def load_settings(path: str | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the file (else DISPATCH_CONFIG, else defaults) and the environment; raises SettingsError."""
    environment = os.environ if environment is None else environment
    path = path or environment.get("DISPATCH_CONFIG")
    told: dict[str, Any] = {}
    if path:
        try:
            told = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError(f"{path}: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path}: {error}") from error
    for secret in ("database_url", "mqtt_url"):
        if secret in told:
            raise SettingsError(f"{secret} holds a secret: give it as DISPATCH_{secret.upper()} in the environment")
    settings = _build(Settings, told, "")
    return _checked(
        _with_urls(settings, environment.get("DISPATCH_DATABASE_URL"), environment.get("DISPATCH_MQTT_URL"))
    )


def _with_urls(settings: Settings, database_url: str | None, mqtt_url: str | None) -> Settings:
    parts = {part.name: getattr(settings, part.name) for part in fields(settings)}
    return Settings(**(parts | {"database_url": database_url or None, "mqtt_url": mqtt_url or None}))


def _build(kind: type[T], told: Mapping[str, Any], where: str) -> T:
    hints = get_type_hints(kind)
    unknown = sorted(set(told) - set(hints))
    if unknown:
        raise SettingsError(f"{where}{unknown[0]}: no such setting")
    values: dict[str, Any] = {}
    for name, value in told.items():
        wanted = hints[name]
        if is_dataclass(wanted):
            if not isinstance(value, dict):
                raise SettingsError(f"{where}{name}: a table is needed, [{name}]")
            values[name] = _build(wanted, value, f"{where}{name}.")  # type: ignore[arg-type]
        else:
            values[name] = _scalar(wanted, value, f"{where}{name}")
    return kind(**values)


def _scalar(wanted: Any, value: Any, name: str) -> Any:
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise SettingsError(f"{name}: {wanted.__name__} is needed, not {value!r}")
    return value


def _checked(settings: Settings) -> Settings:
    rules = (
        (settings.web.host in _LOOPBACK, "web.host: only loopback (127.0.0.1) until users and a secret can be set"),
        (0 <= settings.web.port <= 65_535, "web.port: 0 to 65535"),
        (0.05 <= settings.ingest.tick_s <= 5.0, "ingest.tick_s: 0.05 to 5 s"),
        (1 <= settings.ingest.window <= 65_535, "ingest.window: 1 to 65535"),
        (settings.ingest.window <= settings.ingest.inbox_capacity, "ingest.window: at most ingest.inbox_capacity"),
        (_is_share(settings.ingest.share), "ingest.share: k/n with 1 <= k <= n, as in 1/2"),
        (settings.feed.stale_after_s >= 1.0, "feed.stale_after_s: at least 1 s"),
        (0.0 <= settings.feed.hold_s <= 300.0, "feed.hold_s: 0 to 300 s"),
        (settings.store.retention_days >= 1, "store.retention_days: at least 1"),
        (0.0 <= settings.store.warm_up_s <= 3600.0, "store.warm_up_s: 0 to 3600 s"),
    )
    for holds, message in rules:
        if not holds:
            raise SettingsError(message)
    return settings


def _is_share(text: str) -> bool:
    k, slash, n = text.partition("/")
    return bool(slash) and k.isdigit() and n.isdigit() and 1 <= int(k) <= int(n)


def _without_secret(url: str | None) -> str:
    if url is None:
        return "embedded"
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
