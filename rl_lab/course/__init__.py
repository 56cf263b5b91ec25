"""What serves the pages of the book: nothing in the rest of `rl_lab` imports it."""
