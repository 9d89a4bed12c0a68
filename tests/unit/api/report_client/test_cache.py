"""What the client remembers, for how long, and what it forgets."""

from __future__ import annotations

import pytest

from placement_api.report_client.cache import ProviderCache


class Clock:
    """A clock that stands still until it is set."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> ProviderCache:
    """host1 > child > grandchild, and host2, all of them just read."""
    cache = ProviderCache(300, clock)
    cache.tree.new_root("host1", "H1")
    cache.tree.new_child("child", "H1", uuid="C")
    cache.tree.new_child("grandchild", "C", uuid="G")
    cache.tree.new_root("host2", "H2")
    for uuid in ("H1", "C", "G", "H2"):
        cache.refreshed(uuid)
    return cache


def stale(cache: ProviderCache) -> set[str]:
    return {uuid for uuid in ("H1", "C", "G", "H2") if cache.stale(uuid)}


def test_what_was_never_read_is_stale(cache):
    assert cache.stale("H3")


def test_what_was_read_is_stale_after_a_while(cache, clock):
    clock.now += 300
    assert stale(cache) == set()
    clock.now += 1
    assert stale(cache) == {"H1", "C", "G", "H2"}
    cache.refreshed("C")
    assert stale(cache) == {"H1", "G", "H2"}


def test_zero_is_never(clock):
    cache = ProviderCache(0, clock)
    assert cache.stale("H1")
    cache.refreshed("H1")
    clock.now += 1e9
    assert not cache.stale("H1")


def test_everything_is_forgotten(cache):
    cache.clear_provider_cache()
    assert cache.tree.get_provider_uuids() == []
    assert stale(cache) == {"H1", "C", "G", "H2"}


@pytest.mark.parametrize("member", ["H1", "G", "grandchild"])
def test_a_tree_is_forgotten(cache, member):
    cache.clear_provider_cache_for_tree(member)
    assert cache.tree.get_provider_uuids() == ["H2"]
    assert stale(cache) == {"H1", "C", "G"}


def test_an_unknown_tree_is_nothing_to_forget(cache):
    cache.clear_provider_cache_for_tree("H3")
    assert len(cache.tree.get_provider_uuids()) == 4
    assert stale(cache) == set()


@pytest.mark.parametrize("provider", ["C", "child"])
def test_a_provider_is_forgotten_with_those_below(cache, provider):
    cache.invalidate_resource_provider(provider)
    assert cache.tree.get_provider_uuids() == ["H1", "H2"]
    assert stale(cache) == {"C", "G"}


@pytest.mark.parametrize("provider", ["C", "child"])
def test_a_provider_is_to_be_read_again(cache, provider):
    cache.invalidate_resource_provider(provider, cacheonly=True)
    assert len(cache.tree.get_provider_uuids()) == 4
    assert stale(cache) == {"C"}


def test_an_unknown_provider_is_nothing_to_forget(cache):
    cache.refreshed("H3")
    cache.invalidate_resource_provider("H3")
    assert cache.stale("H3")
    assert len(cache.tree.get_provider_uuids()) == 4
