"""What AMQP 1.0 peers say to each other, as the specification writes it (OASIS AMQP 1.0, parts 2, 3 and 5)."""

from typing import Annotated, NamedTuple

from localcloud.servicebus.composites import (
    Binary,
    Boolean,
    Map,
    MessageId,
    Name,
    Names,
    String,
    Time,
    UByte,
    UInt,
    UInt64,
    UShort,
    composite,
    one_of,
)


@composite(0x1D)
class Error(NamedTuple):
    condition: Name
    description: String | None = None
    info: Map | None = None


Problem = Annotated[Error, one_of(Error)]


@composite(0x24)
class Accepted(NamedTuple):
    pass


@composite(0x25)
class Rejected(NamedTuple):
    error: Problem | None = None


@composite(0x26)
class Released(NamedTuple):
    pass


@composite(0x27)
class Modified(NamedTuple):
    delivery_failed: Boolean = False
    undeliverable_here: Boolean = False
    message_annotations: Map | None = None


Outcome = Accepted | Rejected | Released | Modified
State = Annotated[Outcome, one_of(Accepted, Rejected, Released, Modified)]


@composite(0x28)
class Source(NamedTuple):
    address: String | None = None
    durable: UInt = 0
    expiry_policy: Name = "session-end"
    timeout: UInt = 0
    dynamic: Boolean = False
    dynamic_node_properties: Map | None = None
    distribution_mode: Name | None = None
    filter: Map | None = None
    default_outcome: State | None = None
    outcomes: Names | None = None
    capabilities: Names | None = None


@composite(0x29)
class Target(NamedTuple):
    address: String | None = None
    durable: UInt = 0
    expiry_policy: Name = "session-end"
    timeout: UInt = 0
    dynamic: Boolean = False
    dynamic_node_properties: Map | None = None
    capabilities: Names | None = None


@composite(0x10)
class Open(NamedTuple):
    container_id: String
    hostname: String | None = None
    max_frame_size: UInt = 0xFFFFFFFF
    channel_max: UShort = 0xFFFF
    idle_time_out: UInt | None = None
    outgoing_locales: Names | None = None
    incoming_locales: Names | None = None
    offered_capabilities: Names | None = None
    desired_capabilities: Names | None = None
    properties: Map | None = None


@composite(0x11)
class Begin(NamedTuple):
    remote_channel: UShort | None
    next_outgoing_id: UInt
    incoming_window: UInt
    outgoing_window: UInt
    handle_max: UInt = 0xFFFFFFFF
    offered_capabilities: Names | None = None
    desired_capabilities: Names | None = None
    properties: Map | None = None


@composite(0x12)
class Attach(NamedTuple):
    name: String
    handle: UInt
    role: Boolean  # True: the peer that says this receives
    snd_settle_mode: UByte = 2
    rcv_settle_mode: UByte = 0
    source: Annotated[Source, one_of(Source)] | None = None
    target: Annotated[Target, one_of(Target)] | None = None
    unsettled: Map | None = None
    incomplete_unsettled: Boolean = False
    initial_delivery_count: UInt | None = None
    max_message_size: UInt64 | None = None
    offered_capabilities: Names | None = None
    desired_capabilities: Names | None = None
    properties: Map | None = None


@composite(0x13)
class Flow(NamedTuple):
    next_incoming_id: UInt | None
    incoming_window: UInt
    next_outgoing_id: UInt
    outgoing_window: UInt
    handle: UInt | None = None
    delivery_count: UInt | None = None
    link_credit: UInt | None = None
    available: UInt | None = None
    drain: Boolean = False
    echo: Boolean = False
    properties: Map | None = None


@composite(0x14)
class Transfer(NamedTuple):
    handle: UInt
    delivery_id: UInt | None = None
    delivery_tag: Binary | None = None
    message_format: UInt | None = None
    settled: Boolean | None = None
    more: Boolean = False
    rcv_settle_mode: UByte | None = None
    state: State | None = None
    resume: Boolean = False
    aborted: Boolean = False
    batchable: Boolean = False


@composite(0x15)
class Disposition(NamedTuple):
    role: Boolean  # True: the receiver of the deliveries says this
    first: UInt
    last: UInt | None = None
    settled: Boolean = False
    state: State | None = None
    batchable: Boolean = False


@composite(0x16)
class Detach(NamedTuple):
    handle: UInt
    closed: Boolean = False
    error: Problem | None = None


@composite(0x17)
class End(NamedTuple):
    error: Problem | None = None


@composite(0x18)
class Close(NamedTuple):
    error: Problem | None = None


@composite(0x40)
class SaslMechanisms(NamedTuple):
    sasl_server_mechanisms: Names


@composite(0x41)
class SaslInit(NamedTuple):
    mechanism: Name
    initial_response: Binary | None = None
    hostname: String | None = None


@composite(0x44)
class SaslOutcome(NamedTuple):
    code: UByte
    additional_data: Binary | None = None


@composite(0x70)
class Header(NamedTuple):
    durable: Boolean = False
    priority: UByte = 4
    ttl: UInt | None = None  # milliseconds
    first_acquirer: Boolean = False
    delivery_count: UInt = 0


@composite(0x73)
class Properties(NamedTuple):
    message_id: MessageId | None = None
    user_id: Binary | None = None
    to: String | None = None
    subject: String | None = None
    reply_to: String | None = None
    correlation_id: MessageId | None = None
    content_type: Name | None = None
    content_encoding: Name | None = None
    absolute_expiry_time: Time | None = None
    creation_time: Time | None = None
    group_id: String | None = None
    group_sequence: UInt | None = None
    reply_to_group_id: String | None = None
