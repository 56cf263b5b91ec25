"""The settings that the chapters and their studies share, as plain dictionaries.

An experiment is one of these with a change: ``CARTPOLE | {"target_update_freq": 1}``.
"""

# The common settings of tutorials for CartPole-v1. They do not solve it reliably.
CARTPOLE = dict(
    hidden_dim=128,
    lr=1e-3,
    gamma=0.99,
    epsilon=1.0,
    epsilon_min=0.01,
    epsilon_decay=0.995,
    buffer_size=50_000,
    batch_size=64,
    target_update_freq=100,
)

# The common settings of tutorials for LunarLander.
LANDER = dict(
    hidden_dim=256,
    lr=5e-4,
    gamma=0.99,
    epsilon=1.0,
    epsilon_min=0.01,
    epsilon_decay=0.998,
    buffer_size=100_000,
    batch_size=128,
    target_update_freq=200,
)
