"""The constants of the contract life cycle (thesis 4.1-4.2; reference/behaviour.md b.3)."""

MARGIN = 0.05  # a contract may be used up to 5 % more or less without renegotiation
OFFER_VALIDITY_S = 8.0
OFFER_GRACE_S = 1.0  # a supplier keeps an offer reserved a little longer than it says
PARTIAL_OFFER_S = 2.0  # an offer of less than was asked blocks others for no longer than that
GATHER_S = 30.0  # whoever gathers parts may keep them so long without getting more
PART_HOLD_S = 0.3  # a part that has not led to a contract by then may go to another
REST_S = 4.0  # an offer that ran out unused: other requests come first for up to that long
CRUMB_RATIO = 0.01  # offers of less than that are taken last: they make contracts of many parts
VALIDATION_S = 10.0  # a proposed contract that is not confirmed by then is void
VALIDATION_GRACE_S = 1.0
RECONFIRM_S = 15.0  # a contract found on disk must be confirmed by the other side by then
RESTATED_MAX = 1000  # how often a contract is restated between two looks at the disk, one a reaction: fewer
MERGE_S = 2.0  # a complementary contract stands by itself for that long, then joins the main one
PATIENCE_S = 0.3  # offers of the whole microgrid have arrived by then
URGENT_WAIT_S = 0.35  # free power is looked for that long before supplies of others are interrupted
PARTIAL_WAIT_S = 1.0  # who takes part of what it needs waits that long for the whole
ALERT_S = 8.0  # an unserved though servable request calls the hybrid policy to order
ALERT_SAID_S = 2.0  # shorter alerts are the negotiation itself and not worth a message
CURTAIL_S = 10.0  # a consumer that was asked to take less has that long to restate its contract
SLOT_S = 900.0  # of a forecast, and the grid on which runs start
NEAR_S = 60.0  # so long before a booked start its power is no longer given to newcomers
CLAIM_S = 60.0  # booked power is kept so long after the start; who does not ask by then runs on others
CHOOSE_S = 2.0  # starts are collected that long
REPLAN_S = 60.0  # a plan that nobody could place is asked again
MIN_POWER_W = 0.001
EPSILON_W = 0.002  # rounding of messages to whole milliwatts
MAX_POWER_W = 1e7  # beyond it a value from the network is refused
MAX_PARTS = 32  # suppliers of one contract
RESTATE_RATIO = 0.01  # a need that changes by less is not restated

REQUEST, OFFER, CONFIRM = "REQ", "OFFER", "CONTRACT_CONFIRM"
CONTRACT, COMPLEMENT = "CONTRACT1", "CONTRACT2"  # the main and the complementary contract
PLAN, STARTS = "PLAN", "STARTS"  # of flexible loads, and the suppliers' answers
EVENT, STOP = "EVENT", "STOP"


def with_margin(power_w: float) -> float:
    """The most a contract over `power_w` may draw, in W."""
    return power_w * (1 + MARGIN)
