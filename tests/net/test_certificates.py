"""Dates of certificates and lists of revoked ones, read without a library for them."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge.net.certificates import certificates, validity
from edge.net.settings import TlsSettings

NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gym")])
KEY = ec.generate_private_key(ec.SECP256R1())
BEGIN = datetime(2026, 11, 28, 12, 30, 5, tzinfo=UTC)


def certificate(ends):
    builder = x509.CertificateBuilder(NAME, NAME, KEY.public_key(), 5, BEGIN, ends)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def revocations(ends):
    builder = x509.CertificateRevocationListBuilder(NAME, BEGIN, ends)
    gone = x509.RevokedCertificateBuilder(7, BEGIN - timedelta(days=3)).build()
    return (
        builder.add_revoked_certificate(gone)
        .sign(KEY, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


@pytest.mark.parametrize("make", [certificate, revocations])
@pytest.mark.parametrize(
    "ends", [datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2055, 6, 7, 8, 9, 10, tzinfo=UTC)]
)
def test_the_dates_are_those_of_the_file(make, ends):
    assert validity(make(ends)) == (BEGIN.timestamp(), ends.timestamp())


@pytest.mark.parametrize(
    "damage", [b"", b"-----BEGIN CERTIFICATE-----\n", b"x" * 400, certificate(BEGIN)[:200]]
)
def test_what_is_no_certificate_is_refused(damage):
    with pytest.raises(ValueError, match=r"cut short|nothing there|no dates|base64|padding"):
        validity(damage)


def test_files_that_cannot_be_read_are_left_out(tmp_path):
    (tmp_path / "node.crt").write_bytes(certificate(BEGIN + timedelta(days=40)))
    (tmp_path / "crl.pem").write_bytes(revocations(BEGIN + timedelta(days=9)))
    (tmp_path / "ca.crt").write_bytes(b"-----BEGIN CERTIFICATE-----\n")
    paths = {
        name: str(tmp_path / file)
        for name, file in {
            "ca": "ca.crt",
            "certificate": "node.crt",
            "key": "node.key",
            "crl": "crl.pem",
        }.items()
    }
    found = certificates(TlsSettings(**paths))
    assert {each.kind: each.days_left(BEGIN.timestamp()) for each in found} == {
        "certificate": 40.0,
        "crl": 9.0,
    }
    assert certificates(None) == ()
