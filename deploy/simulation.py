"""The store second by second: orders come, work waits, and replicas follow the shipped rules.

Whatever waits, waits for a processor; the database, Event Grid and Service Bus are taken to keep up (their
limits are a table of their own in docs/scaling.md).
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from deploy.scaling import BASE, SYNC_SECONDS, Look, Rule, decide, remembered, shipped

APPS = ("orders", "functions", "customers", "catalog")
PLATFORMS = ("Container Apps", "Kubernetes")
RULES = {"azure-servicebus": "queue", "http": "requests", "cpu": "processor"}
GIB = {"Mi": 1 / 1024, "Gi": 1.0}

Rate = Callable[[int], float]  # orders in that second


@dataclass(frozen=True, slots=True)
class Work:
    """A step of an order's way, and what follows from it."""

    app: str
    figure: str  # which says what it costs
    queued: bool  # or it is a request
    then: tuple[str, ...] = ()


WAY = {
    "place": Work("orders", "cpu_ms_place", queued=False, then=("examine", "look up")),
    "look up": Work("customers", "cpu_ms_lookup", queued=False),
    "examine": Work("functions", "cpu_ms_examine", queued=False, then=("reserve",)),
    "reserve": Work("catalog", "cpu_ms_catalog_message", queued=True, then=("ask for payment",)),
    "ask for payment": Work("orders", "cpu_ms_orders_message", queued=True, then=("authorise",)),
    "authorise": Work("functions", "cpu_ms_call", queued=False, then=("confirm",)),
    "confirm": Work("orders", "cpu_ms_orders_message", queued=True, then=("sell", "notify", "find address", "capture")),
    "sell": Work("catalog", "cpu_ms_catalog_message", queued=True),
    "notify": Work("functions", "cpu_ms_call", queued=False),
    "find address": Work("customers", "cpu_ms_address", queued=False),
    "capture": Work("functions", "cpu_ms_call", queued=False, then=("note payment",)),
    "note payment": Work("orders", "cpu_ms_orders_message", queued=True),
}


@dataclass(slots=True)
class Line:
    """What waits, the oldest first, as (the second when it came, how much)."""

    waiting: deque[list[float]] = field(default_factory=deque)
    total: float = 0.0

    def add(self, at: int, count: float) -> None:
        if count:
            self.waiting.append([at, count])
            self.total += count

    def take(self, most: float) -> float:
        taken = 0.0
        while self.waiting and taken < most:
            step = min(self.waiting[0][1], most - taken)
            taken += step
            self.waiting[0][1] -= step
            if self.waiting[0][1] <= 1e-9:
                self.waiting.popleft()
        self.total = max(0.0, self.total - taken) if self.waiting else 0.0
        return taken

    def age(self, at: int) -> float:
        return at - self.waiting[0][0] if self.waiting else 0.0


@dataclass(slots=True)
class Scaler:
    """One rule of an app, with what it remembers."""

    rule: Rule
    history: list[Look] = field(default_factory=list)

    def look(self, at: int, backlog: float, replicas: int) -> int:
        wanted = decide(self.rule, backlog, replicas, self.history, at)
        self.history = [*remembered(self.rule, self.history, at), Look(at, backlog, replicas)]
        return wanted


@dataclass(slots=True)
class App:
    cores: float  # of a replica
    gib: float
    scalers: Mapping[str, Scaler]
    lines: Mapping[str, Line]
    replicas: int = 1
    due: float = 0.0
    starting: deque[tuple[float, int]] = field(default_factory=deque)
    came: deque[float] = field(default_factory=lambda: deque(maxlen=int(SYNC_SECONDS)))  # requests, by second
    busy: deque[float] = field(default_factory=lambda: deque(maxlen=int(SYNC_SECONDS)))  # processors, by second

    @classmethod
    def shipped(cls, name: str, platform: str) -> "App":
        scaled, deployment = shipped(name), shipped(name, "Deployment")
        asked = deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]
        lines = {step: Line() for step, work in WAY.items() if work.app == name}
        read = {"queue": Rule.of_queue, "requests": Rule.of_requests, "processor": Rule.of_processor}
        scalers = {rule: Scaler(read[rule](scaled)) for rule in scales_on(name, platform)}
        return cls(_cores(asked["cpu"]), _gib(asked["memory"]), scalers, lines)

    def measured(self, done: Mapping[str, float], figures: Mapping[str, float]) -> dict[str, float]:
        """What each rule is told. In a queue is what is left over, and what is just in hand."""
        queued = [step for step in self.lines if WAY[step].queued]
        return {
            "queue": sum(self.lines[step].total + done[step] * figures["hand_seconds"] for step in queued),
            "requests": sum(self.came) / SYNC_SECONDS,
            "processor": sum(self.busy) / len(self.busy),
        }

    def scale(self, at: int, measured: Mapping[str, float], start_seconds: float) -> None:
        """To what the rule that wants most says, as HPA does."""
        if at < self.due:
            return
        wanted = max(scaler.look(at, measured[name], self.replicas) for name, scaler in self.scalers.items())
        if wanted > self.replicas:
            self.starting.append((at + start_seconds, wanted - self.replicas))
        self.replicas, self.due = wanted, at + SYNC_SECONDS

    def ready(self, at: int) -> int:
        while self.starting and self.starting[0][0] <= at:
            self.starting.popleft()
        return max(0, self.replicas - sum(count for _, count in self.starting))

    def work(self, at: int, figures: Mapping[str, float]) -> dict[str, float]:
        """What of each step was done in this second. The steps share the processor evenly, as tasks of one loop do."""
        of_each = self.cores * figures["utilisation"] - figures["cores_at_rest"]
        left = whole = self.ready(at) * of_each
        costs = {step: figures[WAY[step].figure] / 1000 for step in self.lines}
        done: dict[str, float] = {}
        for number, step in enumerate(sorted(self.lines, key=lambda step: self.lines[step].total * costs[step])):
            done[step] = self.lines[step].take(left / (len(self.lines) - number) / costs[step])
            left -= done[step] * costs[step]
        self.busy.append((whole - left) / of_each)
        return done


