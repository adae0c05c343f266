"""The routes of a node's HTTP interface. A new one is one entry here and the view that it names.

From this table come the dispatch of requests, the reading of parameters and bodies, the refusals,
`docs/api.md` and the OpenAPI document. The schema of an answer is the type that its view returns.
"""

from ..config.options import SECTIONS
from ..learn.terms import HORIZONS_MIN
from ..option import NAME, NAME_OF_NODE
from ..terms import SCOPES, VARIABLES
from .accounts import accounts
from .aggregations import aggregations
from .changes import (
    NEIGHBOUR,
    TWIN,
    TWIN_CHANGE,
    TWINS,
    add_twin,
    change_twin,
    cut_neighbour,
    put_neighbour,
    remove_twin,
    restart_twin,
    restart_twins,
    stop_twin,
    stop_twins,
    twin,
)
from .community import community
from .configuration import CHECKED, change_section, configuration
from .counters import counters
from .energy import energy
from .events import CURSOR, events
from .forecasts import MOST_SCORED_DAYS, forecasts, learning, predictions, scores
from .gossip import gossip
from .grid import MEMBER_LIMIT, grid, limit_member, release_member
from .health import health
from .limits import LIMIT, SOURCE, heartbeat, limits, orders, put_limit, release_limits
from .market import market
from .meters import meters
from .metrics import metrics
from .microgrid import microgrid
from .models import SLOTS, models
from .moment import moment
from .node import contracts, overview, twins
from .offers import CURSOR as OFFER
from .offers import offers
from .openapi import openapi
from .pages import PAGES
from .parameters import Choice, Minute, Number, Text, Whole
from .records import records
from .replay import replay
from .route import ANYBODY, CONFIGURE, OPERATE, Route, versioned
from .series import series
from .session import TOKEN, log_in, log_out, session
from .snapshot import snapshot
from .space import space
from .statement import MONTH, statement
from .statistics import MERGE, statistics
from .stream import stream
from .weights import weights

_FORM = Choice("format", "or by the header `Accept`", "json", ("json", "csv"))
_NAME = Text("cursor", "`next` of the page before", None, r"[A-Za-z0-9_.-]{1,64}", "the name of an LSA")

_TWIN = Text(
    "name",
    "of the twin; this node may stand before it",
    None,
    rf"(?:{NAME_OF_NODE.pattern}\.)?{NAME.pattern}",
    f"a name of {NAME.words}, with or without that of this node and a dot before it",
)
_NODE = Text("name", "of the other node", None, NAME_OF_NODE.pattern, NAME_OF_NODE.words)

_OF_TWIN = Text("twin", "of this twin", None, r"[A-Za-z0-9_.>-]{1,80}", "the name of a twin with its node")
_MEMBER = Text("member", "the node of the member", None, NAME_OF_NODE.pattern, NAME_OF_NODE.words)
_SOURCE = Text("source", "who orders it", None, SOURCE, "1 to 32 of a-z, 0-9, _ and -")
_METER = Text("meter", "of this meter; by default of all", None, NAME.pattern, NAME.words)

_SLOT = Whole("slot", "of the day: 0 from 0 to 6, then one for each hour", None, 0, SLOTS - 1)

