"""Plants one-line bugs in a copy of the repository and sees that the unit tests catch each.

``make mutants`` plants all; ``python tests/mutants.py ring gamma`` those with such names.
"""

import multiprocessing
import os
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
COPIED = ("rl_lab", "tests", "pyproject.toml", "book/films")
TIMEOUT = 600  # seconds; a bug that makes a loop endless is caught, too

# Where the system allows it, each run starts from a process that has the large packages.
STARTS = multiprocessing.get_all_start_methods()
CONTEXT = multiprocessing.get_context("forkserver" if "forkserver" in STARTS else "spawn")
PACKAGES = ["torch._dynamo", "gymnasium", "hypothesis", "matplotlib.pyplot", "pandas", "pytest"]
PACKAGES += ["scipy.stats", "joblib", "imageio.v3", "IPython.display", "tqdm.auto"]


class Mutant(NamedTuple):
    """One line of a file of rl_lab, and what a bug makes of it."""

    name: str
    file: str
    old: str
    new: str


LOSSES, REPLAY, DQN = "losses.py", "replay.py", "agents/dqn.py"
TABULAR, LOOP, STATS = "agents/tabular.py", "training.py", "stats.py"
STACK, STUDIES, ENVS, PLOTS = "multiseed.py", "studies.py", "envs.py", "plotting.py"
OPTIM = "optim.py"
GRADIENTS = "gradients.py"

# The test files that have to catch the bugs of a file.
GUARDS = {
    LOSSES: ["losses", "gradients"],
    REPLAY: ["replay", "bad_input"],
    GRADIENTS: ["gradients", "dqn"],
    DQN: ["dqn", "bad_input", "oracle"],
    TABULAR: ["oracle", "bad_input"],
    LOOP: ["training"],
    STATS: ["stats"],
    STACK: ["multiseed"],
    OPTIM: ["optim", "gradients"],
    STUDIES: ["studies"],
    ENVS: ["envs", "oracle"],
    PLOTS: ["plotting"],
    "networks.py": ["dqn"],
    "films.py": ["films"],
    "claims.py": ["stats"],
    "utils/common.py": ["device", "dqn"],
}

