"""What `benchmarks.requests` measures: the clouds, and what clients do all day.

A script is what one of the clients does; what it needs to know, such as generations, it reads from
the database before the clock runs, and counts along from there. Providers are shared out among the
clients, so that none is in another's way unless that is what is measured.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa

import placement_core
from benchmarks import clouds, load, serving, sides
from benchmarks.clouds import Cloud, Part, Trees
from benchmarks.load import Request, Script
from benchmarks.report import WrongAnswer, say
from placement_core.db import tables as t
from placement_core.ops.allocations import NEW, Claim
from tests import databases

CONSUMERS_PER_PROVIDER = 4
AT_ONCE = 1000  # consumers
RELEASES = 2000  # in one run at most
BLOCK = 256  # hosts that one kind of script has for itself
KNOWN = 16  # providers whose generation one client knows

_HOST = {"VCPU": (64, 16.0), "MEMORY_MB": (262144, 1.0), "DISK_GB": (4000, 1.0)}
_BOUNDLESS = dict.fromkeys(_HOST, (2**31 - 1, 1.0))
_GPU_HOST = {"MEMORY_MB": (262144, 1.0), "VGPU": (8, 1.0)}

_COMPUTE = Trees("compute", 1000, [Part("", _HOST)], aggregate="rack")
# What a reshape moves around. Nobody who wants VCPUs finds these.
_GPU = Trees("gpu", 64, [Part("", _GPU_HOST), Part("_pgpu", {}, parent=0)], hosts=False)
_CONTENDED = Trees("contended", 1, [Part("", _BOUNDLESS)], hosts=False)

CLOUDS: Mapping[str, Cloud] = {
    "1k": Cloud([_COMPUTE, _GPU, _CONTENDED]),
    "10k": Cloud([dataclasses.replace(_COMPUTE, count=10_000)]),
}

SERVER = {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 5}
GPU_SERVER = {"MEMORY_MB": 512, "VGPU": 1}
TINY = {"VCPU": 1, "MEMORY_MB": 1, "DISK_GB": 1}

CANDIDATES = "/allocation_candidates?limit=10&resources=" + ",".join(
    f"{name}:{amount}" for name, amount in SERVER.items()
)

_OWNER = {"project_id": "project", "user_id": "user", "consumer_type": "INSTANCE"}

_encode = load.Encoder(serving.headers(sides.MICROVERSION))


@dataclasses.dataclass(frozen=True)
class Stage:
    """A database with one of the clouds in it, and what is there.

    :ivar gpus: root and child of each tree.
    :ivar consumers: those that stay, by the provider on which they have something.
    """

    placement: placement_core.Placement
    hosts: Sequence[str]
    gpus: Sequence[tuple[str, str]]
    contended: Sequence[str]
    consumers: Mapping[str, Sequence[str]]

    @classmethod
    def build(cls, placement: placement_core.Placement, cloud: str) -> Stage:
        """Fill an empty, migrated database."""
        made = clouds.build(placement, CLOUDS[cloud])
        gpus = made.get("gpu", ())
        stage = cls(
            placement=placement,
            hosts=made["compute"],
            gpus=list(zip(gpus[::2], gpus[1::2], strict=True)),
            contended=made.get("contended", ()),
            consumers={},
        )
        if cloud != "1k":
            return stage
        consumers: dict[str, list[str]] = {}
        for on, resources in ((stage.hosts, SERVER), (gpus[::2], GPU_SERVER)):
            providers = list(on) * CONSUMERS_PER_PROVIDER
            for provider, consumer in zip(
                providers, stage.claim(providers, resources), strict=True
            ):
                consumers.setdefault(provider, []).append(consumer)
        return dataclasses.replace(stage, consumers=consumers)

    def claim(self, providers: Sequence[str], resources: Mapping[str, int]) -> Sequence[str]:
        """A new consumer on each of these providers."""
        made: list[str] = []
        for start in range(0, len(providers), AT_ONCE):
            claims = {
                str(uuid.uuid4()): Claim(
                    allocations={provider: resources}, generation=NEW, **_OWNER
                )
                for provider in providers[start : start + AT_ONCE]
            }
            self.placement.allocations.replace(claims)
            made += claims
        return made

    def reset(self) -> None:
        """Release what has been claimed since, in a way that both services get to know."""
        kept = {consumer for there in self.consumers.values() for consumer in there}
        with self.placement.context.engine.connect() as connection:
            present = connection.scalars(sa.select(t.consumers.c.uuid)).all()
        gone = [consumer for consumer in present if consumer not in kept]
        for start in range(0, len(gone), AT_ONCE):
            self.placement.allocations.clear(*gone[start : start + AT_ONCE])

    def generation(self, provider: str) -> int:
        found: int = self.placement.resource_providers.get(provider).generation
        return found

    def consumer_generation(self, consumer: str) -> int:
        found: int = self.placement.consumers.get(consumer).generation
        return found


@contextlib.contextmanager
def prepared(
    backend: databases.Backend, cloud: str, services: Sequence[str]
) -> Iterator[tuple[Mapping[str, str], Mapping[str, Stage]]]:
    """A copy of one of the clouds for each of the services: URLs and stages, by service.

    They are dropped after the block.
    """
    with contextlib.ExitStack() as stack:
        template = backend.create()
        stack.callback(backend.drop, template)
        started = time.monotonic()
        with placement_core.connect(template, create=True) as placement:
            stage = Stage.build(placement, cloud)
        urls, stages = {}, {}
        for who in services:
            urls[who] = backend.copy(template)
            stack.callback(backend.drop, urls[who])
            placement = stack.enter_context(placement_core.connect(urls[who]))
            clouds.analyse(placement.context.engine)
            stages[who] = dataclasses.replace(stage, placement=placement)
        seconds = time.monotonic() - started
        say(f"the cloud {cloud}: {CLOUDS[cloud].providers} providers, made in {seconds:.1f} s")
        yield urls, stages


@dataclasses.dataclass(frozen=True)
class Share:
    """One of so many clients."""

    number: int
    clients: int

    def of(self, these: Sequence[Any]) -> Sequence[Any]:
        """What is this client's of what all share."""
        return these[self.number :: self.clients]


