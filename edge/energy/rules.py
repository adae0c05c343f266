"""The constants of the contract life cycle (thesis 4.1, 4.2)."""

MARGIN = 0.05  # a contract may be used up to 5 % more or less without renegotiation
OFFER_VALIDITY_S = 8.0
OFFER_GRACE_S = 1.0  # a supplier keeps the power of an offer reserved a little longer than it is valid
PARTIAL_OFFER_S = 2.0  # validity of a partial offer under a policy that does not gather them
GATHER_S = 30.0  # how long a consumer that gathers partial offers keeps them without getting more
PART_HOLD_S = 0.3  # a partial offer without a contract after that may be given to another consumer
REST_S = 4.0  # after an offer expired unused, other requests come first for up to this time
CRUMB_RATIO = 0.01  # offers below this share of the request are used last: they make contracts of many parts
VALIDATION_S = 10.0  # a proposed contract that is not confirmed after that is void
DOUBTED_S = 3.0  # the same for a contract with a member that was in doubt lately, or that interrupts others
VALIDATION_GRACE_S = 1.0
TAKE_S = 3.0  # an offer of all that was requested is taken sooner, or given to others who wait
USED_S = 2.0  # after that the use of a contract gives its consumer credit
PROVEN_S = 10.0  # a contract used for so long shows that its consumer uses what it requests
IDLE_RATIO = (
    0.8  # a contract of which less is used is cut to that; an honest consumer returns what it does not use
)
OWED_S = 10.0  # so long those come first whose supply was interrupted for nothing
RENEW_RATIO = 0.1  # this part of its duration before its end a contract is renewed; clocks may differ by less
RENEW_LEAST_S = 15.0  # and at least so long, or half of it: lost messages are repaired meanwhile
RECONFIRM_S = 15.0  # a contract restored from disk must be confirmed by the other side within this time
RESTATED_MAX = 1000  # upper bound of the restatements of a contract between two saves of the state
MERGE_S = 2.0  # age at which a complementary contract is merged into the main one
MERGE_SOON_S = 0.15  # the same for a twin that buys for many and cannot ask for more before that
PATIENCE_S = 0.3  # within this time offers arrive from the whole microgrid
URGENT_WAIT_S = 0.35  # how long free power is awaited before the supply of others is interrupted
PARTIAL_WAIT_S = 1.0  # how long a consumer that accepts a part waits for the full power
ALERT_S = 8.0  # age of an alert at which the hybrid policy switches to prioritisation
ALERT_SAID_S = 2.0  # shorter alerts are part of a normal negotiation and are not published
CURTAIL_S = 10.0  # a consumer that was asked to take less must restate its contract within this time
BATTERY_LEAST_WH = 0.5  # with less in it, an own battery does not step in
STORAGE_WAIT_S = 5.0  # so old a request must be before the common storage answers it
STORAGE_RETRY_S = 300.0  # after so long it gives a supply back: perhaps others can serve it again
SLOT_S = 900.0  # resolution of forecasts and of the start times of planned runs
NEAR_S = 60.0  # this long before a contract for a later span begins its power is set aside
CLAIM_S = 60.0  # this long after its begin the power is kept for a consumer that has not begun
LATE_S = 5.0  # a run whose power is not there so long after its begin is requested from all suppliers
CHOOSE_S = 2.0  # how long a consumer collects offers for a later span before it chooses
REPLAN_S = 60.0  # a request for a later span that got no offer is published again after this time
MIN_POWER_W = 0.001
EPSILON_W = 0.002  # tolerance, as messages are rounded to whole milliwatts
PASSED_EPSILON_W = 0.05  # the same for contracts of many parts, whose power is promised to others
MAX_POWER_W = 1e7  # larger values from the network are rejected
MAX_PARTS = 32  # suppliers of one contract; no setting: the same at all nodes, or contracts would not be read
RESTATE_RATIO = 0.01  # a need that changes by less is not restated

CATEGORY_MAX = 60  # characters of the category of a device

REQUEST, OFFER, CONFIRM = "REQ", "OFFER", "CONTRACT_CONFIRM"
CONTRACT, COMPLEMENT = "CONTRACT1", "CONTRACT2"  # the main and the complementary contract
EVENT, STOP = "EVENT", "STOP"
STORAGE = "STORAGE"  # that a common storage exists and whether it has room
DONATION, DONATED = "DONATION", "DONATED"  # unused energy given to it, and its receipts
PROD, AWARDS = "PROD", "AWARDS"  # what a supplier has left, and its prices; the credits of a node
FEED_IN, LIMITS = "FEED_IN", "LIMITS"  # of a grid operator: what it pays, and what members may do
MARKET, MARKET_ASK, MARKET_ANSWER = "MARKET", "MARKET_ASK", "MARKET_ANSWER"  # of the next day
COUNTER = "COUNTER"  # the price that a consumer bids for an offer
HOLON = "HOLON"  # a gate is there
UPWARD = "REQ_UP"  # the same as a request, told to the gates that lead to the parent before it arrives there
LEFT = "LEFT"  # what a supplier has left, or what stands behind a gate; told to gates
WARNING, RESCHEDULE = "WARNING", "RESCHEDULE"  # orders of the regulator, and whose activity it moves
DISABLED = "DISABLED"  # that a twin is off, and why
LABELS = (
    *(REQUEST, OFFER, CONFIRM, CONTRACT, COMPLEMENT, STORAGE, DONATION, DONATED, PROD),
    *(EVENT, STOP, WARNING, RESCHEDULE, DISABLED, AWARDS, FEED_IN, LIMITS),
    *(MARKET, MARKET_ASK, MARKET_ANSWER, COUNTER, HOLON, UPWARD, LEFT),
)


def with_margin(power_w: float) -> float:
    """The power that a contract over `power_w` may draw at most, in W."""
    return power_w * (1 + MARGIN)