def scales_on(name: str, platform: str) -> list[str]:
    """The rules of an app there: Container Apps can count requests, Kubernetes' KEDA cannot."""
    if platform == "Kubernetes":
        return [RULES[each["type"]] for each in shipped(name)["spec"]["triggers"]]
    rendered = yaml.safe_load((BASE.parent / f"aca/{name}.yaml").read_text())
    by_itself: list[dict[str, Any]] = [{"http": {}}]  # what Container Apps finds out about a function app
    rules = rendered["properties"]["template"]["scale"].get("rules", by_itself)
    return [RULES[each["custom"]["type"] if "custom" in each else "http"] for each in rules]


@dataclass(frozen=True, slots=True)
class Second:
    replicas: dict[str, int]
    backlog: dict[str, float]  # left over, messages and requests
    age: float  # of the oldest of it
    placed: float
    settled: float


@dataclass(slots=True)
class Simulation:
    rate: Rate
    figures: Mapping[str, float]
    apps: Mapping[str, App]

    @classmethod
    def on(cls, platform: str, rate: Rate, figures: Mapping[str, float]) -> "Simulation":
        return cls(rate, figures, {name: App.shipped(name, platform) for name in APPS})

    def run(self, seconds: int) -> list[Second]:
        return [self._second(at) for at in range(seconds)]

    def _second(self, at: int) -> Second:
        orders = self.rate(at)
        self._add(at, "place", orders)
        done: dict[str, float] = {}
        for app in self.apps.values():
            now = app.work(at, self.figures)
            app.scale(at, app.measured(now, self.figures), self.figures["start_seconds"])
            app.came.append(0.0)
            done |= now
        found = Second(
            replicas={name: app.replicas for name, app in self.apps.items()},
            backlog={name: sum(line.total for line in app.lines.values()) for name, app in self.apps.items()},
            age=max(line.age(at) for app in self.apps.values() for line in app.lines.values()),
            placed=orders,
            settled=done["confirm"],
        )
        for step, count in done.items():
            for follows in WAY[step].then:
                self._add(at, follows, count)  # to be done from the next second on
        return found

    def _add(self, at: int, step: str, count: float) -> None:
        app = self.apps[WAY[step].app]
        app.lines[step].add(at, count)
        if not WAY[step].queued and app.came:
            app.came[-1] += count


def waited(seconds: Iterable[Second], share: float) -> float:
    """How long that share of the orders took at most until they were settled; in the order in which they came."""
    placed: deque[list[float]] = deque()
    took: list[tuple[float, float]] = []
    for at, second in enumerate(seconds):
        if second.placed:
            placed.append([at, second.placed])
        left = second.settled
        while placed and left > 1e-9:
            step = min(placed[0][1], left)
            took.append((at - placed[0][0], step))
            left -= step
            placed[0][1] -= step
            if placed[0][1] <= 1e-9:
                placed.popleft()
    return _quantile(sorted(took), share)


def _quantile(counted: list[tuple[float, float]], share: float) -> float:
    left = share * sum(count for _, count in counted)
    for value, count in counted:
        left -= count
        if left <= 1e-9:
            return value
    return 0.0


def _cores(text: Any) -> float:
    return float(text[:-1]) / 1000 if str(text).endswith("m") else float(text)


def _gib(text: str) -> float:
    return float(text[:-2]) * GIB[text[-2:]]
