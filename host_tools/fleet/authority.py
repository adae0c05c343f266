"""The cluster's own certificate authority, a folder on the operator's machine.

    ca.key ca.crt     ECDSA P-256; whoever has ca.key can impersonate any node
    crl.pem           the revoked certificates
    issued/           every certificate ever issued, needed to revoke a node
    nodes/NAME/       the current node.key and node.crt

All certificates begin at a fixed date in the past, because a Raspberry Pi 3 has no clock and may boot with a
date years ago. Keys are replaced only on request. An interrupted run is completed by the next one.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .errors import FleetError
from .files import SECRET, write
from .identities import RENEW_DAYS

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
_AUTHORITY_DAYS = 30 * 365


@dataclass(frozen=True)
class Identity:
    """Key and certificate of a node (PEM). `made`: what was done, or empty; `revoked`: it is invalid."""

    key: bytes
    certificate: bytes
    ends: datetime
    made: str
    revoked: bool


class Authority:
    """Issues and revokes identities. `now` is only used for the expiry of certificates."""

    def __init__(self, folder: Path, cluster: str, now: datetime) -> None:
        """Open or create the folder. Raises FleetError, OSError."""
        self._folder = folder
        self._now = now
        self._name = _common_name(f"microgrid {cluster}")
        key_file, self._crl_file = folder / "ca.key", folder / "crl.pem"
        certificate_file = folder / "ca.crt"
        if certificate_file.exists() and not key_file.exists():
            raise FleetError(f"{key_file}: missing; restore it, or start a new cluster in another folder")
        if not key_file.exists():
            write(key_file, _pem(_new_key()), SECRET)
        self._key = _load_key(key_file)
        if not certificate_file.exists():
            write(certificate_file, self._own_certificate())
        self.certificate = certificate_file.read_bytes()
        self._certificate = _load_certificate(certificate_file)
        if self._certificate.subject != self._name:
            name = self._certificate.subject.rfc4514_string()
            raise FleetError(f"{certificate_file}: belongs to {name}, not to cluster {cluster}")
        if self._certificate.public_key() != self._key.public_key():
            raise FleetError(f"{certificate_file}: does not match ca.key in the same folder")
        if not self._crl_file.exists():
            if any((folder / "issued").glob("*.crt")):
                raise FleetError(
                    f"{self._crl_file}: missing; restore it, otherwise revoked nodes would be accepted again"
                )
            self._write_crl([])

    @property
    def crl(self) -> bytes:
        """The list of revoked certificates (PEM)."""
        return self._crl_file.read_bytes()

    def identity(self, node: str, hosts: tuple[str, ...], days: int, *, rotate: bool = False) -> Identity:
        """The identity of a node, created or completed if necessary. Raises FleetError, OSError.

        `hosts`: the host names of its broker; `days`: validity of a new certificate.
        """
        key_file, file = (self._folder / "nodes" / node / name for name in ("node.key", "node.crt"))
        new_key = rotate or not key_file.exists()
        if new_key:
            write(key_file, _pem(_new_key()), SECRET)
        key = _load_key(key_file)
        made = ("rotated" if file.exists() else "made") if new_key else self._outdated(file, key, hosts)
        if made:
            certificate = self.issue(node, hosts, key.public_key(), self._now + timedelta(days=days))
            write(self._folder / "issued" / f"{node}-{certificate.serial_number:x}.crt", _pem(certificate))
            write(file, _pem(certificate))
        certificate = _load_certificate(file)
        revoked = certificate.serial_number in self._revoked()
        ends = certificate.not_valid_after_utc
        return Identity(key_file.read_bytes(), file.read_bytes(), ends, made, revoked)

    def revoke(self, node: str) -> int:
        """Revoke all certificates of a node; returns how many were not revoked before.

        Raises FleetError if it never had a certificate.
        """
        places = sorted((self._folder / "issued").glob("*.crt"))
        issued = [each for each in map(_load_certificate, places) if each.subject == _common_name(node)]
        if not issued:
            raise FleetError(f"{self._folder / 'issued'}: no certificate was ever issued for {node}")
        revoked = self._revoked()
        numbers = [each.serial_number for each in issued if each.serial_number not in revoked]
        if numbers:
            entry = x509.RevokedCertificateBuilder().revocation_date(self._now)
            entries = [entry.serial_number(number).build() for number in numbers]
            self._write_crl([*self._load_crl(), *entries])
        return len(numbers)

    def issue(
        self, node: str, hosts: tuple[str, ...], key: ec.EllipticCurvePublicKey, ends: datetime
    ) -> x509.Certificate:
        """A certificate for broker and client, as a node is both. It does not outlive the authority's."""
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        return (
            self._builder(key, ends)
            .subject_name(_common_name(node))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(_names(hosts), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def _own_certificate(self) -> bytes:
        return _pem(
            self._builder(self._key.public_key(), self._now + timedelta(days=_AUTHORITY_DAYS))
            .subject_name(self._name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def _builder(self, key: ec.EllipticCurvePublicKey, ends: datetime) -> x509.CertificateBuilder:
        own = getattr(self, "_certificate", None)  # None while the authority's own is created
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(BEGIN)
            .not_valid_after(min(ends, own.not_valid_after_utc) if own else ends)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(issuer, critical=False)
        )

    def _outdated(self, file: Path, key: ec.EllipticCurvePrivateKey, hosts: tuple[str, ...]) -> str:
        """Why a node's certificate must be replaced; empty if not. A revoked one is kept."""
        if not file.exists():
            return "completed"
        certificate = _load_certificate(file)
        if certificate.public_key() != key.public_key():
            return "completed"
        if certificate.serial_number in self._revoked():
            return ""
        if certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value != _names(hosts):
            return "new hosts"
        if certificate.not_valid_after_utc - self._now < timedelta(days=RENEW_DAYS):
            return "renewed"
        return ""

    def _load_crl(self) -> x509.CertificateRevocationList:
        try:
            return x509.load_pem_x509_crl(self.crl)
        except ValueError:
            raise FleetError(f"{self._crl_file}: not a valid list of revoked certificates") from None

    def _revoked(self) -> set[int]:
        return {entry.serial_number for entry in self._load_crl()}

    def _write_crl(self, entries: list[x509.RevokedCertificate]) -> None:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._name)
            .last_update(BEGIN)
            .next_update(self._certificate.not_valid_after_utc)
            .add_extension(x509.CRLNumber(len(entries)), critical=False)
        )
        for entry in entries:
            builder = builder.add_revoked_certificate(entry)
        write(self._crl_file, _pem(builder.sign(self._key, hashes.SHA256())))


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _names(hosts: tuple[str, ...]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_general_name(host) for host in hosts])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(**given: bool) -> x509.KeyUsage:
    none = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(**(none | given))


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _pem(thing: ec.EllipticCurvePrivateKey | x509.Certificate | x509.CertificateRevocationList) -> bytes:
    if isinstance(thing, ec.EllipticCurvePrivateKey):
        return thing.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    return thing.public_bytes(serialization.Encoding.PEM)


def _load_key(file: Path) -> ec.EllipticCurvePrivateKey:
    if file.stat().st_mode & 0o077:
        raise FleetError(
            f"{file}: readable by other users; replace the key, or chmod 600 if nobody had access"
        )
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), None)
    except (ValueError, TypeError):
        raise FleetError(f"{file}: not a valid private key without a password") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise FleetError(f"{file}: not an ECDSA key")
    return key


def _load_certificate(file: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except ValueError:
        raise FleetError(f"{file}: not a valid certificate") from None
