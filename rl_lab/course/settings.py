"""The settings that the chapters and their studies share, as plain dictionaries.

An experiment is one of these with a change: ``CARTPOLE | {"target_update_freq": 1}``.
"""

# One common set of hyperparameters for CartPole-v1. They do not solve it reliably.
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

# A recipe for CartPole-v1 in 60,000 environment steps; trained with double=True in the loss.
CARTPOLE_STEPS = 60_000
CARTPOLE_RECIPE = CARTPOLE | dict(
    epsilon_min=0.05,
    epsilon_decay_steps=10_000,
    learning_starts=1_000,
    lr_decay_updates=59_000,
    buffer_size=CARTPOLE_STEPS,  # nothing is forgotten, the falls of the beginning least of all
)

# What a search found for 50,000 environment steps (`book/studies/search.py`); double=True, too.
CARTPOLE_SEARCHED_STEPS = 50_000
CARTPOLE_SEARCHED = CARTPOLE | dict(
    lr=2.9e-3,
    target_update_freq=44,
    epsilon_min=0.012,
    epsilon_decay_steps=6_000,
    learning_starts=1_000,
    lr_decay_updates=49_000,
    buffer_size=CARTPOLE_SEARCHED_STEPS,
)

# The same settings for comparisons in which episodes differ in length: epsilon falls by steps.
CARTPOLE_BY_STEPS = CARTPOLE | dict(epsilon_min=0.05, epsilon_decay_steps=10_000)

# Chosen by hand for 50,000 environment steps: the network is shown five times the angle
# (`make_env("CartPole-v1", scale=CARTPOLE_SCALE)`); double=True, too.
CARTPOLE_SCALE = [1, 1, 5, 1]
CARTPOLE_SCALED = CARTPOLE_RECIPE | dict(
    epsilon_min=0.1,
    lr_decay_updates=49_000,
    buffer_size=CARTPOLE_SEARCHED_STEPS,
)

# One common set of hyperparameters for LunarLander.
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

# A recipe for LunarLander-v3 in 300,000 environment steps; trained with double=True in the loss.
LANDER_STEPS = 300_000
LANDER_RECIPE = LANDER | dict(
    hidden_dim=128,
    batch_size=64,
    epsilon_min=0.02,
    epsilon_decay_steps=60_000,
    learning_starts=2_000,
    lr_decay_updates=298_000,
)

# What a comparison of settings found for LunarLander-v3 (`book/studies/search_lander.py`).
LANDER_SEARCHED = LANDER_RECIPE | dict(
    lr=1e-3,
    epsilon_min=0.1,
    buffer_size=LANDER_STEPS,
)

# For the game of 10 x 10 pixels, small enough for ten agents to share a core.
PIXELS_STEPS = 30_000
PIXELS = dict(
    hidden_dim=128,
    lr=1e-3,
    gamma=0.99,
    epsilon=1.0,
    epsilon_min=0.05,
    epsilon_decay_steps=10_000,
    buffer_size=PIXELS_STEPS,
    batch_size=32,
    target_update_freq=100,
    learning_starts=1_000,
    update_every=4,
)
