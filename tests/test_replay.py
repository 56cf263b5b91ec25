"""The ring and what is drawn from it."""

from collections import deque

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from rl_lab import replay
from rl_lab.agents import dqn
from rl_lab.replay import RecentTransitions, ReplayBuffer, Transition

CAPACITIES = st.integers(1, 12)
PUSHES = st.integers(1, 40)


def row(i):
    """Transition number i, every field of it made from i."""
    return np.array([i, -i]), i % 5, i / 2, np.array([i + 1, -i - 1]), i % 3 == 0


def filled(store, n):
    for i in range(n):
        store.push(*row(i))
    return store


def numbers(states):
    """Which transitions these are."""
    return states[:, 0].int().tolist()


def as_rows(batch):
    """The transitions as plain tuples, to be compared with `row`."""
    states, actions, rewards, next_states, dones = (field.tolist() for field in batch[:5])
    return list(zip(states, actions, rewards, next_states, dones, strict=True))


def plain(i):
    state, action, reward, next_state, done = row(i)
    return (state.tolist(), action, reward, next_state.tolist(), float(done))


@given(CAPACITIES, PUSHES)
def test_ring_holds_exactly_the_last_transitions(capacity, n):
    buffer, last = ReplayBuffer(capacity), deque(maxlen=capacity)
    for i in range(n):
        slot = buffer.push(*row(i))
        last.append(i)
        assert slot == i % capacity
        assert len(buffer) == len(last)
    held = buffer.gather(np.arange(len(buffer)))
    assert sorted(as_rows(held)) == sorted(map(plain, last))
    # Until the ring is full, slots are in the order of arrival.
    oldest = (n % capacity) if n > capacity else 0
    in_order = (oldest + np.arange(len(buffer))) % capacity
    assert as_rows(buffer.gather(in_order)) == list(map(plain, last))


@given(CAPACITIES, PUSHES, st.data())
def test_samples_are_stored_transitions_and_never_torn(capacity, n, data):
    buffer = filled(ReplayBuffer(capacity, seed=0), n)
    size = data.draw(st.integers(1, len(buffer)))
    stored = list(map(plain, range(n)[-capacity:]))
    rows = as_rows(buffer.sample(size).batch)
    assert len(rows) == size
    assert all(one in stored for one in rows)


@pytest.mark.parametrize("n", [20, 33], ids=["full", "wrapped"])
def test_every_stored_transition_is_drawn_equally_often(n):
    buffer = filled(ReplayBuffer(20, seed=0), n)
    drawn = torch.cat([buffer.sample(20).batch.observations for _ in range(500)])
    counts = np.bincount(numbers(drawn), minlength=n)[-20:]
    assert counts.sum() == 10_000
    assert chisquare(counts).pvalue > 0.01


def test_draws_are_with_replacement():
    buffer = filled(ReplayBuffer(10, seed=0), 10)
    assert any(len(set(numbers(buffer.sample(10).batch.observations))) < 10 for _ in range(5))


def test_what_sample_returns():
    buffer = filled(ReplayBuffer(capacity=10000), 40)
    states, actions, rewards, next_states, dones = buffer.sample(32)
    assert states.shape == next_states.shape == (32, 2)
    assert actions.shape == rewards.shape == dones.shape == (32,)
    assert actions.dtype == torch.int64
    for field in (states, rewards, next_states, dones):
        assert field.dtype == torch.float32
        assert field.device.type == "cpu"
    assert isinstance(states[0].numpy(), np.ndarray)
    assert isinstance(actions[0].item(), int)
    assert set(dones.tolist()) <= {0.0, 1.0}


def test_a_sample_has_weights_indices_and_discounts():
    buffer = filled(ReplayBuffer(6, seed=0), 9)
    sample = buffer.sample(4)
    assert as_rows(sample.batch) == as_rows(buffer.gather(sample.indices))
    assert sample.weights.tolist() == [1, 1, 1, 1]
    assert sample.batch.discounts.isnan().all()  # nobody said which
    buffer.add(Transition(*row(9), 0.25))
    assert buffer.gather(np.array([9 % 6])).discounts.tolist() == [0.25]


def test_a_sample_is_a_copy():
    buffer = filled(ReplayBuffer(5, seed=0), 5)
    before = as_rows(buffer.gather(np.arange(5)))
    for field in buffer.sample(5):
        field.fill_(99)
    assert as_rows(buffer.gather(np.arange(5))) == before
    kept = buffer.sample(5)
    as_drawn = as_rows(kept.batch)
    for i in range(50, 60):
        buffer.push(*row(i))
    assert as_rows(kept.batch) == as_drawn


def test_what_was_pushed_is_a_copy_too():
    buffer, state = ReplayBuffer(3), np.array([1.0, 2.0], np.float32)
    buffer.push(state, 0, 0.0, state, False)
    state[:] = 7
    assert next(iter(buffer.sample(1))).tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_observations_of_any_shape(shape):
    buffer = ReplayBuffer(4)
    state = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    buffer.push(state, 1, 0.5, state + 10, True)
    states, _, _, next_states, _ = buffer.sample(1)
    assert states.shape == (1, *shape)
    assert np.array_equal(states[0], state) and np.array_equal(next_states[0], state + 10)


def test_each_buffer_owns_its_randomness():
    draws = [
        numbers(filled(ReplayBuffer(50, seed=seed), 50).sample(50).batch.observations)
        for seed in (3, 3, 4)
    ]
    assert draws[0] == draws[1] != draws[2]


