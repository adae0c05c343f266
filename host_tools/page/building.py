"""A building that is only played: the powers, contracts and events of its devices.

The same moment gives the same powers, so past, present and what is predicted fit together.
"""

import math
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

VARIABLES = ("requested", "produced", "consumed", "supplied", "missing", "available")
DEVICES = (
    ("pv_roof", "pv", 5400.0),
    ("lighting", "load", 1260.0),
    ("kitchen", "load", 1710.0),
    ("ventilation", "load", 640.0),
    ("heat_pump", "load", 2350.0),
    ("grid", "grid", 10_000.0),
    ("battery", "battery", 900.0),
    ("wallbox", "load", 3700.0),
)
PLACES = ("school", "gym", "afterschool", "underground", "townhall", "library", "workshop", "bakery")


@dataclass
class Building:
    """The building, and how much there is in its microgrid."""

    twins: int = 4
    nodes: int = 4
    troubles: bool = False
    learns: bool = True
    now_s: float | None = None  # the moment at which it begins; None: by the clock of this machine
    stopped: set[str] = field(default_factory=set)
    added: dict[str, dict[str, Any]] = field(default_factory=dict)
    changed: dict[str, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    node: str = "school"
    _began_s: float = field(default_factory=time.monotonic)
    _powers: dict[tuple[int, float, int], dict[str, float]] = field(default_factory=dict)

    @property
    def time_s(self) -> float:
        return time.time() if self.now_s is None else self.now_s + time.monotonic() - self._began_s

    def names(self) -> list[tuple[str, str, float]]:
        """Name, kind and power of every twin."""
        found = []
        for i in range(self.twins):
            name, kind, power_w = DEVICES[i % len(DEVICES)]
            turn = i // len(DEVICES)
            found.append((f"{name}_{turn + 1}" if turn else name, kind, power_w * (1 - 0.07 * turn)))
        return found + [
            (name, each.get("kind", "load"), each["power_w"]) for name, each in self.added.items()
        ]

    def places(self) -> list[str]:
        return [*PLACES, *(f"house{i:02}" for i in range(1, 40))][: self.nodes]

    def power_of(self, name: str, kind: str, power_w: float, minute: float) -> float:
        """Of a device at a minute of UTC: a school day, a roof in the sun, a battery that is ready."""
        hour = minute % 1440 / 60
        noise = 0.1 * (math.sin(int(minute) * 12.9898 + 78.233 * len(name)) * 43758.5453 % 1 - 0.5)
        if name.startswith("pv"):
            sun = math.pow(max(0.0, math.sin(math.pi * (hour - 6.5) / 12)), 1.3)
            return power_w * sun * (0.9 + 0.1 * math.sin(minute / 37)) * (1 - abs(noise))
        if kind != "load":
            return power_w
        shift, late = {"k": (3.2, 14.5), "w": (9.0, 20.0), "v": (-1.0, 19.0)}.get(name[0], (0.0, 17.5))
        open_ = 1 / (1 + math.exp(-(hour - 7.5 - max(0, shift)) * 3)) - 1 / (1 + math.exp(-(hour - late) * 2))
        return (
            power_w
            * (0.08 + 0.9 * max(0.0, open_) * (0.85 + 0.15 * math.sin(minute / 23 + shift)))
            * (1 + noise)
        )

    def powers_at(self, minute: int, scale: float = 1.0) -> dict[str, float]:
        """The six variables at a minute of UTC."""
        key = (minute, scale, len(self.added))
        if key not in self._powers:
            self._powers[key] = self._powers_at(minute, scale)
        return self._powers[key]

    def _powers_at(self, minute: int, scale: float) -> dict[str, float]:
        now = [
            (name, kind, self.power_of(name, kind, power_w, minute)) for name, kind, power_w in self.names()
        ]
        need = sum(w for _, kind, w in now if kind == "load")
        produced = sum(w for _, kind, w in now if kind != "load")
        hour = minute % 1440 / 60
        lacks = max(0.0, 0.3 * need * math.exp(-((hour - 12.3) ** 2) * 60)) + (
            0.1 * need if 17.2 < hour < 17.4 else 0
        )
        missing = max(lacks, need - produced - 3000)
        consumed = need - missing
        supplied = min(produced, consumed + 0.16 * need + 300 * (self.nodes > 1))
        values = (need, produced, consumed, supplied, missing, max(0.0, produced - 1.05 * supplied))
        return dict(zip(VARIABLES, (round(scale * each, 1) for each in values), strict=True))

    def snapshot(self) -> dict[str, Any]:
        twins, flows, waiting = [], [], []
        now_s = self.time_s
        devices = [(n, k, self.power_of(n, k, w, now_s / 60)) for n, k, w in self.names()]
        suppliers = [
            (n, k, w) for n, k, w in devices if k in ("pv", "grid", "battery") and n not in self.stopped
        ]
        others = self.places()[1:]
        left_w = {n: w for n, _, w in suppliers}
        totals = dict.fromkeys(VARIABLES, 0.0)
        consumers = [(n, k, w) for n, k, w in devices if k == "load"]
        for i, (name, _, power_w) in enumerate(consumers):
            got_w, off = 0.0, name in self.stopped
            lacks = self.troubles and i in (2, 5)
            if not off and not lacks:
                for supplier, _, _ in suppliers:
                    part = min(left_w[supplier], power_w - got_w)
                    if part > 1:
                        left_w[supplier] -= part
                        got_w += part
                        flows.append(self._flow(supplier, name, part, now_s - 60 * (7 + i)))
                if got_w < power_w - 1 and others:
                    flows.append(
                        self._flow("pv_roof", name, power_w - got_w, now_s - 40, supplier_node=others[0])
                    )
                    got_w = power_w
            if not off and got_w < power_w - 1:
                waiting.append(
                    {
                        "twin": f"{self.node}.{name}",
                        "w": power_w - got_w,
                        "since_s": now_s - 95 - 300 * i,
                        "priority": "high" if i == 2 else "low",
                    }
                )
            totals["requested"] += 0 if off else power_w
            totals["consumed"] += got_w
            twins.append(self._twin(name, "", power_w, got_w, off, 95 + 300 * i if lacks else 0))
        if "grid" in left_w:
            for i, other in enumerate(others[:4]):
                part = min(left_w["grid"], 0.3 * (420 + 260 * i))
                if part > 1:
                    left_w["grid"] -= part
                    flows.append(self._flow("grid", "lighting", part, now_s - 400, consumer_node=other))
        for name, kind, power_w in [(n, k, w) for n, k, w in devices if k != "load"]:
            off = name in self.stopped
            gives = 0.0 if off else power_w - left_w[name]
            totals["produced"] += 0 if off else power_w
            totals["supplied"] += gives
            twins.append(self._twin(name, kind, power_w, gives, off, 0))
        totals["missing"] = totals["requested"] - totals["consumed"]
        totals["available"] = max(0.0, totals["produced"] - 1.05 * totals["supplied"])
        summed = {key: round(self.nodes * 0.8 * value, 1) for key, value in totals.items()}
        return {
            "at_s": round(now_s, 1),
            "node": self.node,
            "powers_w": {key: round(value, 1) for key, value in totals.items()},
            "flows": flows,
            "twins": twins,
            "waiting": waiting,
            "alerts": [
                {"code": each["code"], "text": each["text"], "twin": each["subject"]}
                for each in self.found_troubles()
            ],
            "ready_w": totals["produced"],
            "imported_w": round(sum(each["w"] for each in flows if each["supplier"].endswith(".grid")), 1),
            "exported_w": round(left_w.get("pv_roof", 0.0), 1),
            "microgrid": {
                "nodes": self.places(),
                "powers_w": summed if self.nodes > 1 else None,
                "nodes_summed": self.nodes,
            },
            "limits": [],
        }

    def found_troubles(self) -> list[dict[str, str]]:
        """What is wrong, where something shall be."""
        if not self.troubles:
            return []
        return [
            {
                "code": "neighbour_unreachable",
                "subject": "gym",
                "text": "gym: its broker at gym.local port 8883 is not reached: connection refused",
            },
            {
                "code": "device_unknown",
                "subject": "school.ventilation",
                "text": "the power of ventilation (m4.total) has been unknown for 95 s",
            },
        ]

    def _flow(
        self,
        supplier: str,
        consumer: str,
        w: float,
        since_s: float,
        supplier_node: str = "",
        consumer_node: str = "",
    ) -> dict[str, Any]:
        home, there = supplier_node or self.node, consumer_node or self.node
        return {
            "supplier": f"{home}.{supplier}",
            "consumer": f"{there}.{consumer}",
            "supplier_node": home,
            "consumer_node": there,
            "w": round(w, 1),
            "since_s": round(since_s, 1),
        }

    def _twin(
        self, name: str, kind: str, power_w: float, now_w: float, off: bool, waits_s: float
    ) -> dict[str, Any]:
        supplies = bool(kind)
        unknown = self.troubles and name == "ventilation"
        return {
            "name": f"{self.node}.{name}",
            "known": not unknown,
            "requested_w": None if unknown else 0.0 if supplies or off else round(power_w, 1),
            "consumed_w": 0.0 if supplies else round(now_w, 1),
            "produced_w": None if unknown else round(power_w, 1) if supplies and not off else 0.0,
            "supplied_w": round(now_w, 1) if supplies else 0.0,
            "reserved_w": round(now_w, 1) if supplies else 0.0,
            "offered_w": 0.0,
            "source": "" if kind == "load" else kind,
            "kind": kind or "load",
            "input": "" if kind == "grid" else "m1.total",
            "power_w": 0.0,
            "price": 0.0,
            "stopped": off,
            "satisfied": not waits_s,
            "disabled": False,
            "waiting_s": 0.0 if off else waits_s,
            "gave_up": False,
            "response_s": None if waits_s else 0.0042,
            "unserved_w": 0.0,
            "battery_wh": 0.0,
            "state_of_charge": None,
            "own_w": 0.0,
            "validated": 12,
            "validated_across": 3,
            "shed": 0,
            "interrupted": 0,
            "events": 40,
            "refused_messages": 0,
            "unsealed_parts": 0,
            "priority": "low",
        }

    def series(self, query: dict[str, str]) -> dict[str, Any]:
        step = int(query.get("step", "1"))
        first, last = (minute_of(query[key]) for key in ("from", "to"))
        now = int(self.time_s // 60)
        scale = self.nodes if query.get("scope") == "cluster" else 1.0
        columns: dict[str, list[float | None]] = {f"{each}_w": [] for each in VARIABLES}
        for minute in range(first, last, step):
            gap = minute > now or self.twins == 0 or 200 <= minute % 1440 < 215
            powers_w = self.powers_at(minute, scale)
            for each in VARIABLES:
                columns[f"{each}_w"].append(None if gap else powers_w[each])
        return {
            "scope": query.get("scope", "node"),
            "start_s": 60 * first,
            "start": first,
            "step": step,
            "columns": columns,
            "least": columns if step > 1 else None,
            "most": columns if step > 1 else None,
        }

    def events(self, query: dict[str, str]) -> dict[str, Any]:
        limit, skip = int(query.get("limit", "30")), int(query.get("cursor") or 0)
        rows = []
        now_s = self.time_s
        kinds = (
            ("start", "request", "device"),
            ("start", "contract", "confirmed"),
            ("update", "request", "device"),
            ("update", "contract", "device"),
            ("stop", "contract", "withdrawn"),
            ("expiry", "request", "tolerance"),
            ("merge", "contract", "merged"),
            ("start", "production", "device"),
            ("switch", "request", "device"),
        )
        for i in range(0 if self.twins == 0 else 90):
            names = self.names()
            name, _, power_w = names[(i * 3) % len(names)]
            kind, role, cause = kinds[i % len(kinds)]
            rows.append(
                {
                    "at_s": now_s - 37 * i - 5,
                    "twin": f"{self.node}.{name}",
                    "number": 1000 - i,
                    "kind": kind,
                    "role": role,
                    "power_w": round(power_w * 0.97, 1),
                    "cause": cause,
                    "begins_s": now_s - 37 * i - 600,
                    "ends_s": now_s - 37 * i - 5 if kind in ("stop", "expiry") else None,
                    "partner": f"{self.places()[-1]}.pv_roof" if role == "contract" else "",
                    "partners": 2 if i % 4 == 1 else 1,
                    "complementary": i % 11 == 3,
                    "origin": None,
                    "contract": 4711 + i if role == "contract" else None,
                    "revision": 1 + i % 3 if role == "contract" else None,
                }
            )
        rows = [
            each
            for each in rows
            if (not query.get("twin") or each["twin"] == query["twin"])
            and (not query.get("kind") or each["kind"] == query["kind"])
        ]
        page = rows[skip : skip + limit]
        return {"events": page, "next": str(skip + limit) if skip + limit < len(rows) else None}


def minute_of(text: str) -> int:
    """The minute since 1970 of a time as text."""
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() // 60)