ScriptOf = Callable[[Stage, Share], Script]


# --- claims ---


def claims(stage: Stage, share: Share) -> Script:
    """Ask for candidates, take one of them."""
    choose = random.Random(share.number)
    get = Request(_encode("GET", CANDIDATES), 200, ends=False, wants_body=True)
    while True:
        answer = yield get
        if answer.status == 200:
            yield _claim(*_chosen(answer, choose))


def claims_and_releases(stage: Stage, share: Share) -> Script:
    """The same, and release it, which is an operation of its own."""
    choose = random.Random(share.number)
    get = Request(_encode("GET", CANDIDATES), 200, ends=False, wants_body=True)
    while True:
        answer = yield get
        if answer.status == 200:
            consumer, body = _chosen(answer, choose)
            answer = yield _claim(consumer, body)
            if answer.status == 204:
                yield _release(consumer)


def puts(stage: Stage, share: Share) -> Script:
    """New consumers, on one host after the other."""
    bodies = [_body({host: SERVER}) for host in share.of(stage.hosts)]
    for body in itertools.cycle(bodies):
        yield _claim(str(uuid.uuid4()), body)


def contended_puts(stage: Stage, share: Share) -> Script:
    """New consumers, all on the same provider."""
    body = _body({stage.contended[0]: TINY})
    while True:
        yield _claim(str(uuid.uuid4()), body)


def check_contended(stage: Stage, done: int) -> None:
    """:raises WrongAnswer: what is used is not what so many claims have got."""
    used = stage.placement.usages.for_provider(stage.contended[0])
    expected = {name: amount * done for name, amount in TINY.items()}
    if used != expected:
        raise WrongAnswer(f"{done} claims have succeeded, but {used} is in use")


def releases(stage: Stage, share: Share) -> Script:
    """Consumers that are there already, until there are none."""
    hosts = share.of(list(itertools.islice(itertools.cycle(stage.hosts), RELEASES)))
    for consumer in stage.claim(hosts, SERVER):
        yield _release(consumer)


def endless_releases(stage: Stage, share: Share) -> Script:
    """Of nobody, for the floor, to which it makes no difference."""
    while True:
        yield _release(str(uuid.uuid4()))


def swaps(stage: Stage, share: Share) -> Script:
    """Two consumers change places, and back when it is their turn again."""
    hosts = _block(stage, share, 1)
    pairs = [_Pair.read(stage, *two) for two in zip(hosts[::2], hosts[1::2], strict=True)]
    for pair in itertools.cycle(pairs):
        answer = yield Request(_encode("POST", "/allocations", pair.swapped()), 204)
        if answer.status == 204:
            pair.swap()


@dataclasses.dataclass
class _Pair:
    """Two consumers; `providers` and `generations` are in their order."""

    consumers: Sequence[str]
    providers: list[str]
    generations: list[int]

    @classmethod
    def read(cls, stage: Stage, *hosts: str) -> _Pair:
        consumers = [stage.consumers[host][0] for host in hosts]
        present = [stage.placement.allocations.for_consumer(consumer) for consumer in consumers]
        return cls(
            consumers,
            [rows[0].resource_provider_uuid for rows in present],
            [stage.consumer_generation(consumer) for consumer in consumers],
        )

    def swapped(self) -> bytes:
        return orjson.dumps(
            {
                consumer: _wanted({provider: SERVER}, generation)
                for consumer, provider, generation in zip(
                    self.consumers, reversed(self.providers), self.generations, strict=True
                )
            }
        )

    def swap(self) -> None:
        self.providers.reverse()
        self.generations = [generation + 1 for generation in self.generations]


