"""Put Stable-Baselines3's DQN through the probe environments: ``make bench`` does so, too.

Twice: as it is, when every probe has to pass, and told to take time limits for terminal states,
when the last one has to fail and no other.
"""

import sys
import time

import torch
from stable_baselines3 import DQN

from rl_lab.probes import probe


class Rival:
    """Stable-Baselines3's DQN with what `probe` asks of a program that has its own loop."""

    gamma = 0.9

    def __init__(self, env, seed: int, **replay) -> None:
        self.model = DQN(
            "MlpPolicy",
            env,
            learning_rate=1e-3,
            buffer_size=10_000,
            learning_starts=100,
            batch_size=64,
            gamma=self.gamma,
            train_freq=1,
            target_update_interval=100,
            exploration_fraction=0.5,
            replay_buffer_kwargs=replay,
            device="cpu",
            seed=seed,
        )

    def learn_in(self, env, n_env_steps: int) -> None:
        self.model.learn(n_env_steps)

    def q_values(self, state):
        with torch.no_grad():
            return self.model.q_net(torch.as_tensor(state)[None])[0].numpy()

    def select_action(self, state, training: bool = False) -> int:
        return int(self.model.predict(state, deterministic=not training)[0])


def main() -> int:
    """Print both reports; an unexpected verdict is an error."""
    torch.set_num_threads(1)
    wrong = 0
    for handles, expected in ((True, []), (False, ["time limit"])):
        start = time.process_time()
        report = probe(lambda env, h=handles: Rival(env, 0, handle_timeout_termination=h))
        failed = [result.probe.name for result in report.results if not result.passed]
        print(f"handle_timeout_termination={handles}: {time.process_time() - start:.0f} s")
        print(f"{report}\n")
        wrong += failed != expected
    return wrong


if __name__ == "__main__":
    sys.exit(main())
