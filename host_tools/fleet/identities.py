"""Issue the identities of the nodes of a microgrid, and the list of those that are revoked."""

import time
from collections.abc import Mapping

from edge.trust import certificate, revocation
from edge.trust.certificate import Certificate
from edge.trust.keys import AuthorityKey, NodeKeys
from edge.trust.revocation import Revocations

BEGIN_S = 1_577_836_800  # 2020: a node whose clock is behind accepts a new identity all the same
RENEW_DAYS = 90  # what expires sooner is renewed, with the same key
_DAY_S = 86400


def issue_identity(
    authority: AuthorityKey,
    node: str,
    keys: NodeKeys,
    *,
    after: Certificate | None = None,
    days: int = 3650,
    begins_s: int = BEGIN_S,
    now_s: float | None = None,
) -> bytes:
    """A certificate that replaces the one before. Raises ValueError."""
    now = int(time.time() if now_s is None else now_s)
    return certificate.issue(
        authority.sign,
        cluster=authority.cluster,
        node=node,
        serial=max(now, after.serial + 1 if after else 0),
        begins_s=begins_s,
        ends_s=now + days * _DAY_S,
        sign_key=keys.signing.public,
        seal_key=keys.seal_key,
    )


def issue_revocations(
    authority: AuthorityKey,
    serials: Mapping[str, int],
    *,
    after: Revocations | None = None,
    now_s: float | None = None,
) -> bytes:
    """A list that replaces the one before. Raises ValueError."""
    now = int(time.time() if now_s is None else now_s)
    number = max(now, after.number + 1 if after else 0)
    return revocation.issue(authority.sign, cluster=authority.cluster, number=number, serials=serials)
