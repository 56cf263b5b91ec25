"""Agents: each has `select_action`, `update` and `decay_epsilon`."""
