"""The library behind the book: everything a chapter imports, and nothing else.

Import from the modules themselves, as the chapters do::

    from rl_lab.agents.dqn import DQNAgent, ReplayBuffer
    from rl_lab.training import evaluate, train_dqn
"""
