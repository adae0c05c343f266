"""The routes of a node's HTTP interface. A new one is one entry here and the view that it names.

From this table come the dispatch of requests, the reading of parameters and bodies, the refusals,
`docs/api.md` and the OpenAPI document. The schema of an answer is the type that its view returns.
"""

from ..option import NAME, NAME_OF_NODE
from ..terms import SCOPES
from .aggregations import aggregations
from .changes import (
    NEIGHBOUR,
    TWIN,
    TWIN_CHANGE,
    add_twin,
    change_twin,
    cut_neighbour,
    put_neighbour,
    remove_twin,
    restart_twin,
    stop_twin,
    twin,
)
from .community import community
from .energy import energy
from .events import CURSOR, events
from .forecasts import MOST_SCORED_DAYS, forecasts, learning, predictions, scores
from .gossip import gossip
from .health import health
from .meters import meters
from .metrics import metrics
from .microgrid import microgrid
from .moment import moment
from .node import contracts, overview, twins
from .offers import CURSOR as OFFER
from .offers import offers
from .openapi import openapi
from .pages import PAGES
from .parameters import Choice, Minute, Number, Text, Whole
from .records import records
from .route import ANYBODY, CONFIGURE, OPERATE, Route, versioned
from .series import series
from .session import TOKEN, log_in, log_out, session
from .snapshot import snapshot
from .space import space
from .stream import stream

_FORM = Choice("format", "or by the header `Accept`", "json", ("json", "csv"))
_NAME = Text("cursor", "`next` of the page before", None, r"[A-Za-z0-9_.-]{1,64}", "the name of an LSA")

_TWIN = Text("name", "of the twin, without its node", None, NAME.pattern, NAME.words)
_NODE = Text("name", "of the other node", None, NAME_OF_NODE.pattern, NAME_OF_NODE.words)

_OF_TWIN = Text("twin", "of this twin", None, r"[A-Za-z0-9_.>-]{1,80}", "the name of a twin with its node")
_METER = Text("meter", "of this meter; by default of all", None, NAME.pattern, NAME.words)