@given(CAPACITIES, PUSHES, st.data())
def test_recent_transitions_are_the_last_in_order(capacity, n, data):
    recent = filled(RecentTransitions(capacity), n)
    assert len(recent) == min(n, capacity)
    size = data.draw(st.integers(1, len(recent)))
    sample = recent.sample(size)
    assert as_rows(sample.batch) == list(map(plain, range(n)[-size:]))
    assert sample.weights.tolist() == [1] * size
    assert [i % capacity for i in range(n)][-size:] == sample.indices.tolist()
    recent.update_priorities(sample.indices, np.zeros(size))  # and does nothing


def test_the_agent_module_offers_the_same_buffer():
    assert dqn.ReplayBuffer is ReplayBuffer


@pytest.mark.parametrize("store", [ReplayBuffer(5), RecentTransitions(5)])
def test_more_than_is_stored_cannot_be_drawn(store):
    with pytest.raises(ValueError, match=r"0 transitions.*got 1"):
        store.sample(1)
    filled(store, 3)
    for size in (4, 0, -1):
        with pytest.raises(ValueError, match=f"3 transitions.*got {size}"):
            store.sample(size)
    store.sample(3)


@pytest.mark.parametrize("capacity", [0, -3])
def test_capacity_below_one(capacity):
    for store in (ReplayBuffer, RecentTransitions):
        with pytest.raises(ValueError, match=f"capacity .* got {capacity}"):
            store(capacity)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({0: np.zeros(3)}, r"\(2,\), got \(3,\)"),
        ({3: np.zeros((1, 2))}, r"next_state must have shape \(2,\), got \(1, 2\)"),
        ({0: np.array([1.0, np.nan])}, "nan"),
        ({3: np.array([np.inf, 1.0])}, "inf"),
        ({2: np.nan}, "reward must be finite, .*got nan"),
        ({2: np.array([1.0])}, r"reward must be one number, got an array of shape \(1,\)"),
        ({4: 2}, "done must be True or False .* got 2"),
        ({2: -np.inf}, "reward must be finite, .*got -inf"),
        ({2: 1e39}, r"reward must be finite, as a float32, got 1e\+39"),
        ({1: 1.5}, "action must be one whole number, got 1.5"),
    ],
)
def test_a_bad_transition_is_not_stored(change, says):
    buffer = filled(ReplayBuffer(3), 4)
    before = as_rows(buffer.gather(np.arange(3)))
    bad = list(row(7))
    for position, value in change.items():
        bad[position] = value
    with pytest.raises(ValueError, match=says):
        buffer.push(*bad)
    assert as_rows(buffer.gather(np.arange(3))) == before
    assert buffer.push(*row(4)) == 4 % 3  # the next one takes the slot


def test_a_bad_first_transition_leaves_the_buffer_usable():
    buffer = ReplayBuffer(3)
    with pytest.raises(ValueError, match="nan"):
        buffer.push([np.nan, 0.0], 0, 0.0, [0.0, 0.0], False)
    assert len(buffer) == 0
    filled(buffer, 2)
    assert sorted(as_rows(buffer.gather(np.arange(2)))) == [plain(0), plain(1)]


@pytest.mark.parametrize(
    ("given", "kept"),
    [(np.uint8, np.uint8), (bool, bool), (np.int64, np.float32), (np.float64, np.float32)],
)
def test_bytes_stay_bytes_and_the_rest_is_float32(given, kept):
    buffer = ReplayBuffer(4)
    picture = np.eye(3).astype(given)
    buffer.push(picture, 0, 0.0, ~picture if given is bool else picture * 0, False)
    observations, _, _, next_observations, _ = buffer.sample(1)
    assert observations.numpy().dtype == next_observations.numpy().dtype == kept
    assert np.array_equal(observations[0], np.eye(3))


def test_what_bytes_cannot_hold_is_refused():
    buffer = ReplayBuffer(4)
    buffer.push(np.zeros(2, np.uint8), 0, 0.0, np.zeros(2, np.uint8), False)
    buffer.push([1, 2], 0, 0.0, [255, 0], False)
    for bad in ([0.5, 1], [256, 0], [-1, 0]):
        with pytest.raises(ValueError, match="state holds numbers that uint8 cannot"):
            buffer.push(bad, 0, 0.0, [0, 0], False)


def test_a_buffer_that_cannot_fit_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(replay, "memory", lambda: 8 * 2**30)
    buffer = ReplayBuffer(100_000)
    with pytest.raises(MemoryError, match=r"100,000 .*float32 each need 21\.0 GiB.* are 8\.0"):
        buffer.allocate((4, 84, 84), np.float32)
    buffer.allocate((4, 84, 84), np.uint8)  # 5.3 GiB, of which nothing is used yet


def test_memory_is_that_of_the_machine_or_of_its_container():
    assert 2**28 < replay.memory() < 2**50


@pytest.mark.parametrize("n", [3, 9], ids=["part", "wrapped"])
def test_a_buffer_continues_from_its_state(n):
    buffer, other = filled(ReplayBuffer(6, seed=1), n), ReplayBuffer(6, seed=2)
    buffer.sample(2)
    other.load_state_dict(buffer.state_dict())
    for store in (buffer, other):
        store.push(*row(n))
    assert as_rows(other.sample(3).batch) == as_rows(buffer.sample(3).batch)
    with pytest.raises(ValueError, match="capacity 6, this one 7"):
        ReplayBuffer(7).load_state_dict(buffer.state_dict())