MUTANTS = [
    # losses
    Mutant("sign of the td error", LOSSES, "td_errors = y - q", "td_errors = q - y"),
    Mutant("no terminal mask", LOSSES, " * (1 - batch.dones)", ""),
    Mutant("gradient into the target", LOSSES, "with torch.no_grad():", "if True:"),
    Mutant("double by the target's argmax", LOSSES, "best = online(", "best = target("),
    Mutant("double ignored", LOSSES, "gamma, double=double)", "gamma)"),
    Mutant("mean in place of max", LOSSES, "next_q.amax(-1)", "next_q.mean(-1)"),
    Mutant("gamma to no power", LOSSES, "gamma**batch.horizons", "gamma"),
    Mutant("no gamma", LOSSES, "gamma**batch.horizons * ", ""),
    Mutant("factor of huber", LOSSES, "F.huber_loss(q, y, ", "2 * F.huber_loss(q, y, "),
    Mutant("absolute error", LOSSES, "td_errors.square()", "td_errors.abs()"),
    Mutant("td errors not detached", LOSSES, "losses, td_errors.detach()", "losses, td_errors"),
    Mutant("no shape guard", LOSSES, "if q.shape != y.shape:", "if False:"),
    # replay
    Mutant(
        "ring off by one", REPLAY, "self._n_pushed % self.capacity", "len(self) % self.capacity"
    ),
    Mutant(
        "newest is never drawn",
        REPLAY,
        "integers(len(self), size",
        "integers(max(1, len(self) - 1), size",
    ),
    Mutant(
        "draws beyond what is stored",
        REPLAY,
        "integers(len(self), size",
        "integers(self.capacity, size",
    ),
    Mutant(
        "length without end",
        REPLAY,
        "return min(self._n_pushed, self.capacity)",
        "return self._n_pushed",
    ),
    Mutant("state for next state", REPLAY, "= next_state.ravel()", "= state.ravel()"),
    Mutant("NaN is stored", REPLAY, "if not np.isfinite(incoming).all():", "if False:"),
    Mutant(
        "recent ones off by one",
        REPLAY,
        "self._newest + 1 - batch_size",
        "self._newest - batch_size",
    ),
    Mutant("buffer unseeded", REPLAY, "np.random.default_rng(seed)", "np.random.default_rng()"),
    Mutant(
        "buffer with one seed", REPLAY, "np.random.default_rng(seed)", "np.random.default_rng(0)"
    ),
    # agent
    Mutant("falsy buffer", DQN, "if replay is None else replay", "if not replay else replay"),
    Mutant(
        "target in environment steps",
        DQN,
        "if self.n_updates % self.target",
        "if self.n_env_steps % self.target",
    ),
    Mutant(
        "target one update late",
        DQN,
        "if self.n_updates % self.target_update_freq == 0:",
        "if self.n_updates % self.target_update_freq == 1:",
    ),
    Mutant(
        "tau swapped", DQN, "frozen.lerp_(learned, self.tau)", "frozen.lerp_(learned, 1 - self.tau)"
    ),
    Mutant("tau ignored", DQN, "frozen.lerp_(learned, self.tau)", "frozen.copy_(learned)"),
    Mutant(
        "target is the online network",
        DQN,
        "copy.deepcopy(self.online).requires_grad_(False)",
        "self.online",
    ),
    Mutant(
        "epsilon decays by step",
        DQN,
        "self.n_env_steps += 1",
        "self.n_env_steps += 1; self.decay_epsilon()",
    ),
    Mutant(
        "no floor of epsilon",
        DQN,
        "max(self.epsilon_min, self.epsilon * self.epsilon_decay)",
        "self.epsilon * self.epsilon_decay",
    ),
    Mutant(
        "linear epsilon overshoots",
        DQN,
        "share = min(1.0, self.n_env_steps / self.epsilon_decay_steps)",
        "share = self.n_env_steps / self.epsilon_decay_steps",
    ),
    Mutant(
        "greedy play explores", DQN, "if training and self._rng.random()", "if self._rng.random()"
    ),
    Mutant(
        "one stream for all",
        DQN,
        "np.random.default_rng(exploration)",
        "np.random.default_rng(sampling)",
    ),
    Mutant(
        "weights by the global generator",
        DQN,
        "int(weights.generate_state(1)[0])",
        "torch.initial_seed() + 1",
    ),
    Mutant(
        "exploration with one seed",
        DQN,
        "np.random.default_rng(exploration)",
        "np.random.default_rng(0)",
    ),
    Mutant(
        "buffer gets no seed",
        DQN,
        "ReplayBuffer(buffer_size, seed=sampling)",
        "ReplayBuffer(buffer_size)",
    ),
    Mutant(
        "no schedule of the step size",
        DQN,
        "max(0.0, 1 - self.n_updates / self.lr_decay_updates)",
        "1.0",
    ),
    Mutant("not-finite check gone", DQN, "if not math.isfinite(value):", "if False:"),
    Mutant(
        "bad action accepted",
        DQN,
        "0 <= action < self.n_actions and",
        "0 <= action <= self.n_actions and",
    ),
    Mutant(
        "bad next state accepted",
        DQN,
        'self._checked(next_state, "next_state")',
        "np.asarray(next_state)",
    ),
    Mutant(
        "random action of a bad state",
        DQN,
        '            self._checked(state, "state")\n            return',
        "            return",
    ),
    Mutant("update every ignored", DQN, "self.n_env_steps % self.update_every == 0", "True"),
    Mutant(
        "learning starts ignored",
        DQN,
        "len(self.replay) >= self.batch_size and self.n_env_steps >= self.learning_starts",
        "len(self.replay) >= self.batch_size",
    ),
    Mutant("no feedback", DQN, "self.replay.feedback(slots, td_errors)", "pass"),
    Mutant("gradients pile up", GRADIENTS, "parameter.grad = None", "pass"),
    Mutant("sign of the slope", LOSSES, "else -2 * td_errors", "else 2 * td_errors"),
    Mutant("slope of huber not clipped", LOSSES, "-td_errors.clamp(-1, 1)", "-td_errors"),
    Mutant("weights left out by hand", GRADIENTS, "huber=huber).mul_(weights)", "huber=huber)"),
    Mutant(
        "weights left out by autograd", GRADIENTS, "(losses * weights).mean()\n", "losses.mean()\n"
    ),
    Mutant("sum in place of mean", GRADIENTS, ".div_(weights.shape[-1])", ""),
    Mutant("no slope of the second relu", GRADIENTS, ".mul_(second.sign_())", ""),
    Mutant("no slope of the first relu", GRADIENTS, ".mul_(first.sign_())", ""),
    Mutant("bias forgotten", GRADIENTS, "torch.sum(g2, -2, out=db2)", "pass"),
    Mutant(
        "hidden of the next states",
        GRADIENTS,
        "own if states is batch.states else",
        "own if True else",
    ),
    Mutant("no room for the slopes", GRADIENTS, "g1, g2, g3 = other", "g1, g2, g3 = own"),
    Mutant(
        "room of another batch size",
        GRADIENTS,
        "self._rooms is None or len(weights) != self._rooms[0][0].shape[0]",
        "self._rooms is None",
    ),
    Mutant(
        "first layer turned over",
        GRADIENTS,
        "batch.states.mT, g1).mT)",
        "batch.states.mT, g1).view_as(dw1))",
    ),
    Mutant("a copy keeps its old vector", GRADIENTS, "parameter.data = piece", "pass"),
    # table
    Mutant("table forgets the end", TABULAR, " * (1 - bool(done))", ""),
    Mutant("table's step size", TABULAR, "+= self.lr * td_error", "+= td_error"),
    Mutant("table breaks no ties", TABULAR, "best[0] if len(best) == 1", "best[0] if True"),
    # loop
    Mutant(
        "time limit as terminal",
        LOOP,
        "state, action, reward, next_state, terminated, truncated=truncated",
        "state, action, reward, next_state, terminated or truncated, truncated=truncated",
    ),
    Mutant(
        "truncation kept secret",
        LOOP,
        "next_state, terminated, truncated=truncated",
        "next_state, terminated",
    ),
    Mutant(
        "max_steps not passed on",
        LOOP,
        "truncated = truncated or length >= max_steps",
        "terminated = terminated or length >= max_steps",
    ),
    Mutant("seeded every episode", LOOP, "seed=seed if not env_steps else None", "seed=seed"),
    Mutant("never seeded", LOOP, "seed=seed if not env_steps else None", "seed=None"),
    Mutant("old state for ever", LOOP, "                state = next_state\n", ""),
    Mutant(
        "evaluation explores",
        LOOP,
        "agent.select_action(state, training=False)",
        "agent.select_action(state)",
    ),
    Mutant(
        "evaluations all alike",
        LOOP,
        "greedy_episode(agent, env, seed + i, max_steps)",
        "greedy_episode(agent, env, seed, max_steps)",
    ),
    Mutant(
        "evaluates on the training seed",
        LOOP,
        "played = greedy_episodes(agent, eval_env, eval_episodes)",
        "played = greedy_episodes(agent, eval_env, eval_episodes, seed=seed)",
    ),
    Mutant(
        "discounts one step late", LOOP, "np.arange(len(rewards))", "np.arange(1, len(rewards) + 1)"
    ),
    Mutant(
        "epsilon after its decay",
        LOOP,
        "history.epsilons.append(epsilon)",
        "history.epsilons.append(agent.epsilon)",
    ),
    Mutant("epsilon never decays", LOOP, "            agent.decay_epsilon()\n", ""),
    Mutant("nothing learned reads as zero", LOOP, "if losses else math.nan", "if losses else 0.0"),
    Mutant("mean of all episodes", LOOP, "np.mean(returns[-every:])", "np.mean(returns)"),
    Mutant("interruption unsaid", LOOP, "history.interrupted = True", "pass"),
    Mutant("history lost", LOOP, "error.history = history", "pass"),
    # stack
    Mutant(
        "moments of another agent",
        STACK,
        "moments[0] = _without(moments[0], index)",
        "moments[0] = _without(moments[0], 0)",
    ),
    Mutant(
        "one step size for all arms", STACK, "self.agents[start].current_lr", "self.agents[0].lr"
    ),
    Mutant("blocks miscounted", STACK, "            start += len(block)\n", ""),
    # optimiser
    Mutant("a frozen step size", OPTIM, 'lr=group["lr"]', "lr=0.1"),
    Mutant("a steeper memory", OPTIM, "beta2=0.999", "beta2=0.99"),
    Mutant("frozen layers move", OPTIM, " if p.grad is not None", ""),
    Mutant(
        "stack or-s the flags",
        STACK,
        "action, reward, next_state, terminated)",
        "action, reward, next_state, terminated or truncated)",
    ),
    Mutant(
        "stack forgets the target",
        STACK,
        "self.target.weights.lerp_(self.online.weights, self.agents[0].tau)",
        "pass",
    ),
    Mutant(
        "one tau for all arms",
        STACK,
        "self.online.weights[i], self.agents[i].tau)",
        "self.online.weights[i], self.agents[0].tau)",
    ),
    Mutant(
        "one period for all arms",
        STACK,
        "if a.n_updates % a.target_update_freq",
        "if a.n_updates % self.agents[0].target_update_freq",
    ),
    Mutant(
        "one gamma for all evaluations",
        STACK,
        "[run.agent.gamma for run in live]",
        "agents[0].gamma",
    ),
    Mutant(
        "target in the slopes' room", STACK, "states, self._frozen_room)", "states, self._rooms[1])"
    ),
    Mutant("one gamma for all arms", STACK, "[[agent.gamma] for", "[[first.gamma] for"),
    Mutant(
        "all arms in one block", STACK, "return agent.lr, agent.lr_decay_updates", "return None"
    ),
    Mutant(
        "an interrupted stack keeps its weights",
        STACK,
        "for index in reversed(range(len(stack.agents))):",
        "for index in ():",
    ),
    Mutant(
        "a stopped run is a result",
        STUDIES,
        "if any(history.interrupted for history in histories):",
        "if False:",
    ),
    Mutant("an interrupt goes unsaid", STACK, "run.history.interrupted = True", "pass"),
    Mutant("stack seeds every episode", STACK, "self._begin(None)", "self._begin(0)"),
    Mutant("same starts side by side", STACK, "e.reset(seed=seed + i)", "e.reset(seed=seed)"),
    # studies
    Mutant("a study starts again", STUDIES, "if not _is_finished(path, versions)]", "]"),
    Mutant(
        "parts are torn",
        STUDIES,
        'unfinished = {path: path.with_suffix(f".{os.getpid()}.tmp") for path in texts}',
        "unfinished = {path: path for path in texts}",
    ),
    Mutant("hash without the seeds", STUDIES, '            "seeds": self.seeds,\n', ""),
    Mutant(
        "the loss's settings dropped",
        STUDIES,
        "partial(q_learning_loss, **(loss or {}))",
        "partial(q_learning_loss)",
    ),
    # environments
    Mutant("value beyond the end", ENVS, "probability * (not terminated)", "probability"),
    Mutant(
        "chain never slips",
        ENVS,
        "slipped if self.np_random.random() < slipped[0] else planned",
        "planned",
    ),
    Mutant("prize does not end", ENVS, "float(s == last), s == last", "float(s == last), False"),
    Mutant("scale forgotten", ENVS, "(state * factors).astype", "state.astype"),
    Mutant("scale not checked", ENVS, "(factors > 0)).all()", "(factors > 0)).any()"),
    Mutant("endless scale", ENVS, "np.isfinite(factors) & (factors > 0)", "(factors > 0)"),
    Mutant("bins mixed up", ENVS, "k ** np.arange(len(self.low))", "np.arange(len(self.low)) + 1"),
    # statistics and figures
    Mutant(
        "bootstrap over points",
        STATS,
        "axis=0,\n        vectorized",
        "axis=-1,\n        vectorized",
    ),
    Mutant("level ignored", STATS, "confidence_level=level", "confidence_level=0.95"),
    Mutant("two seeds are enough", STATS, "if len(sample) < 3:", "if len(sample) < 2:"),
    Mutant("quarter becomes tenth", STATS, "0.25, axis=axis", "0.1, axis=axis"),
    Mutant("ties lost", STATS, "mannwhitneyu(x, y).statistic", "mannwhitneyu(x, y).statistic // 1"),
    Mutant("missing scores pass", STATS, "np.count_nonzero(~np.isfinite(scores))", "0"),
    Mutant("level in percent", STATS, "if not 0 < level < 1:", "if False:"),
    Mutant("bootstrap with one seed", STATS, "default_rng(seed)", "default_rng(0)"),
    Mutant("basic bootstrap", STATS, 'method="percentile"', 'method="basic"'),
    Mutant("strata drawn together", STATS, "vectorized=True", "vectorized=True, paired=True"),
    Mutant(
        "strata in reverse", STATS, "for sample in samples)))", "for sample in samples[::-1])))"
    ),
    Mutant("resamples first", STATS, "np.moveaxis(sample, axis, 0)", "sample"),
    Mutant("statistic over resamples", STATS, "if values.shape[-1:] !=", "if False and () !="),
    Mutant("matrix taken by rows", STATS, "isinstance(strata, list | tuple)", "len(strata) > 0"),
    Mutant("ties count as losses", STATS, "np.sign(x[:, None] - y) / 2 + 0.5", "x[:, None] > y"),
    Mutant("ties count as above", STATS, "(scores > tau)", "(scores >= tau)"),
    Mutant("profile upside down", STATS, "(scores > tau)", "(scores <= tau)"),
    Mutant("profile over all axes", STATS, "tau).mean(axis)", "tau).mean()"),
    Mutant(
        "moving average shifted",
        PLOTS,
        "rolling(window).mean()",
        "rolling(window, center=True).mean()",
    ),
    Mutant("n of the points", PLOTS, "(n={len(values)})", "(n={values.shape[1]})"),
    Mutant("mean for the line", PLOTS, "ax.plot(x, iqm(values)", "ax.plot(x, values.mean(0)"),
    Mutant("profile without its band", PLOTS, ", high, step=", ", low, step="),
    Mutant("profile steps early", PLOTS, 'where="post"', 'where="pre"'),
    Mutant("arrows upside down", PLOTS, "2: (1, 0), 3: (0, -1)", "2: (1, 0), 3: (0, 1)"),
    # the rest
    Mutant(
        "no second layer",
        "networks.py",
        "self.second(self.first(states).relu()).relu()",
        "self.first(states).relu()",
    ),
    Mutant(
        "global generator touched",
        "networks.py",
        "with torch.random.fork_rng(devices=[]):",
        "if True:",
    ),
    Mutant(
        "film explores",
        "films.py",
        "agent.select_action(state, training=False)",
        "agent.select_action(state)",
    ),
    Mutant("claims always hold", "claims.py", "if not holds:", "if False:"),
    Mutant("parts of other versions", STUDIES, '["versions"] == versions', '["versions"] != {}'),
    Mutant("defaults not defined", STUDIES, "return defaults | dict(", "return dict("),
    Mutant(
        "silent fallback to the CPU",
        "utils/common.py",
        'raise ValueError(f"device {name!r} is not present',
        "return torch.device('cpu'); (f\"device {name!r} is not present",
    ),
]