_TABLE = versioned(
    Route("GET", "/health", health, "whether the node is well, its troubles, and its counters"),
    Route("GET", "/node", overview, "the six variables of the node, its neighbours, the use of its space"),
    Route("GET", "/twins", twins, "every prosumer twin: its powers and the state of its requests"),
    Route("GET", "/twins/{name}", twin, "one of them", on_node=False, segments=(_TWIN,)),
    Route(
        "POST",
        "/twins",
        add_twin,
        "add a twin; the keys are those of a table `[[twin]]`",
        on_node=False,
        body=TWIN,
        scope=CONFIGURE,
    ),
    Route(
        "PATCH",
        "/twins/{name}",
        change_twin,
        "change what a twin requests and offers; its contracts go on as far as they still fit",
        on_node=False,
        segments=(_TWIN,),
        body=TWIN_CHANGE,
        patch=True,
        scope=OPERATE,
    ),
    Route(
        "DELETE",
        "/twins/{name}",
        remove_twin,
        "remove a twin that was added while the node ran; its contracts end",
        on_node=False,
        segments=(_TWIN,),
        scope=CONFIGURE,
    ),
    Route(
        "POST",
        "/twins/{name}/stop",
        stop_twin,
        "end the contracts of a twin and switch its device off, until it is started again",
        on_node=False,
        segments=(_TWIN,),
        scope=OPERATE,
    ),
    Route(
        "POST",
        "/twins/{name}/restart",
        restart_twin,
        "start a twin that was stopped, also by a stop order",
        on_node=False,
        segments=(_TWIN,),
        scope=OPERATE,
    ),
    Route(
        "PUT",
        "/neighbours/{name}",
        put_neighbour,
        "send to another node from now on; its broker must let this node publish",
        on_node=False,
        segments=(_NODE,),
        body=NEIGHBOUR,
        scope=CONFIGURE,
    ),
    Route(
        "DELETE",
        "/neighbours/{name}",
        cut_neighbour,
        "cut a link: neither send to a neighbour any more nor listen to it",
        on_node=False,
        segments=(_NODE,),
        scope=CONFIGURE,
    ),
    Route("GET", "/meters", meters, "every meter: the power of each input, and its newest full record"),
    Route("GET", "/contracts", contracts, "contracts of local consumers, promises of local suppliers"),
    Route(
        "GET",
        "/aggregations",
        aggregations,
        "what is aggregated for twins of this node, and who contributed with what weight, distance and age",
    ),
    Route("GET", "/learning", learning, "the models of each scope, their trainings, and the history file"),
    Route(
        "GET",
        "/community",
        community,
        "the rules of the community, credits, prices, what is shared now; empty without `[community]`",
    ),
    Route(
        "GET",
        "/gossip",
        gossip,
        "what each scope exchanges with neighbours: messages, merges, contributors, weights, and the gain",
    ),
    Route(
        "GET",
        "/predictions",
        predictions,
        "the newest predictions; with `from` and `to` those of a period, beside the states measured later",
        (
            Choice(
                "scope",
                "whose predictions; by default of both, of a period those of the node",
                None,
                SCOPES,
            ),
            Minute("from", "first minute after which a prediction was made"),
            Minute("to", "last one; less than a day after `from`"),
        ),
        on_node=False,
    ),
    Route(
        "GET",
        "/forecasts",
        forecasts,
        "forecasts in watts of the last day or of a period, one each quarter of an hour, beside the powers "
        "measured later",
        (
            Choice("scope", "whose forecasts", "node", SCOPES),
            Minute("from", "first minute after which a forecast was made"),
            Minute("to", "last one; less than a day after `from`"),
        ),
        on_node=False,
    ),
    Route(
        "GET",
        "/scores",
        scores,
        "how good each model and the forecasts in watts were, beside persistence and the most frequent state",
        (
            Choice("scope", "whose predictions are scored", "node", SCOPES),
            Number("days", "length of the period that ends now", "7", above=0, most=MOST_SCORED_DAYS),
        ),
        on_node=False,
    ),
    Route("GET", "/snapshot", snapshot, "the node at this moment: true flows, what waits, what is wrong"),
    Route("GET", "/microgrid", microgrid, "every node that is known, and the links of this one"),
    Route(
        "GET",
        "/series",
        series,
        "the six variables of a period in columns, each value the mean of its step; quarter-hours and hours "
        "are there also when their minutes are gone",
        (
            Choice("scope", "whose", "node", SCOPES),
            Minute("from", "first minute; a day before `to` by default"),
            Minute("to", "the minute after the last one; now by default"),
            Choice("step", "minutes from one value to the next", "1", ("1", "15", "60")),
            _FORM,
        ),
        on_node=False,
    ),
    Route(
        "GET",
        "/events",
        events,
        "what happened, newest first",
        (
            Minute("from", "not before this minute"),
            Minute("to", "before this minute"),
            _OF_TWIN,
            Text("kind", "of this kind", None, r"[a-z]{1,20}", "a kind, such as start"),
            Whole("limit", "events of a page", "100", 1, 1000),
            Text("cursor", "`next` of the page before", None, CURSOR, "what `next` says"),
            _FORM,
        ),
        on_node=False,
    ),
    Route(
        "GET",
        "/energy",
        energy,
        "energy of a period by twin and partner, in quarter-hours or hours, and its sums",
        (
            _OF_TWIN,
            Text("partner", "with this partner", None, r"[A-Za-z0-9_.>-]{0,80}", "a twin; empty: the device"),
            Minute("from", "begin; a day before `to` by default"),
            Minute("to", "end; now by default"),
            Choice("step", "minutes", "15", ("15", "60")),
            _FORM,
        ),
        on_node=False,
    ),
    Route(
        "GET",
        "/offers",
        offers,
        "offers that are over and what became of them, newest first",
        (
            Minute("from", "not made before this minute"),
            Minute("to", "made before this minute"),
            _OF_TWIN,
            Whole("limit", "offers of a page", "100", 1, 1000),
            Text("cursor", "`next` of the page before", None, OFFER, "what `next` says"),
        ),
        on_node=False,
    ),
    Route(
        "GET",
        "/records",
        records,
        "the full records of meters in a period",
        (
            _METER,
            Minute("from", "first minute; a day before `to` by default"),
            Minute("to", "the minute after the last one; now by default"),
        ),
        on_node=False,
    ),
    Route(
        "GET",
        "/moment",
        moment,
        "the node at a past moment: who supplied whom by contract, and the twins with their settings then",
        (Minute("at", "when; this minute by default"),),
        on_node=False,
    ),
    Route(
        "GET",
        "/space",
        space,
        "the LSAs of the tuple space with their properties",
        (
            Text("label", "that have this label", None, r"[A-Za-z0-9_]{1,32}", "a label"),
            Text("text", "that have this text in them", None, r"[^\x00-\x1f]{1,100}", "1 to 100 characters"),
            Whole("limit", "LSAs of a page", "100", 1, 500),
            _NAME,
        ),
    ),
    Route("GET", "/openapi.json", openapi, "this interface as an OpenAPI document", on_node=False),
    Route("GET", "/session", session, "what you may do", on_node=False, scope=ANYBODY),
    Route(
        "POST",
        "/session",
        log_in,
        "log in with a token: sets a cookie",
        on_node=False,
        body=TOKEN,
        scope=ANYBODY,
    ),
    Route("DELETE", "/session", log_out, "log out", on_node=False, scope=ANYBODY),
    Route(
        "GET",
        "/stream",
        stream,
        "server-sent events: `snapshot` and `health` when they change, each `event`",
        on_node=False,
        media="text/event-stream",
    ),
)

ROUTES = (
    *_TABLE,
    Route("GET", "/health", health, "the same, for watchdogs"),
    Route("GET", "/metrics", metrics, "the numbers of the node for Prometheus", media="text/plain"),
    *PAGES,
)
