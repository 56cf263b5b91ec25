"""Prioritized replay: the larger its last error, the more often a transition is sampled.

Shapes: B minibatch size.
"""

import numpy as np
import torch

from rl_lab.replay import ReplayBuffer, Transition, require_stored


class SumTree:
    """Numbers of which any can be changed, and searched by their running sum, in log(size) steps.

    A binary tree in one array: node i is the sum of nodes 2i and 2i + 1, node 1 that of all.

    Args:
        size: numbers kept, all 0 at first.
    """

    def __init__(self, size: int) -> None:
        self.depth = (size - 1).bit_length()
        self.first_leaf = 2**self.depth
        self.nodes = np.zeros(2 * self.first_leaf)

    @property
    def total(self) -> float:
        """The sum of all numbers."""
        return float(self.nodes[1])

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        return self.nodes[self.first_leaf + indices]

    def __setitem__(self, indices: np.ndarray | int, values: np.ndarray | float) -> None:
        node = self.first_leaf + indices
        self.nodes[node] = values
        for _ in range(self.depth):  # sums are formed anew, so that no rounding errors pile up
            node = node >> 1
            self.nodes[node] = self.nodes[2 * node] + self.nodes[2 * node + 1]

    def find(self, sums: np.ndarray) -> np.ndarray:
        """Return the first index whose running sum is above each of `sums` ([B], in [0, total))."""
        sums, node = sums.copy(), np.ones(len(sums), np.int64)
        for _ in range(self.depth):
            node *= 2
            left = self.nodes.take(node)
            go_right = sums >= left
            sums -= left * go_right
            node += go_right
        return node - self.first_leaf


class PrioritizedReplay(ReplayBuffer):
    r"""A `ReplayBuffer` that samples a transition the more often, the larger its last error was.

    .. math::

        P(i) = \frac{p_i^\alpha}{\sum_j p_j^\alpha}, \quad p_i = |\delta_i| + \epsilon, \qquad
        w_i = \frac{(N P(i))^{-\beta}}{\max_j (N P(j))^{-\beta}}

    The weights of a minibatch (the maximum is over it) undo, for beta = 1, the bias of such
    sampling, up to a factor that differs from one minibatch to the next. A minibatch takes one
    transition from each of B equal parts of the sum; a new transition has the largest priority so
    far, so that each is likely to be seen once soon.

    Args:
        capacity: transitions kept; the oldest is overwritten first.
        alpha: how much priorities matter; 0 is uniform sampling.
        beta: how much of the bias the weights undo at first.
        beta_steps: minibatches over which beta grows, in a straight line, to 1.
        epsilon: added to every error, in its units, so that none has probability 0.
        seed: seeds the sampling generator that this buffer owns.

    Raises:
        ValueError: if a setting is out of range.

    Source: Schaul et al. (2016), section 3 and Algorithm 1, "proportional".
    """

    def __init__(
        self,
        capacity: int,
        *,
        alpha: float = 0.6,
        beta: float = 0.4,
        beta_steps: int = 100_000,
        epsilon: float = 1e-6,
        seed: int | np.random.SeedSequence | None = None,
    ) -> None:
        super().__init__(capacity, seed=seed)
        for name, value in (("alpha", alpha), ("beta", beta)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {value}")
        if beta_steps < 1:
            raise ValueError(f"beta_steps must be at least 1, got {beta_steps}")
        if not 0 < epsilon < np.inf:
            raise ValueError(f"epsilon must be above 0 and finite, got {epsilon}")
        self.alpha, self.first_beta, self.beta_steps = alpha, beta, beta_steps
        self.epsilon = epsilon
        self._tree = SumTree(self.capacity)  # p**alpha
        self._largest = 1.0  # p**alpha of a new transition
        self._n_sampled = 0  # minibatches

    @property
    def beta(self) -> float:
        """How much of the bias the weights of the next minibatch undo."""
        progress = min(1.0, self._n_sampled / self.beta_steps)
        return self.first_beta + (1 - self.first_beta) * progress

    def add(self, transition: Transition) -> int:
        """Store one transition, with the largest priority so far; Raises: as `push`."""
        index = super().add(transition)
        self._tree[index] = self._largest
        return index

    def _sample_indices(self, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        require_stored(batch_size, len(self))
        parts = (np.arange(batch_size) + self._rng.random(batch_size)) / batch_size
        # Rounding may carry a sum to the very end, where nothing is stored.
        indices = np.minimum(self._tree.find(parts * self._tree.total), len(self) - 1)
        probabilities = self._tree[indices] / self._tree.total
        weights = (len(self) * probabilities) ** -self.beta
        self._n_sampled += 1
        return indices, (weights / weights.max()).astype(np.float32)

    def update_priorities(self, indices: np.ndarray, priorities: np.ndarray) -> None:
        """Take note of how large the errors of a sample were, ``[B]``; their signs do not matter.

        Raises:
            ValueError: if one of them is not finite; nothing has changed then.
        """
        scaled = (np.abs(priorities, dtype=np.float64) + self.epsilon) ** self.alpha
        if not np.isfinite(scaled).all():
            raise ValueError(f"priorities must be finite, got {priorities}")
        self._tree[indices] = scaled
        self._largest = max(self._largest, float(scaled.max()))

    def state_dict(self) -> dict:
        """Return all that is stored, its priorities, and the state of the generator."""
        return super().state_dict() | {
            "priorities": torch.from_numpy(self._tree[np.arange(len(self))]),
            "largest": self._largest,
            "n_sampled": self._n_sampled,
        }

    def load_state_dict(self, state: dict) -> None:
        """Restore what `state_dict` returned.

        Raises:
            ValueError: if it had another capacity.
        """
        if "priorities" not in state:
            raise ValueError("the stored buffer has no priorities: it was not a PrioritizedReplay")
        super().load_state_dict(state)
        self._tree = SumTree(self.capacity)
        self._tree[np.arange(len(self))] = state["priorities"].numpy()
        self._largest, self._n_sampled = state["largest"], state["n_sampled"]
