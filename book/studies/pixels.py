"""The game of bricks: what an agent has to be shown, and what the family adds.

All arms share the network, environment steps, updates, batch size and exploration. `VIEWS` differ
in what is seen: one frame, two, or one with the ball's trail. `FAMILY` sees the trail and learns by
plain DQN or by Double DQN with 3-step returns. Measures, each with an interval over seeds: the
mean greedy return over the run, and the greedy return of 100 episodes after it.
"""

from pathlib import Path

from rl_lab.course.settings import PIXELS, PIXELS_STEPS
from rl_lab.course.studies import Study, main, run_dqn

DATA = Path(__file__).parents[1] / "data"


def _arm(view: str, n_step: int = 1, double: bool = False) -> dict:
    return dict(
        env=dict(name="rl_lab/Bricks-v0", view=view),
        agent=PIXELS | dict(n_step=n_step),
        loss=dict(double=double),
        train=dict(n_episodes=100_000, max_steps=500, n_env_steps=PIXELS_STEPS),
        eval_every=2_500,
        keep_episodes=False,
    )


VIEWS = Study(
    name="pixels",
    question="What does an agent have to see to play a game of 10 x 10 pixels?",
    run=run_dqn,
    arms={"one frame": _arm("one"), "two frames": _arm("two"), "trail": _arm("trail")},
    seeds=tuple(range(5_000, 5_010)),
    group=10,
    prediction="With one frame the agent does little better than random play, for it cannot tell "
    "where the ball goes. Two frames and a trail do equally well, since they show the same.",
)

FAMILY = Study(
    name="pixels_family",
    question="Do Double DQN and 3-step returns learn a game of 10 x 10 pixels faster than DQN?",
    run=run_dqn,
    arms={"plain": _arm("trail"), "Double, 3 steps": _arm("trail", n_step=3, double=True)},
    seeds=tuple(range(5_000, 5_020)),
    group=10,
    prediction="Double DQN with 3-step returns does better than plain DQN, as parts of Rainbow did "
    "in Hessel et al. (2018).",
)

if __name__ == "__main__":
    main(VIEWS, DATA)
    main(FAMILY, DATA)
