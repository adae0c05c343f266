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
_NOT_AUTHORISED = (134, 135)
_KEEP_ALIVE = 141
_ALERTS = {  # what the other side says of our certificate
    "CERTIFICATE_EXPIRED": "it has expired, or a clock is wrong",
    "CERTIFICATE_REVOKED": "it is revoked",
    "UNKNOWN_CA": "it is from another authority",
    "CERTIFICATE_REQUIRED": "none was shown",
    "BAD_CERTIFICATE": "it is not valid",
    "CERTIFICATE_UNKNOWN": "it is not valid",
}


def of_error(error: BaseException) -> str:
    """What an attempt to connect, to read or to write has failed with."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the broker's certificate is not accepted: {error.verify_message}"
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


def of_code(code: ReasonCode, up: bool) -> str:
    """What a broker has said, or the library; `up`: whether the connection had been accepted."""
    if code.value == TAKEN_OVER:
        return TAKEN
    if code.value in _NOT_AUTHORISED:
        return f"the broker refuses this node: {code}"
    if code.value == _KEEP_ALIVE:
        return "the broker has fallen silent" if up else "the port is open, but no broker answers"
    if str(code) == "Unspecified error":
        return CLOSED if up else f"{CLOSED} before it accepted this node"
    return str(code)


def _of_tls(reason: str) -> str:
    for alert, meaning in _ALERTS.items():
        if alert in reason.upper().replace(" ", "_"):
            return f"the broker does not accept the certificate of this node: {meaning}"
    if "EOF" in reason.upper():
        return CLOSED
    if "WRONG_VERSION_NUMBER" in reason.upper().replace(" ", "_"):
        return "the port does not speak TLS"
    return f"TLS: {reason.lower().replace('_', ' ')}"
