"""The ring and what is drawn from it."""

from collections import deque

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from rl_lab.agents import dqn
from rl_lab.replay import RecentTransitions, ReplayBuffer

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
    rows = as_rows(buffer.sample(size))
    assert len(rows) == size
    assert all(one in stored for one in rows)


@pytest.mark.parametrize("n", [20, 33], ids=["full", "wrapped"])
def test_every_stored_transition_is_drawn_equally_often(n):
    buffer = filled(ReplayBuffer(20, seed=0), n)
    drawn = torch.cat([buffer.sample(20)[0] for _ in range(500)])
    counts = np.bincount(numbers(drawn), minlength=n)[-20:]
    assert counts.sum() == 10_000
    assert chisquare(counts).pvalue > 0.01


def test_draws_are_with_replacement():
    buffer = filled(ReplayBuffer(10, seed=0), 10)
    assert any(len(set(numbers(buffer.sample(10)[0]))) < 10 for _ in range(5))


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


def test_draw_is_a_sample_with_weights_slots_and_horizons():
    buffer = filled(ReplayBuffer(6, seed=0), 9)
    batch, weights, slots = buffer.draw(4)
    assert as_rows(batch) == as_rows(buffer.gather(slots))
    assert weights.tolist() == batch.horizons.tolist() == [1, 1, 1, 1]
    buffer.push(*row(9), horizon=3)
    assert buffer.gather(np.array([9 % 6])).horizons.tolist() == [3]


def test_a_sample_is_a_copy():
    buffer = filled(ReplayBuffer(5, seed=0), 5)
    before = as_rows(buffer.gather(np.arange(5)))
    for field in buffer.sample(5):
        field.fill_(99)
    assert as_rows(buffer.gather(np.arange(5))) == before
    kept = buffer.sample(5)
    as_drawn = as_rows(kept)
    for i in range(50, 60):
        buffer.push(*row(i))
    assert as_rows(kept) == as_drawn


def test_what_was_pushed_is_a_copy_too():
    buffer, state = ReplayBuffer(3), np.array([1.0, 2.0], np.float32)
    buffer.push(state, 0, 0.0, state, False)
    state[:] = 7
    assert buffer.sample(1)[0].tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_observations_of_any_shape(shape):
    buffer = ReplayBuffer(4)
    state = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    buffer.push(state, 1, 0.5, state + 10, True)
    states, _, _, next_states, _ = buffer.sample(1)
    assert states.shape == (1, *shape)
    assert np.array_equal(states[0], state) and np.array_equal(next_states[0], state + 10)


def test_each_buffer_owns_its_randomness():
    draws = [numbers(filled(ReplayBuffer(50, seed=seed), 50).sample(50)[0]) for seed in (3, 3, 4)]
    assert draws[0] == draws[1] != draws[2]


@given(CAPACITIES, PUSHES, st.data())
def test_recent_transitions_are_the_last_in_order(capacity, n, data):
    recent = filled(RecentTransitions(capacity), n)
    assert len(recent) == min(n, capacity)
    size = data.draw(st.integers(1, len(recent)))
    batch, weights, slots = recent.draw(size)
    assert as_rows(batch) == list(map(plain, range(n)[-size:]))
    assert weights.tolist() == [1] * size
    assert [i % capacity for i in range(n)][-size:] == slots.tolist()
    recent.feedback(slots, torch.zeros(size))  # and does nothing


def test_the_agent_module_offers_the_same_buffer():
    assert dqn.ReplayBuffer is ReplayBuffer


@pytest.mark.parametrize("store", [ReplayBuffer(5), RecentTransitions(5)])
def test_more_than_is_stored_cannot_be_drawn(store):
    with pytest.raises(ValueError, match=r"0 transitions.*got 1"):
        store.draw(1)
    filled(store, 3)
    for size in (4, 0, -1):
        with pytest.raises(ValueError, match=f"3 transitions.*got {size}"):
            store.draw(size)
    store.draw(3)


@pytest.mark.parametrize("capacity", [0, -3])
def test_capacity_below_one(capacity):
    for store in (ReplayBuffer, RecentTransitions):
        with pytest.raises(ValueError, match=f"capacity .* got {capacity}"):
            store(capacity)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({0: np.zeros(3)}, r"\(2,\), got \(3,\)"),
        ({3: np.zeros((1, 2))}, r"got \(2,\) and \(1, 2\)"),
        ({0: np.array([1.0, np.nan])}, "nan"),
        ({3: np.array([np.inf, 1.0])}, "inf"),
        ({2: np.nan}, "reward=nan"),
        ({2: -np.inf}, "reward=-inf"),
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
