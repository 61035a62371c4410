"""Where a broker is and how to sign in, from a URL."""

import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """A broker's address; the password never shows in its text form."""

    host: str
    port: int
    tls: bool
    username: str | None
    password: str | None = field(repr=False)

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"

    def ssl_context(self) -> ssl.SSLContext | None:
        """Verifies the broker's certificate; None without TLS."""
        return ssl.create_default_context() if self.tls else None


def parse_address(url: str) -> BrokerAddress:
    """An address from ``mqtt[s]://[user:password@]host[:port]``; raises ValueError without repeating any secret."""
    parts = urlsplit(url)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise ValueError("a broker URL looks like mqtt://host:1883 or mqtts://user:password@host:8883")
    tls = parts.scheme == "mqtts"
    try:
        port = parts.port or (8883 if tls else 1883)
    except ValueError as error:
        raise ValueError("the broker URL's port is no number below 65536") from error
    return BrokerAddress(
        host=parts.hostname,
        port=port,
        tls=tls,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )
