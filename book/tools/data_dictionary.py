"""The page that says what every stored table holds: ``python book/tools/data_dictionary.py``.

The words stand here; which study has which tables, with which columns, is read from ``book/data``.
"""

from pathlib import Path

from rl_lab.course.results import Result, load_study

BOOK = Path(__file__).parents[1]
PAGE = BOOK / "data_dictionary.md"

# What a row is, in the tables of each name.
TABLES = {
    "episodes": "one training episode, with exploration",
    "cosines": "one moment of a run, and one distance between updates",
    "errors": "one moment of a run; in `chain` its values are compared with the true ones, in "
    "`minibatch` with their targets",
    "evals": "one evaluation during training: some greedy episodes, from starts that are the same "
    "in all rows",
    "final": "one agent after training: 100 greedy episodes, 50 in `rainbow` and "
    "`rainbow_without`; in `rainbow_corridor` its tries, which are training episodes",
    "noise": "one agent, one room, and one moment",
    "times": "one measurement of a stack of twenty agents",
    "tries": "20 tries of one agent",
    "trials": "one agent of a trial of the search",
    "worth": "one moment of a run, one order of the transitions, and one quantity",
}

# What a column holds; where that depends on the table, the table's name stands in front.
COLUMNS = {
    "arm": "the settings of the run, by the name they have in the manifest",
    "seed": "seed of the agent and of its training environment",
    "setting": "what the run changed of the settings of its arm",
    "trial": "number of the trial, from 0",
    "episode": "number of the episode in its run, from 1",
    "env_steps": "environment steps of training so far; in `episodes` at the end of the episode",
    "updates": "updates of the network so far",
    "return": "undiscounted return, mean of the row's greedy episodes",
    "episodes.return": "undiscounted return of the episode",
    "trials.return": "undiscounted return after training, mean of 100 greedy episodes",
    "return_std": "standard deviation of the undiscounted return over the row's greedy episodes "
    "(divided by their number)",
    "return_min": "least undiscounted return of the row's greedy episodes",
    "length": "environment steps in a greedy episode, mean",
    "discounted": "discounted return from the first state, by the agent's own discount, mean",
    "predicted": "largest action value that the agent gives the first state of a greedy episode, "
    "mean: what it predicts for `discounted`",
    "loss": "loss of the updates during the episode, mean; empty where there was no update",
    "evals.loss": "loss of the updates since the row before, mean",
    "training_return": "undiscounted return of the training episodes since the row before, mean",
    "epsilon": "probability of a random action, at the end of training",
    "episodes.epsilon": "probability of a random action, at the start of the episode",
    "score": "undiscounted return, mean of the greedy episodes in the last 20,000 environment "
    "steps; the search maximises its mean over the seeds of a trial",
    "lr": "learning rate of Adam",
    "gamma": "discount per environment step",
    "target_update_freq": "updates between two copies to the target network",
    "epsilon_decay_steps": "environment steps until epsilon reaches its minimum",
    "epsilon_min": "minimum of epsilon",
    "rms": "root of the mean squared error of the action values, over all states and actions",
    "bias": "mean error of the action values, estimate minus truth",
    "right": "share of states in which the greedy action is the best one",
    "k": "bins for each of the four numbers of an observation",
    "entries": "entries of the table, states times actions",
    "visited": "entries that were updated at least once",
    "training_episodes": "episodes played during training",
    "rows": "order in which 8,192 transitions are cut into minibatches",
    "of": "quantity whose mean over a minibatch is looked at",
    "worth": "effective sample size of a minibatch: how many independent transitions have a mean "
    "of the same variance",
    "lag": "updates from one gradient to the other",
    "cosine": "cosine of the angle between two gradients, mean over the pairs",
    "latest": "squared TD error on the last 32 transitions, right after an update, mean",
    "earlier": "squared TD error on a random sample of all transitions before those, mean",
    "landed": "greedy episodes, of 100, that end with the lander at rest",
    "crashed": "greedy episodes, of 100, that end in any other terminal state, but for those that "
    "left",
    "left": "greedy episodes, of 100, that end outside of the viewport, at the side",
    "hovered": "greedy episodes, of 100, that reach the time limit with no leg on the ground",
    "found": "whether a try reached the prize",
    "first": "number of the first try that reached the prize, from 1; 401 if none did",
    "last_50": "share of the last 50 tries that reached the prize",
    "passed": "rooms passed in a try, mean of the row's tries; in `final` of the first 200",
    "tries": "tries so far",
    "when": "before or after training",
    "room": "number of the room, from 0",
    "gap": "value of the trap less that of the safe door, mean over 200 draws of the noise",
    "spread": "standard deviation of that difference over the draws",
    "ms": "processor time of an environment step with its update, in milliseconds, by agent",
    "sat": "greedy episodes, of 100, that reach the time limit on the ground, not at rest",
}

TOP = """\
# Data dictionary

What takes longer than a chapter may is run once, as a *study*, and stored in `book/data`: each
table as `STUDY.TABLE.csv`, the largest ones compressed (`.csv.gz`), and a manifest `STUDY.json`
with the question, all settings, seeds, versions, the processor and the checksums of the tables.

```python
from rl_lab.course.results import curves, load_study

study = load_study("book/data/cartpole")
study.tables["final"]  # a DataFrame
study.manifest["definition"]["arms"]["recipe"]  # the settings behind its rows
curves(study.tables["evals"], "return")  # a table for each arm, a column for each seed
```

Numbers have seven digits. An empty field is a number that does not exist, such as the loss of an
episode without an update. A *greedy* episode is played without exploration and without learning.
"""


def describe(table: str, column: str) -> tuple[str, str]:
    """The key in `COLUMNS` that holds for a column, and what the column holds."""
    key = f"{table}.{column}" if f"{table}.{column}" in COLUMNS else column
    return key, COLUMNS[key]


def rows(header: str, cells: list[tuple[str, ...]]) -> str:
    """A table of Markdown."""
    names = header.split(", ")
    lines = [names, ["---"] * len(names), *cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def page(results: dict[str, Result]) -> str:
    """The page on some stored studies.

    Raises:
        KeyError: if a table or a column is not described.
    """
    found, used = {}, set()
    for result in results.values():
        for name, table in result.tables.items():
            used.add(name)
            for column in table.columns:
                found.setdefault(describe(name, column), set()).add(name)
    kinds = {name: TABLES[name] for name in sorted(used)}
    columns = [
        (f"`{key.split('.')[-1]}`", ", ".join(f"`{name}`" for name in sorted(names)), text)
        for (key, text), names in sorted(
            found.items(), key=lambda item: item[0][0].split(".")[::-1]
        )
    ]
    studies = [
        (
            f"`{name}`",
            result.manifest["question"],
            ", ".join(f"`{t}` ({len(table):,})" for t, table in result.tables.items()),
        )
        for name, result in results.items()
    ]
    return "\n".join(
        [
            TOP,
            "## Studies\n",
            rows("study, question, tables (rows)", studies),
            "## Tables\n",
            rows("table, a row is", [(f"`{name}`", text) for name, text in kinds.items()]),
            "## Columns\n",
            rows("column, in, meaning", columns),
        ]
    )


def stored() -> dict[str, Result]:
    """All stored studies, by name."""
    return {
        path.stem: load_study(path.with_suffix(""))
        for path in sorted((BOOK / "data").glob("*.json"))
    }


if __name__ == "__main__":
    PAGE.write_text(page(stored()), encoding="utf-8")