def run_guards(folder: Path, file: str) -> None:
    """Run the tests that guard `file` on the copy in `folder`, and leave with pytest's code."""
    import pytest  # only where tests are run

    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    files = [f"tests/test_{name}.py" for name in GUARDS[file]]
    code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", *files])
    imported = Path(sys.modules["rl_lab"].__file__)
    os._exit(code if imported.is_relative_to(folder) else 3)


def guards_pass(folder: Path, file: str) -> bool:
    """Whether the tests that guard `file` pass on the copy in `folder`."""
    process = CONTEXT.Process(target=run_guards, args=(folder, file))
    process.start()
    process.join(TIMEOUT)
    if process.is_alive():
        process.kill()
        return False
    if process.exitcode not in (0, 1):
        raise RuntimeError(f"the tests of {file} did not run:\n{(folder / 'log').read_text()}")
    return process.exitcode == 0


def copy_of_repository(folder: str) -> Path:
    for name in COPIED:
        source, target = ROOT / name, Path(folder, name)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return Path(folder)


def survives(mutant: Mutant | None, file: str) -> bool:
    """Whether no test notices the mutant; with None, whether the sound file passes."""
    with tempfile.TemporaryDirectory() as name:
        folder = copy_of_repository(os.path.realpath(name))
        if mutant:
            path = folder / "rl_lab" / file
            path.write_text(path.read_text().replace(mutant.old, mutant.new))
        passed = guards_pass(folder, file)
    if mutant:
        print("SURVIVED" if passed else "killed  ", mutant.name, flush=True)
    return passed


def misplaced(mutants: list[Mutant]) -> list[str]:
    """Mutants whose old line is not found exactly once, or that change nothing."""
    texts = {file: (ROOT / "rl_lab" / file).read_text() for file in GUARDS}
    return [m.name for m in mutants if texts[m.file].count(m.old) != 1 or m.old == m.new]


def main(words: list[str]) -> int | str:
    """Plant the mutants whose names hold one of the words, or all of them."""
    mutants = [m for m in MUTANTS if not words or any(word in m.name for word in words)]
    if lost := misplaced(mutants):
        return f"no such line, or more than one: {', '.join(lost)}"
    files = sorted({mutant.file for mutant in mutants})
    os.environ.update(OMP_NUM_THREADS="1", MPLBACKEND="agg")
    CONTEXT.set_forkserver_preload(PACKAGES)
    with ThreadPoolExecutor(max_workers=2) as two:
        sound = list(two.map(survives, [None] * len(files), files))
        if not all(sound):
            broken = [file for file, passes in zip(files, sound, strict=True) if not passes]
            return f"the tests fail without any mutant: {', '.join(broken)}"
        alive = sum(two.map(survives, mutants, [mutant.file for mutant in mutants]))
    print(f"{len(mutants) - alive} of {len(mutants)} mutants killed")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
