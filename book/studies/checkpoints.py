"""Weights of CartPole networks at telling moments of training, for the experiment in the page.

One agent of the common settings is kept as it begins, when it first balances, after it has
forgotten how, and when it balances again; and one of the recipe, at the end of its budget.
Each is one seed, chosen because it shows this: an anecdote to play with, where the study
``cartpole`` gives the results.
"""

import json
from pathlib import Path

from safetensors.torch import save_file

from rl_lab.agents.dqn import DQNAgent
from rl_lab.course.settings import CARTPOLE, CARTPOLE_RECIPE, CARTPOLE_STEPS
from rl_lab.course.stored import write_checksums
from rl_lab.envs import make_env
from rl_lab.losses import QLearning
from rl_lab.training import evaluate, train_dqn

DATA = Path(__file__).parents[1] / "data"
EPISODES = 100  # greedy ones, on starts that training has not seen

# What is trained, and the environment steps at which its weights are kept, in rising order.
RUNS = {
    "common settings": dict(
        agent=CARTPOLE,
        loss=dict(double=False),
        seed=17,
        moments={"untrained": 0, "early": 7_500, "collapsed": 22_500, "recovered": 25_000},
    ),
    "recipe": dict(
        agent=CARTPOLE_RECIPE,
        loss=dict(double=True),
        seed=0,
        moments={"solved": CARTPOLE_STEPS},
    ),
}


class KeepingAgent(DQNAgent):
    """A `DQNAgent` that keeps a copy of its weights at some environment steps.

    Args:
        moments: environment steps.
        settings: of `DQNAgent`.
    """

    def __init__(self, moments, **settings) -> None:
        super().__init__(4, 2, **settings, device="cpu")
        self.moments, self.kept = set(moments), {}
        self._keep()

    def update(self, *transition, **ending) -> dict:
        """Learn as a `DQNAgent` does, and keep the weights if this is the moment."""
        metrics = super().update(*transition, **ending)
        self._keep()
        return metrics

    def _keep(self) -> None:
        if self.n_env_steps in self.moments:
            weights = self.online.state_dict().items()
            self.kept[self.n_env_steps] = {name: tensor.clone() for name, tensor in weights}


def checkpoints(run: str, agent: dict, loss: dict, seed: int, moments: dict) -> tuple[dict, dict]:
    """Train one agent.

    Returns:
        All weights, named ``MOMENT.LAYER.weight`` and ``.bias``, and one entry per moment.
    """
    trained = KeepingAgent(moments.values(), **agent, objective=QLearning(**loss), seed=seed)
    n_env_steps = max(moments.values())
    train_dqn(
        trained,
        make_env("CartPole-v1"),
        n_episodes=n_env_steps,  # more than there will be: n_env_steps is the limit
        n_env_steps=n_env_steps,
        seed=seed,
        print_every=0,
    )
    tensors, entries = {}, {}
    for moment, env_steps in moments.items():
        weights = trained.kept[env_steps]
        trained.online.load_state_dict(weights)
        returns = evaluate(trained, make_env("CartPole-v1"), EPISODES)
        tensors |= {f"{moment}.{name}": tensor for name, tensor in weights.items()}
        entries[moment] = dict(
            run=run,
            seed=seed,
            env_steps=env_steps,
            mean_return=float(returns.mean()),
            min_return=float(returns.min()),
            max_return=float(returns.max()),
        )
        print(f"{moment:<10} {env_steps:6d} environment steps, {returns.mean():6.1f}", flush=True)
    return tensors, entries


def main() -> None:
    """Train, evaluate, and write ``checkpoints.safetensors``; its metadata hold the returns."""
    tensors, entries = {}, {}
    for run, settings in RUNS.items():
        more_tensors, more_entries = checkpoints(run, **settings)
        tensors |= more_tensors
        entries |= more_entries
    manifest = dict(
        environment="CartPole-v1",
        episodes=EPISODES,
        checkpoints=entries,
        runs={
            name: {key: run[key] for key in ("agent", "loss", "seed")} for name, run in RUNS.items()
        },
    )
    # One file, so that weights and what is said of them cannot come apart.
    save_file(tensors, DATA / "checkpoints.safetensors", {"manifest": json.dumps(manifest)})
    write_checksums(DATA)


if __name__ == "__main__":
    main()
