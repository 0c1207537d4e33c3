"""The pods of one deployment, and the work that waits for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

NODE_S = 120.0
"""From a pod that fits no node to a new node that takes it; what cloud providers take, not measured here."""
NODE_KEPT_S = 600.0
"""An empty node goes after this (cluster-autoscaler --scale-down-unneeded-time)."""
_SPREAD = 2  # nodes at least, where there are so many pods
LEASE_S = 1.0
"""After which the work of a pod that is gone is delivered again (the bus's ack wait)."""

Alarm = Callable[[float], None]


def _nothing(_now: float) -> None:
    return


@dataclass(slots=True, eq=False)
class Work:
    """One piece: `takes_s` in a slot, or until `until_s` (a leg, which ends with its call)."""

    takes_s: float = 0.0
    until_s: float = 0.0
    on_begin: Alarm = _nothing
    """Called when it begins for the first time."""
    on_refused: Alarm = _nothing
    """Called when nobody took it in time."""
    pod: Pod | None = None
    queued_s: float | None = None
    """Since when it waits; None: it does not."""
    begun: int = 0
    """How often: more than once if it was handed over."""


@dataclass(slots=True, eq=False)
class Pod:
    """It takes work from `ready_s` until it is asked to leave; then it ends with its work."""

    ready_s: float
    node: int
    leaving: bool = False
    gone: bool = False
    work: dict[Work, None] = field(default_factory=dict)


@dataclass(slots=True)
class Shape:
    """What a deployment is made of."""

    name: str
    slots: int
    start_s: float
    pods_per_node: int
    claim_s: float  # work that nobody takes in this time is refused
    cores: float = 1.0  # of a pod


@dataclass(slots=True)
class Count:
    """Pieces of work. At any time asked = finished + refused + given up + waiting + in progress."""

    asked: int = 0
    begun: int = 0  # a piece that was handed over, each time
    finished: int = 0
    handed_over: int = 0  # by pods that left or were lost
    refused: int = 0
    given_up: int = 0  # because the call was over, waiting or in progress


class Fleet:
    """One deployment on its nodes. The clock is the caller's: `at(when, call)` sets an alarm."""

    def __init__(self, shape: Shape, pods: int, at: Callable[[float, Alarm], None]) -> None:
        self.shape = shape
        self._at = at
        self._queue: deque[Work] = deque()
        self._nodes: dict[int, float] = {}  # node -> empty since; -1: in use
        self.pods: list[Pod] = []
        self.waiting = 0
        self.waits_s: list[float] = []
        self.count = Count()
        for _ in range(pods):
            self._add(0.0, ready_s=0.0)

    # --- load

    @property
    def in_progress(self) -> int:
        """Pieces of work in slots."""
        return sum(len(pod.work) for pod in self.pods)

    @property
    def load(self) -> int:
        """What waits and what is in progress: pending and unacknowledged messages."""
        return self.waiting + self.in_progress

    @property
    def wanted(self) -> int:
        """Pods that are not leaving."""
        return sum(not pod.leaving for pod in self.pods)

    def ready(self, now: float) -> int:
        """Pods that take work."""
        return sum(not pod.leaving and pod.ready_s <= now for pod in self.pods)

    def has_room(self, now: float) -> bool:
        """Whether work would begin at once."""
        return self._free_pod(now) is not None

    def ask(self, now: float, work: Work) -> None:
        """Queue work."""
        self.count.asked += 1
        self._queue.append(work)
        self._wait(now, [work])

    def give_up(self, now: float, work: Work) -> None:
        """Its call is over before its time. Nothing, if it is done or was refused."""
        if work.queued_s is not None:
            self.count.given_up += 1
            self._wait_no_more(work)
        elif work.pod is not None:
            self.count.given_up += 1
            self._leave_slot(now, work)

    def _wait(self, now: float, works: list[Work]) -> None:
        """These are in the queue now; what nobody takes in time is refused."""
        self.waiting += len(works)
        for work in works:
            if work.queued_s is None:
                work.queued_s = now
        self._deal(now)
        for work in works:
            if work.queued_s is not None:
                self._at(now + self.shape.claim_s, partial(self._refuse, work, work.queued_s))

    def _wait_no_more(self, work: Work) -> None:
        work.queued_s = None  # it stays in the queue, where nobody looks at it any more
        self.waiting -= 1

    def _refuse(self, work: Work, queued_s: float, now: float) -> None:
        if work.queued_s == queued_s:
            self._wait_no_more(work)
            self.count.refused += 1
            work.on_refused(now)

    def _free_pod(self, now: float) -> Pod | None:
        """The one with the least to do. A day asks a million times."""
        least, found = self.shape.slots, None
        for pod in self.pods:
            if len(pod.work) < least and not pod.leaving and pod.ready_s <= now:
                least, found = len(pod.work), pod
                if not least:
                    break
        return found

    def _deal(self, now: float) -> None:
        while self._queue:
            if self._queue[0].queued_s is None:
                self._queue.popleft()
                continue
            pod = self._free_pod(now)
            if pod is None:
                return
            self._begin(now, pod, self._queue.popleft())

    def _begin(self, now: float, pod: Pod, work: Work) -> None:
        assert work.queued_s is not None
        self.waits_s.append(now - work.queued_s)
        self._wait_no_more(work)
        pod.work[work] = None
        work.pod = pod
        work.begun += 1
        self.count.begun += 1
        attempt = work.begun

        def end(at_s: float) -> None:
            if work.pod is pod and work.begun == attempt:  # else it is done elsewhere, or its call is over
                self.count.finished += 1
                self._leave_slot(at_s, work)

        self._at(max(now, work.until_s) + work.takes_s, end)
        if attempt == 1:
            work.on_begin(now)

    def _leave_slot(self, now: float, work: Work) -> None:
        pod, work.pod = work.pod, None
        assert pod is not None
        del pod.work[work]
        self._leave_if_done(now, pod)
        self._deal(now)

    # --- pods come and go

    def scale(self, now: float, pods: int) -> None:
        """Have so many. Those that leave finish what they do, and hand legs to others."""
        while self.wanted < pods:
            self._add(now)
        # Kubernetes takes those first that are not ready, then the youngest.
        staying = sorted((pod for pod in self.pods if not pod.leaving), key=lambda pod: -pod.ready_s)
        for pod in staying[: max(0, self.wanted - pods)]:
            pod.leaving = True
            self._hand_over(now, [work for work in pod.work if work.until_s], now)
            self._leave_if_done(now, pod)
        self._deal(now)

    def lose_node(self, now: float) -> int:
        """The fullest node is gone, with its pods; how many these were. Its deployment replaces them."""
        if not self.pods:
            return 0
        nodes = [pod.node for pod in self.pods]
        node = max(set(nodes), key=nodes.count)
        lost = [pod for pod in self.pods if pod.node == node]
        replaced = sum(not pod.leaving for pod in lost)
        del self._nodes[node]
        for pod in lost:
            pod.leaving = pod.gone = True
            self.pods.remove(pod)
            self._hand_over(now, list(pod.work), now + LEASE_S)
        for _ in range(replaced):
            self._add(now)
        return len(lost)

    def drop_empty_nodes(self, now: float) -> None:
        """Give nodes back that have been empty for a while."""
        for node, empty_s in list(self._nodes.items()):
            if empty_s >= 0 and now - empty_s > NODE_KEPT_S:
                del self._nodes[node]

    def _hand_over(self, now: float, works: list[Work], again_s: float) -> None:
        for work in works:
            assert work.pod is not None
            del work.pod.work[work]
            work.pod = None
            work.queued_s = now  # it waits from now on, though nobody is offered it before `again_s`
        self.count.handed_over += len(works)
        self.waiting += len(works)

        def requeue(at_s: float) -> None:
            still = [work for work in works if work.queued_s == now]
            self._queue.extendleft(reversed(still))
            self.waiting -= len(still)
            self._wait(at_s, still)

        if again_s > now:
            self._at(again_s, requeue)
        else:
            requeue(now)

    def _leave_if_done(self, now: float, pod: Pod) -> None:
        if pod.leaving and not pod.work and not pod.gone:
            pod.gone = True
            self.pods.remove(pod)
            if not any(other.node == pod.node for other in self.pods):
                self._nodes[pod.node] = now

    def _add(self, now: float, ready_s: float | None = None) -> None:
        node = self._node_with_room()
        starts_s = now
        if node is None:
            node = max(self._nodes, default=0) + 1
            starts_s += NODE_S
        self._nodes[node] = -1.0
        pod = Pod(starts_s + self.shape.start_s if ready_s is None else ready_s, node)
        self.pods.append(pod)
        self._at(pod.ready_s, self._deal)

    def _node_with_room(self) -> int | None:
        """The emptiest one that has room; there are two at least, for pods are spread over hosts."""
        counts = dict.fromkeys(self._nodes, 0)
        for pod in self.pods:
            counts[pod.node] += 1
        node = min(counts, key=counts.__getitem__, default=None)
        if node is None or (len(counts) < _SPREAD and counts[node]):
            return None
        return node if counts[node] < self.shape.pods_per_node else None
