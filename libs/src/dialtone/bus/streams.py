"""Work queues: a JetStream stream per stage, a subject and a durable pull consumer per pool.

A message leaves its stream when it is acknowledged. A pool that is full refuses new work rather than
forgetting old work, and a delivery that is not kept alive within the ack wait goes to another worker.
"""

from typing import NoReturn

import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import APIError, NoStreamResponseError

from dialtone.bus.errors import BusError, BusUnavailable, Overloaded, PayloadTooLarge
from dialtone.bus.subjects import Stage, consumer_name, stream_name, work_subject
from dialtone.settings import BusSettings
from dialtone.v1.work_pb2 import Work

_TIMEOUT_S = 2.0
_DUPLICATE_WINDOW_S = 60.0
_MAX_WAITING = 4096  # pulls that may wait at once, of all the workers of a pool
_STREAM_NAME_IN_USE = 10058  # with another configuration
_FULL = {10077, 10047, 10023}  # limits of the stream; memory; storage


class NoStream(BusUnavailable):
    """The broker has no stream for this subject."""


async def ensure(nc: Client, settings: BusSettings, stage: Stage, pool: str) -> None:
    """Create or update the stream of `stage` and the consumer of `pool`."""
    await _ensure_stream(nc, settings, stage)
    await ensure_consumer(nc, settings, stage, pool)


async def _ensure_stream(nc: Client, settings: BusSettings, stage: Stage) -> None:
    js = JetStreamContext(nc, timeout=_TIMEOUT_S)
    stream = StreamConfig(
        name=stream_name(stage),
        subjects=[f"work.{stage}.*"],
        retention=RetentionPolicy.WORK_QUEUE,
        storage=StorageType(settings.work_storage),
        num_replicas=settings.work_replicas,
        # By pool, so that a flooded pool leaves room for the others.
        max_msgs_per_subject=settings.work_max_msgs,
        discard=DiscardPolicy.NEW,
        discard_new_per_subject=True,
        max_age=settings.work_max_age_s,
        duplicate_window=min(_DUPLICATE_WINDOW_S, settings.work_max_age_s),
    )
    try:
        try:
            await js.add_stream(stream)
        except APIError as error:
            if error.err_code != _STREAM_NAME_IN_USE:
                raise
            await js.update_stream(stream)
    except (nats.errors.Error, APIError) as error:
        _raise(error)


async def ensure_consumer(nc: Client, settings: BusSettings, stage: Stage, pool: str) -> None:
    """Create or update the consumer of `pool` in a stream that is there."""
    js = JetStreamContext(nc, timeout=_TIMEOUT_S)
    consumer = ConsumerConfig(
        name=consumer_name(stage, pool),
        durable_name=consumer_name(stage, pool),
        filter_subject=work_subject(stage, pool),
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=settings.lease_ack_wait_s,
        max_deliver=settings.work_max_deliver,
        max_ack_pending=-1,
        max_waiting=_MAX_WAITING,
    )
    try:
        await js.add_consumer(stream_name(stage), consumer)
    except (nats.errors.Error, APIError) as error:
        _raise(error)


async def submit(nc: Client, stage: Stage, pool: str, work: Work) -> None:
    """Publish `work` and wait for the broker's word that it is stored."""
    js = JetStreamContext(nc, timeout=_TIMEOUT_S)
    try:
        await js.publish(
            work_subject(stage, pool),
            work.SerializeToString(),
            stream=stream_name(stage),
            headers={"Nats-Msg-Id": f"{work.lease_id}:{work.attempt_base}"},
        )
    except (nats.errors.Error, APIError) as error:
        _raise(error)


def _raise(error: Exception) -> NoReturn:
    translated: BusError
    if isinstance(error, NoStreamResponseError):
        translated = NoStream("the broker has no such work queue")
    elif isinstance(error, APIError) and error.err_code in _FULL:
        translated = Overloaded(error.description or "the work queue is full")
    elif isinstance(error, nats.errors.MaxPayloadError):
        translated = PayloadTooLarge(str(error))
    else:
        translated = BusUnavailable(str(error) or repr(error))
    raise translated from error
