"""Why a connection could not be made or was lost, in words that name what to do.

The libraries below raise what the system says; some reasons come late: with TLS 1.3 a broker refuses the
certificate of a client only after the handshake.
"""

import socket
import ssl

from .lean_paho import ReasonCode

TAKEN_OVER = 142  # MQTT 5: another client has connected under the same name
TAKEN = (
    "it seems that another client connects under the name of this node: is there a copy of its card, "
    "or a second process?"
)
CLOSED = "the broker has closed the connection"
RENEWED = "nothing passed, so this node has closed the connection to make it again"
NO_TLS = "the connection is closed instead of a TLS handshake: is this the TLS port of a broker?"
WANTS_TLS = "does this port expect TLS?"
_NO_MQTT_5 = "the broker does not speak MQTT 5"
_VERSION, _PROTOCOL, _KEEP_ALIVE = 132, 130, 141
_DATES = (9, 10, 11, 12)  # OpenSSL: a certificate or a list of revoked ones has not begun, or has ended
_ALERTS = {  # what the other side says of our certificate
    "CERTIFICATE_EXPIRED": "it or the broker's list of revoked ones has expired, or a clock is wrong",
    "CERTIFICATE_REVOKED": "it is revoked",
    "UNKNOWN_CA": "it is from another authority",
    "CERTIFICATE_REQUIRED": "none was shown",
    "BAD_CERTIFICATE": "it is not valid, or not yet",
    "CERTIFICATE_UNKNOWN": "it is not valid",
}


def of_error(error: BaseException) -> str:
    """What an attempt to connect, to read or to write has failed with."""
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = ", or the clock of this node is wrong" if error.verify_code in _DATES else ""
        return f"the broker's certificate is not accepted: {error.verify_message.rstrip('.')}{hint}"
    if isinstance(error, ssl.SSLError):
        return _of_tls(error.reason or str(error))
    if isinstance(error, socket.gaierror):
        return f"the host name cannot be resolved: {error.strerror}"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: no broker listens at this host and port"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return CLOSED
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def of_refusal(code: ReasonCode) -> str:
    """What a broker has answered in place of a connection."""
    return _NO_MQTT_5 if code.value == _VERSION else f"the broker refuses this node: {code}"


def of_end(code: ReasonCode) -> str:
    """What a broker has said when it ended a connection."""
    return TAKEN if code.value == TAKEN_OVER else f"the broker has ended the connection: {code}"


def of_loss(code: ReasonCode, up: bool) -> str:
    """What the library says of a lost connection; `up`: whether the broker had accepted it."""
    if code.value == _KEEP_ALIVE:
        return "the broker has fallen silent" if up else "the port is open, but no broker answers"
    if code.value == _PROTOCOL:
        return f"what {'the broker sends' if up else 'answers at this port'} is not MQTT 5"
    return CLOSED if str(code) == "Unspecified error" else str(code)


def _of_tls(reason: str) -> str:
    for alert, meaning in _ALERTS.items():
        if alert in reason.upper().replace(" ", "_"):
            return f"the broker does not accept the certificate of this node: {meaning}"
    if "EOF" in reason.upper():
        return CLOSED
    if "WRONG_VERSION_NUMBER" in reason.upper().replace(" ", "_"):
        return "the port does not speak TLS"
    return f"TLS: {reason.lower().replace('_', ' ')}"
