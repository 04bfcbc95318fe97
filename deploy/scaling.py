"""How many replicas there shall be: what KEDA, Kubernetes' HPA and Container Apps decide, as a pure function.

Sources, read 2026-11; each number says which of them it is from:
KEDA   https://keda.sh/docs/latest/reference/scaledobject-spec/, …/concepts/scaling-deployments/ and
       …/scalers/azure-service-bus/; how it scales to and from zero: pkg/scaling/executor/scale_scaledobjects.go
HPA    https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/; its arithmetic:
       kubernetes/pkg/controller/podautoscaler/{horizontal,replica_calculator}.go
ACA    https://learn.microsoft.com/azure/container-apps/scale-app, "Scale behavior": the same defaults, but it gives
       the steps up as 1, 4, 8, 16, 32 where HPA's policy comes to 1, 5, 10, 20, 40
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

BASE = Path(__file__).parent / "k8s/base"
SYNC_SECONDS = 15.0  # HPA: how often it decides (--horizontal-pod-autoscaler-sync-period); between 1 and N
UP_PERIOD_SECONDS = 15.0  # HPA: default behavior, scaleUp.policies
UP_SHARE = 1.0  # HPA: the same, 100 percent …
UP_PODS = 4  # HPA: … or 4 pods, whichever is more
DOWN_WINDOW_SECONDS = 300.0  # HPA, ACA: stabilizationWindowSeconds of scaleDown; of scaleUp it is 0
TOLERANCE = 0.1  # HPA: --horizontal-pod-autoscaler-tolerance

MESSAGES = 5  # KEDA: messageCount of azure-servicebus, where the document says nothing
LEAST, MOST = 0, 100  # KEDA: minReplicaCount, maxReplicaCount
POLLING_SECONDS, COOLDOWN_SECONDS = 30.0, 300.0  # KEDA, ACA: pollingInterval, cooldownPeriod
NOT_MODELLED = ("advanced", "idleReplicaCount", "initialCooldownPeriod")  # would change what is decided


class NotModelled(Exception):
    """The document asks for something that `decide` knows nothing of; the text says what."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How many a backlog is given, be it messages or requests."""

    messages: float  # that one replica shall have to itself
    activation: float = 0.0
    least: int = LEAST
    most: int = MOST
    polling_seconds: float = POLLING_SECONDS
    cooldown_seconds: float = COOLDOWN_SECONDS

    @classmethod
    def of_queue(cls, scaled_object: Mapping[str, Any]) -> "Rule":
        """Of a KEDA ScaledObject, its first trigger on a Service Bus queue. Raises NotModelled."""
        spec = scaled_object["spec"]
        if strange := [name for name in NOT_MODELLED if name in spec]:
            raise NotModelled(f"{scaled_object['metadata']['name']} sets {', '.join(strange)}")
        told = next((each["metadata"] for each in spec["triggers"] if each["type"] == "azure-servicebus"), None)
        if told is None:
            raise NotModelled(f"{scaled_object['metadata']['name']} has no azure-servicebus trigger")
        return cls(
            messages=float(told.get("messageCount", MESSAGES)),
            activation=float(told.get("activationMessageCount", 0)),
            least=spec.get("minReplicaCount", LEAST),
            most=spec.get("maxReplicaCount", MOST),
            polling_seconds=spec.get("pollingInterval", POLLING_SECONDS),
            cooldown_seconds=spec.get("cooldownPeriod", COOLDOWN_SECONDS),
        )

    @classmethod
    def of_requests(cls, scaled_object: Mapping[str, Any]) -> "Rule":
        """Of the same, as Container Apps' rule `http`: its backlog are the requests of the last 15 s, divided by 15."""
        spec = scaled_object["spec"]
        at_once = float(scaled_object["metadata"]["annotations"]["store/concurrent-requests"])
        return cls(at_once, least=spec.get("minReplicaCount", LEAST), most=spec.get("maxReplicaCount", MOST))

    @classmethod
    def of_processor(cls, scaled_object: Mapping[str, Any]) -> "Rule":
        """Of the same, its trigger `cpu`, which HPA itself knows: its backlog are the processors that are busy."""
        spec = scaled_object["spec"]
        told = next(each["metadata"] for each in spec["triggers"] if each["type"] == "cpu")
        share = float(told["value"]) / 100  # ceil(busy processors / share) is HPA's ceil(replicas * now / target)
        return cls(share, least=spec.get("minReplicaCount", LEAST), most=spec.get("maxReplicaCount", MOST))


@dataclass(frozen=True, slots=True)
class Look:
    """What was found at a time, before anything was decided. Times are in seconds, from wherever."""

    at: float
    backlog: float
    replicas: int


def shipped(deployable: str, kind: str = "ScaledObject") -> Mapping[str, Any]:
    """From deploy/k8s/base. Raises LookupError."""
    for path in sorted((BASE / deployable).glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            if document and document.get("kind") == kind:
                return dict(document)
    raise LookupError(f"no {kind} in {BASE / deployable}")


def decide(rule: Rule, backlog: float, replicas: int, history: Sequence[Look], at: float) -> int:
    """`history` are the looks before this one, the oldest first, at least those that `remembered` keeps."""
    if rule.least == 0:
        active = backlog > rule.activation  # KEDA: strictly; and it goes before what HPA would like
        if not active and (replicas == 0 or _cool(rule, history, at)):
            return 0
    if replicas == 0:
        return _within(rule, 1)  # KEDA wakes it with one, the rest is HPA's
    wanted = _wanted(rule, backlog, replicas)
    if wanted > replicas:
        return _within(rule, min(wanted, _highest(replicas, history, at)))
    lately = (_wanted(rule, look.backlog, look.replicas) for look in history if look.at > at - DOWN_WINDOW_SECONDS)
    return _within(rule, min(replicas, max(wanted, *lately, 0)))


def pause(rule: Rule, replicas: int) -> float:
    """Until it is decided anew: KEDA polls for what sleeps, HPA asks for what runs."""
    return SYNC_SECONDS if replicas else rule.polling_seconds


def remembered(rule: Rule, history: Sequence[Look], at: float) -> list[Look]:
    """What may still matter at that time or later."""
    oldest = at - max(DOWN_WINDOW_SECONDS, rule.cooldown_seconds) - SYNC_SECONDS
    return [look for look in history if look.at >= oldest]


def _wanted(rule: Rule, backlog: float, replicas: int) -> int:
    """HPA, for a metric with an AverageValue, which is what KEDA gives it."""
    if replicas and 1 - TOLERANCE <= backlog / (rule.messages * replicas) <= 1 + TOLERANCE:
        return replicas
    return math.ceil(backlog / rule.messages)


def _highest(replicas: int, history: Sequence[Look], at: float) -> int:
    """HPA, its policies of scaleUp with selectPolicy Max: from what there was when the period began."""
    began = next((look.replicas for look in history if look.at > at - UP_PERIOD_SECONDS), replicas)
    return max(replicas, began + UP_PODS, math.ceil(began * (1 + UP_SHARE)))


def _cool(rule: Rule, history: Sequence[Look], at: float) -> bool:
    """KEDA: the last time it was active is longer ago than the cooldown; never counts, too."""
    return not any(look.backlog > rule.activation for look in history if look.at >= at - rule.cooldown_seconds)


def _within(rule: Rule, replicas: int) -> int:
    return max(rule.least, 1, min(replicas, rule.most))
