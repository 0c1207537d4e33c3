"""The bus: subjects, work queues and leases over NATS.

Work goes through JetStream work queues, `Bus.submit` to `LeaseWorker`; audio, events and control go over
core NATS on the call's own subjects, `Bus.publish` to `Bus.subscribe`.
"""

from dialtone.bus.connection import Bus, Message, Subscription
from dialtone.bus.errors import (
    BusError,
    BusUnavailable,
    HandBack,
    NoResponders,
    Overloaded,
    PayloadTooLarge,
    WorkError,
)
from dialtone.bus.exhausted import ExhaustedWork
from dialtone.bus.lease import Handler, Lease
from dialtone.bus.subjects import (
    Stage,
    alive_subject,
    audio_subject,
    control_subject,
    events_subject,
    offers_subject,
    work_subject,
)
from dialtone.bus.worker import LeaseWorker
from dialtone.settings import BusSettings

__all__ = [
    "Bus",
    "BusError",
    "BusSettings",
    "BusUnavailable",
    "ExhaustedWork",
    "HandBack",
    "Handler",
    "Lease",
    "LeaseWorker",
    "Message",
    "NoResponders",
    "Overloaded",
    "PayloadTooLarge",
    "Stage",
    "Subscription",
    "WorkError",
    "alive_subject",
    "audio_subject",
    "control_subject",
    "events_subject",
    "offers_subject",
    "work_subject",
]