def _claim(consumer: str, body: bytes) -> Request:
    return Request(_encode("PUT", f"/allocations/{consumer}", body), 204)


def _release(consumer: str) -> Request:
    return Request(_encode("DELETE", f"/allocations/{consumer}"), 204)


def _chosen(answer: load.Answer, choose: random.Random) -> tuple[str, bytes]:
    """A new consumer, and the body that gives it one of these candidates."""
    found = orjson.loads(answer.body)["allocation_requests"]
    if not found:
        raise RuntimeError("there are no candidates left")
    wanted = {**choose.choice(found), **_OWNER, "consumer_generation": None}
    return str(uuid.uuid4()), orjson.dumps(wanted)


def _body(on: Mapping[str, Mapping[str, int]]) -> bytes:
    return orjson.dumps(_wanted(on, None))


def _wanted(on: Mapping[str, Mapping[str, int]], generation: int | None) -> Mapping[str, Any]:
    allocations = {provider: {"resources": resources} for provider, resources in on.items()}
    return {"allocations": allocations, **_OWNER, "consumer_generation": generation}


# --- reshapes ---


def reshapes(stage: Stage, share: Share) -> Script:
    """GPUs move from the root of a tree to the child with all who use them, or back."""
    trees = [_Tree.read(stage, root, child) for root, child in share.of(stage.gpus)[:KNOWN]]
    for tree in itertools.cycle(trees):
        answer = yield Request(_encode("POST", "/reshaper", tree.reshaped()), 204)
        if answer.status == 204:
            tree.reshape()


@dataclasses.dataclass
class _Tree:
    """:ivar nested: the child has the GPUs."""

    root: str
    child: str
    nested: bool
    generations: tuple[int, int]
    consumers: dict[str, int]  # their generations

    @classmethod
    def read(cls, stage: Stage, root: str, child: str) -> _Tree:
        consumers = {each: stage.consumer_generation(each) for each in stage.consumers[root]}
        generations = stage.generation(root), stage.generation(child)
        nested = bool(stage.placement.inventories.list(child))
        return cls(root, child, nested, generations, consumers)

    def reshaped(self) -> bytes:
        """What makes it the opposite of what it is."""
        inventories = _inventories(_GPU_HOST)
        gpus = {"VGPU": inventories.pop("VGPU")}
        wanted = {self.root: GPU_SERVER}
        if self.nested:
            inventories |= gpus
            gpus = {}
        else:
            wanted = {
                self.root: {"MEMORY_MB": GPU_SERVER["MEMORY_MB"]},
                self.child: {"VGPU": GPU_SERVER["VGPU"]},
            }
        of_root, of_child = self.generations
        return orjson.dumps(
            {
                "inventories": {
                    self.root: _with_generation(inventories, of_root),
                    self.child: _with_generation(gpus, of_child),
                },
                "allocations": {
                    consumer: _wanted(wanted, generation)
                    for consumer, generation in self.consumers.items()
                },
            }
        )

    def reshape(self) -> None:
        """Generations grow with each step: interim inventories, allocations, final inventories.

        A child that loses everything takes part in the last one only.
        """
        of_root, of_child = self.generations
        self.generations = of_root + 3, of_child + (1 if self.nested else 3)
        self.consumers = {each: generation + 1 for each, generation in self.consumers.items()}
        self.nested = not self.nested


# --- providers ---


def unchanged_inventories(stage: Stage, share: Share) -> Script:
    """What a host's agent reports again and again."""
    return _inventory_puts(stage, share, lambda generation: 0)


def changed_inventories(stage: Stage, share: Share) -> Script:
    """One of three records is never what it was."""
    return _inventory_puts(stage, share, lambda generation: generation % 1000 + 1)


def _inventory_puts(stage: Stage, share: Share, reserved: Callable[[int], int]) -> Script:
    known = {host: stage.generation(host) for host in _block(stage, share, 0)}
    inventories = _inventories(_HOST)
    for host in itertools.cycle(known):
        inventories["MEMORY_MB"]["reserved"] = reserved(known[host])
        body = orjson.dumps(_with_generation(inventories, known[host]))
        path = f"/resource_providers/{host}/inventories"
        answer = yield Request(_encode("PUT", path, body), 200)
        if answer.status == 200:
            known[host] += 1


