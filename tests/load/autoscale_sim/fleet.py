"""The pods of one deployment, and the work that waits for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

NODE_S = 120.0
"""From a pod that fits no node to a new node that takes it; what cloud providers take, not measured here."""
NODE_KEPT_S = 600.0
"""An empty node goes after this (cluster-autoscaler --scale-down-unneeded-time)."""
_SPREAD = 2  # nodes at least, where there are so many pods
LEASE_S = 1.0
"""After which the work of a pod that is gone is delivered again (the bus's ack wait)."""


@dataclass(slots=True)
class Work:
    """One piece: `takes_s` in a slot, or until `until_s` (a leg, which ends with its call); then `done`."""

    asked_s: float
    done: Callable[[float], None]
    takes_s: float = 0.0
    until_s: float = 0.0
    waited_s: float | None = None
    refused: bool = False


@dataclass(slots=True)
class Pod:
    """It takes work from `ready_s` until it is asked to leave; then it ends with its work."""

    ready_s: float
    node: int
    leaving: bool = False
    gone: bool = False
    work: dict[int, Work] = field(default_factory=dict)


@dataclass(slots=True)
class Shape:
    """What a deployment is made of."""

    name: str
    slots: int
    start_s: float
    pods_per_node: int
    claim_s: float  # work that nobody takes in this time is refused


class Fleet:
    """One deployment on its nodes. The clock is the caller's: `at(when, call)` sets an alarm."""

    def __init__(self, shape: Shape, pods: int, at: Callable[[float, Callable[[float], None]], None]) -> None:
        self.shape = shape
        self._at = at
        self._numbers = 0
        self._queue: deque[Work] = deque()
        self._nodes: dict[int, float] = {}  # node -> empty since; -1: in use
        self.pods: list[Pod] = []
        self._waiting = 0
        self.waits_s: list[float] = []
        self.refused = 0
        for _ in range(pods):
            self._add(0.0, ready_s=0.0)

    # --- load

    @property
    def load(self) -> int:
        """What waits and what is in progress: pending and unacknowledged messages."""
        return self._waiting + sum(len(pod.work) for pod in self.pods)

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
        self._queue.append(work)
        self._waiting += 1
        self._deal(now)
        if work.waited_s is None:
            self._at(now + self.shape.claim_s, lambda _now: self._refuse(work))

    def _refuse(self, work: Work) -> None:
        if work.waited_s is None:  # it stays in the queue, where nobody looks at it any more
            work.refused = True
            self.refused += 1
            self._waiting -= 1

    def _free_pod(self, now: float) -> Pod | None:
        able = (p for p in self.pods if not p.leaving and p.ready_s <= now and len(p.work) < self.shape.slots)
        return min(able, key=lambda pod: len(pod.work), default=None)

    def _deal(self, now: float) -> None:
        while self._queue and (pod := self._free_pod(now)) is not None:
            work = self._queue.popleft()
            if work.refused:
                continue
            self._waiting -= 1
            if work.waited_s is None:
                work.waited_s = now - work.asked_s
                self.waits_s.append(work.waited_s)
            self._numbers += 1
            self._begin(now, pod, self._numbers, work)

    def _begin(self, now: float, pod: Pod, number: int, work: Work) -> None:
        pod.work[number] = work
        ends_s = max(now, work.until_s) + work.takes_s

        def end(at_s: float) -> None:
            if pod.work.pop(number, None) is None:
                return  # it is done elsewhere
            work.done(at_s)
            self._leave_if_done(at_s, pod)
            self._deal(at_s)

        self._at(ends_s, end)

    # --- pods come and go

    def scale(self, now: float, pods: int) -> None:
        """Have so many; those that leave hand their work to others."""
        while self.wanted < pods:
            self._add(now)
        # Kubernetes takes those first that are not ready, then the youngest.
        staying = sorted((pod for pod in self.pods if not pod.leaving), key=lambda pod: -pod.ready_s)
        for pod in staying[: max(0, self.wanted - pods)]:
            pod.leaving = True
            self._give_back(now, pod, now)
            self._leave_if_done(now, pod)
        self._deal(now)

    def lose_node(self, now: float) -> int:
        """The fullest node is gone, with its pods; how many these were. Its deployment replaces them."""
        if not self.pods:
            return 0
        nodes = [pod.node for pod in self.pods]
        node = max(set(nodes), key=nodes.count)
        lost = [pod for pod in self.pods if pod.node == node]
        del self._nodes[node]
        for pod in lost:
            pod.leaving = pod.gone = True
            self.pods.remove(pod)
            self._give_back(now, pod, now + LEASE_S)
        for _ in lost:
            self._add(now)
        return len(lost)

    def cost_nodes(self, now: float) -> int:
        """Nodes that are paid for."""
        for node, empty_s in list(self._nodes.items()):
            if empty_s >= 0 and now - empty_s > NODE_KEPT_S:
                del self._nodes[node]
        return len(self._nodes)

    def _give_back(self, now: float, pod: Pod, again_s: float) -> None:
        given, pod.work = list(pod.work.values()), {}

        def requeue(at_s: float) -> None:
            self._queue.extendleft(reversed(given))
            self._waiting += len(given)
            self._deal(at_s)

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
