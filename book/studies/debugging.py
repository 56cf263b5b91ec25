"""CartPole-v1 learned by a short DQN, healthy and with each of ten planted bugs of one line."""

from pathlib import Path

import numpy as np
import pandas as pd

from rl_lab.course.exercises.debugging import BUGS, program
from rl_lab.course.studies import Study, Tables, main
from rl_lab.envs import make_env
from rl_lab.stack import StackedNetworks, greedy_together

DATA = Path(__file__).parents[1] / "data"


def run(
    seed: int,
    *,
    bug: str | None,
    n_env_steps: int = 40_000,
    eval_every: int = 1_000,
    eval_episodes: int = 10,
    final_episodes: int = 100,
) -> Tables:
    """Train one program's agent; return what could be seen of it, and its last greedy episodes.

    Args:
        seed: of the agent and of its environment.
        bug: what is planted in the program; None for the healthy one.
        n_env_steps: environment steps of training.
        eval_every: environment steps between two rows of `evals`. ``return``, ``discounted`` and
            ``predicted`` are means over greedy episodes; ``loss`` and ``training_return`` are
            means over the updates and the episodes since the last row.
        eval_episodes: greedy episodes of each row.
        final_episodes: greedy episodes after training.
    """
    dqn = program(bug)
    agent = dqn.Agent(seed=seed)
    stages = {
        n: [[make_env("CartPole-v1") for _ in range(n)]] for n in (eval_episodes, final_episodes)
    }

    def greedy(n_episodes: int) -> dict[str, float]:
        networks = StackedNetworks([agent.online])
        played = greedy_together(networks, stages[n_episodes], agent.gamma)[0]
        returns, discounted, predicted, _ = np.transpose(played)
        return {
            "return": returns.mean(),
            "discounted": discounted.mean(),
            "predicted": predicted.mean(),
        }

    evals, losses, returns, so_far = [], [], [], 0.0
    for step, (reward, over, loss) in enumerate(
        dqn.train(agent, make_env("CartPole-v1"), n_env_steps, seed), start=1
    ):
        so_far += reward
        if over:
            returns.append(so_far)
            so_far = 0.0
        if loss is not None:
            losses.append(loss)
        if step % eval_every == 0:
            means = {"loss": np.mean(losses), "training_return": np.mean(returns)}
            evals.append({"env_steps": step, **greedy(eval_episodes), **means})
            losses, returns = [], []
    return {"evals": pd.DataFrame(evals), "final": pd.DataFrame([greedy(final_episodes)])}


STUDY = Study(
    name="debugging",
    question="What do ten silent bugs of DQN do to the curves that one looks at?",
    run=run,
    arms={"healthy": {"bug": None}} | {bug: {"bug": bug} for bug in BUGS},
    seeds=tuple(range(10)),
)

if __name__ == "__main__":
    main(STUDY, DATA)