def _gets(path: str, providers: Callable[[Stage], Sequence[str]]) -> ScriptOf:
    """Of one provider after the other."""

    def script(stage: Stage, share: Share) -> Script:
        requests = [
            Request(_encode("GET", path.format(provider)), 200)
            for provider in share.of(providers(stage))
        ]
        # Answers cannot be sent into a cycle, as `yield from` does.
        for request in itertools.cycle(requests):  # noqa: UP028
            yield request

    return script


def _hosts(stage: Stage) -> Sequence[str]:
    return stage.hosts


def _roots(stage: Stage) -> Sequence[str]:
    return [root for root, _ in stage.gpus]


def _block(stage: Stage, share: Share, number: int) -> Sequence[str]:
    """Hosts of this client alone; not among the first ones, which candidates are."""
    end = len(stage.hosts) - BLOCK * number
    return share.of(stage.hosts[end - BLOCK : end])[:KNOWN]


def _inventories(records: Mapping[str, tuple[int, float]]) -> dict[str, dict[str, float]]:
    return {
        name: {
            "total": total,
            "reserved": 0,
            "min_unit": 1,
            "max_unit": total,
            "step_size": 1,
            "allocation_ratio": ratio,
        }
        for name, (total, ratio) in records.items()
    }


def _with_generation(inventories: Mapping[str, Any], generation: int) -> Mapping[str, Any]:
    return {"resource_provider_generation": generation, "inventories": inventories}


# --- all of it ---


@dataclasses.dataclass(frozen=True)
class Case:
    """One kind of operation, by so many clients at once.

    :ivar at_least: how many times the throughput of the published service ours has to be.
    :ivar group: cases of the same group are measured in turn.
    :ivar of_floor: the script when the floor is asked, if the other one ends too early for it.
    :ivar contended: clients are in each other's way, and the published service gives up on some.
    """

    name: str
    title: str
    script: ScriptOf
    clients: int = 4
    at_least: float | None = None
    cloud: str = "1k"
    group: str = ""
    of_floor: ScriptOf | None = None
    contended: bool = False


def _cases() -> Iterator[Case]:
    claim = "GET /allocation_candidates?limit=10, PUT /allocations/{consumer}"
    yield Case("claim-1k", f"{claim}, 1,000 hosts", claims, at_least=30)
    for clients in (1, 4, 16):
        title = "PUT /allocations/{consumer}, new, 3 classes"
        yield Case(f"put-{clients}", title, puts, clients, at_least=5, group="put")
    title = "DELETE /allocations/{consumer}"
    yield Case("release", title, releases, of_floor=endless_releases)
    yield Case("swap", "POST /allocations, two consumers swapped", swaps, at_least=5)
    yield Case("reshape", "POST /reshaper, one tree, 4 consumers", reshapes, at_least=8)
    for name, path, target in (
        ("provider", "/resource_providers/{}", 4),
        ("inventories", "/resource_providers/{}/inventories", 4),
        ("allocations", "/resource_providers/{}/allocations", 4),
        ("traits", "/resource_providers/{}/traits", 4),
        ("aggregates", "/resource_providers/{}/aggregates", None),
    ):
        yield Case(f"get-{name}", f"GET {path}", _gets(path, _hosts), at_least=target)
    path = "/resource_providers?in_tree={}"
    yield Case("get-tree", f"GET {path}", _gets(path, _roots))
    put = "PUT /resource_providers/{}/inventories"
    yield Case("put-changed", f"{put}, changed", changed_inventories, at_least=4)
    yield Case("put-unchanged", f"{put}, unchanged", unchanged_inventories, at_least=6)
    yield Case("get-root", "GET /", _gets("/", _hosts), at_least=1.5)
    for clients in CONTENDED:
        yield Case(
            f"contended-{clients}",
            "PUT /allocations/{consumer}, new, all on the same provider",
            contended_puts,
            clients,
            group="contended",
            contended=True,
        )
    yield Case("claim-10k", f"{claim}, 10,000 hosts", claims, at_least=200, cloud="10k")


# Clients that claim from the same provider: more of them must not get less done.
CONTENDED = (4, 16)
CASES: Mapping[str, Case] = {case.name: case for case in _cases()}


def mixed(stage: Stage, share: Share) -> Script:
    """Any of the operations, at random, as often as a busy cloud has use for them."""
    weights: Mapping[ScriptOf, int] = {
        claims_and_releases: 30,
        swaps: 4,
        reshapes: 1,
        changed_inventories: 5,
        **{case.script: 10 for name, case in CASES.items() if name.startswith("get-")},
    }
    scripts = [script(stage, share) for script in weights]
    pending = [next(script) for script in scripts]
    choose = random.Random(share.number)
    while True:
        (number,) = choose.choices(range(len(scripts)), [*weights.values()])
        over = False
        while not over:
            request = pending[number]
            answer = yield request
            over = request.ends or answer.status != request.expected
            pending[number] = scripts[number].send(answer)