_TABLE = versioned(
    Route("GET", "/health", health, "whether the node is well, its troubles, and its counters"),
    Route(
        "GET",
        "/node",
        overview,
        "the six variables of the node, its neighbours, the use of its space",
        for_members=True,
    ),
    Route(
        "GET",
        "/twins",
        twins,
        "every prosumer twin: its powers and the state of its requests",
        for_members=True,
    ),
    Route("GET", "/twins/{name}", twin, "one of them", on_node=False, segments=(_TWIN,), for_members=True),
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
        for_members=True,
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
        for_members=True,
    ),
    Route(
        "POST",
        "/twins/{name}/restart",
        restart_twin,
        "start a twin that was stopped, also by a stop order",
        on_node=False,
        segments=(_TWIN,),
        scope=OPERATE,
        for_members=True,
    ),
    Route(
        "POST",
        "/stop",
        stop_twins,
        "the same for several twins, or for all",
        on_node=False,
        body=TWINS,
        scope=OPERATE,
    ),
    Route(
        "POST",
        "/restart",
        restart_twins,
        "start several twins again, or all",
        on_node=False,
        body=TWINS,
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
    Route(
        "GET",
        "/limits",
        limits,
        "external limits, who ordered them, and what is held back for them",
        for_members=True,
    ),
    Route(
        "PUT",
        "/limits/{source}",
        put_limit,
        "order a limit; it replaces that of the same source, direction and scope",
        segments=(_SOURCE,),
        body=LIMIT,
        scope=OPERATE,
    ),
    Route(
        "DELETE",
        "/limits/{source}",
        release_limits,
        "end all limits of a source",
        segments=(_SOURCE,),
        scope=OPERATE,
    ),
    Route(
        "POST",
        "/limits/{source}/heartbeat",
        heartbeat,
        "say that a source lives, if the node expects heartbeats of it",
        segments=(_SOURCE,),
        scope=OPERATE,
    ),
    Route(
        "GET",
        "/grid",
        grid,
        "what the operator of the grid on this node sees of members, and to what it limits them",
    ),
    Route(
        "GET",
        "/market",
        market,
        "the market of the next day: what this node trades there, and the market if it is held here",
        scope=OPERATE,
    ),
    Route(
        "PUT",
        "/grid/{member}",
        limit_member,
        "the operator of the grid on this node limits a member; it replaces a limit of the same direction",
        segments=(_MEMBER,),
        body=MEMBER_LIMIT,
        scope=OPERATE,
    ),
    Route(
        "DELETE",
        "/grid/{member}",
        release_member,
        "end all limits of a member",
        segments=(_MEMBER,),
        scope=OPERATE,
    ),
    Route(
        "GET",
        "/orders",
        orders,
        "the log of limits, and of twins that were stopped: when, and the power before and after",
        (Whole("limit", "at most so many, newest first", "20000", 1, 20_000), _FORM),
        on_node=False,
        for_members=True,
    ),
    Route("GET", "/meters", meters, "every meter: the power of each input, and its newest full record"),
    Route(
        "GET",
        "/contracts",
        contracts,
        "contracts of local consumers, promises of local suppliers",
        for_members=True,
    ),
    Route(
        "GET",
        "/aggregations",
        aggregations,
        "what is aggregated for twins of this node, and who contributed with what weight, distance and age",
    ),
    Route(
        "GET",
        "/learning",
        learning,
        "the models of each scope, their trainings, and the history file",
        for_members=True,
    ),
    Route(
        "GET",
        "/community",
        community,
        "the rules of the community, credits, prices, what is shared now, and the batteries; without "
        "`[community]` these alone",
        for_members=True,
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
        for_members=True,
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
        for_members=True,
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
        for_members=True,
    ),
    Route(
        "GET",
        "/models",
        models,
        "what a model has learnt of a variable: matrices of chains with counts and days, weights of networks",
        (
            Choice("scope", "whose", "node", SCOPES),
            Choice("variable", "of this one", "requested", VARIABLES),
            _SLOT,
        ),
        on_node=False,
    ),
    Route(
        "GET",
        "/weights",
        weights,
        "what each node counted in the last aggregation of models and of predictions",
        (
            Choice("scope", "whose", "node", SCOPES),
            Choice("variable", "of this one", "requested", VARIABLES),
            _SLOT,
        ),
    ),
    Route(
        "GET",
        "/replay",
        replay,
        "predictions made again after past minutes with what the model knows today, beside what it predicted "
        "then and what was measured later",
        (
            Choice("scope", "whose", "node", SCOPES),
            Minute("at", "the one minute after which it is made"),
            Minute("from", "in place of `at`: the first of several"),
            Minute("to", "the last one"),
            Choice("step", "minutes from one to the next", "15", ("1", "5", "15", "60")),
            Choice("watts", "whether forecasts in watts are made, too", "no", ("yes", "no")),
        ),
        on_node=False,
    ),
    Route(
        "GET",
        "/statistics",
        statistics,
        "how good predictions were by day, variable, horizon and hour of the target, and how much the states "
        "changed",
        (
            Choice("scope", "whose predictions", "node", SCOPES),
            Minute("from", "first minute after which a prediction was made; a week before `to` by default"),
            Minute("to", "last one; now by default"),
            Choice("variable", "only of this one", None, VARIABLES),
            Choice("horizon", "only of this one, in minutes", None, tuple(map(str, HORIZONS_MIN))),
            Whole("first_hour", "of the day, of the targets", "0", 0, 23),
            Whole("last_hour", "of them; an earlier one is that of the next day", "23", 0, 23),
            MERGE,
            Whole("least", "predictions that a group needs to be shown", "1", 1, 1_000_000),
            Choice(
                "trivial", "whether hours count in which a variable was without power", "no", ("yes", "no")
            ),
        ),
        on_node=False,
        for_members=True,
    ),
    Route(
        "GET",
        "/snapshot",
        snapshot,
        "the node at this moment: true flows, what waits, what is wrong",
        for_members=True,
    ),
    Route(
        "GET",
        "/microgrid",
        microgrid,
        "every node that is known, and the links of this one",
        for_members=True,
    ),
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
        for_members=True,
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
        for_members=True,
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
        for_members=True,
    ),
    Route(
        "GET",
        "/counters",
        counters,
        "counters of energy that never step back: what the member imported and exported, from and to the "
        "community and beyond it, and what each twin drew and gave",
        for_members=True,
    ),
    Route(
        "GET",
        "/accounts",
        accounts,
        "the past of the community: credits and money by quarter-hour, prices, levels of batteries",
        (
            Minute("from", "begin; a day before `to` by default"),
            Minute("to", "end, at most 32 days later; now by default"),
        ),
        on_node=False,
        for_members=True,
    ),
    Route(
        "GET",
        "/statement",
        statement,
        "the statement of a month: energy that each twin drew and gave, by partner",
        (
            Text(
                "month", "by the civil calendar; this one by default", None, MONTH, "a month such as 2026-11"
            ),
            _FORM,
        ),
        on_node=False,
        for_members=True,
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
        for_members=True,
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
    Route(
        "GET",
        "/configuration",
        configuration,
        "the configuration key by key, and what may be changed while the node runs",
        scope=CONFIGURE,
    ),
    *(
        Route(
            "PATCH",
            f"/configuration/{section}",
            change_section(section),
            f"change keys of `[{section}]`, on top of the file; keys that need a new start are only checked",
            (Choice("only_check", "whether it is only checked", "no", ("yes", "no")),),
            on_node=False,
            body=SECTIONS[section].options,
            patch=True,
            scope=CONFIGURE,
        )
        for section in CHECKED
    ),
    Route(
        "GET",
        "/openapi.json",
        openapi,
        "this interface as an OpenAPI document",
        on_node=False,
        for_members=True,
    ),
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
        for_members=True,
    ),
)

ROUTES = (
    *_TABLE,
    Route("GET", "/health", health, "the same, for watchdogs"),
    Route("GET", "/metrics", metrics, "the numbers of the node for Prometheus", media="text/plain"),
    *PAGES,
)
