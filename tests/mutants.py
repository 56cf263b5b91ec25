"""Plants one-line bugs in a copy of the repository and sees that the unit tests catch each.

``make mutants`` plants all; ``python tests/mutants.py ring gamma`` those with such names.
"""

import importlib
import multiprocessing
import os
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
COPIED = ("rl_lab", "tests", "pyproject.toml", "book/videos", "book/_ext")
TIMEOUT = 600  # seconds; a bug that makes a loop endless is caught, too

# Where the system allows it, each run starts from a process that has the large packages.
STARTS = multiprocessing.get_all_start_methods()
CONTEXT = multiprocessing.get_context("forkserver" if "forkserver" in STARTS else "spawn")
PACKAGES = ["torch._dynamo", "gymnasium", "hypothesis", "matplotlib.pyplot", "pandas", "pytest"]
PACKAGES += ["scipy.stats", "joblib", "imageio.v3", "IPython.display", "tqdm.auto"]


class Mutant(NamedTuple):
    """One line of a file, named from rl_lab, and what a bug makes of it."""

    name: str
    file: str
    old: str
    new: str


LOSSES, REPLAY, DQN = "losses.py", "replay.py", "agents/dqn.py"
TABULAR, LOOP, STATS = "agents/tabular.py", "training.py", "stats.py"
STACK, STUDIES, ENVS, PLOTS = "stack.py", "course/studies.py", "envs.py", "course/plotting.py"
RESULTS = "course/results.py"
FAST_PATH = "fast_path.py"
NETWORKS, N_STEP = "networks.py", "n_step.py"
PRIORITIZED, DISTRIBUTIONAL = "prioritized.py", "distributional.py"
CHECKS = "checks.py"
PROBES = "probes.py"
BRICKS = "bricks.py"
YOURS = "course/your_environment.py"
PREDICTION = "../book/_ext/prediction.py"

# The tests that have to catch the bugs of a file: "course/studies" is tests/course/test_studies.py.
GUARDS = {
    LOSSES: ["losses", "fast_path"],
    REPLAY: ["replay", "bad_input"],
    FAST_PATH: ["fast_path", "dqn"],
    DQN: ["dqn", "bad_input", "oracle"],
    TABULAR: ["oracle", "bad_input"],
    LOOP: ["training", "checks"],
    CHECKS: ["checks", "training"],
    STATS: ["stats"],
    STACK: ["stack"],
    STUDIES: ["course/studies"],
    RESULTS: ["course/results", "course/studies"],
    ENVS: ["envs", "oracle"],
    PLOTS: ["course/plotting"],
    NETWORKS: ["networks"],
    N_STEP: ["n_step"],
    PRIORITIZED: ["prioritized"],
    DISTRIBUTIONAL: ["distributional"],
    "course/videos.py": ["course/videos"],
    PROBES: ["probes"],
    BRICKS: ["bricks"],
    YOURS: ["course/your_environment"],
    PREDICTION: ["tools/prediction"],
    "course/claims.py": ["stats"],
    "utils/common.py": ["device", "dqn"],
}

MUTANTS = [
    # losses
    Mutant("sign of the td error", LOSSES, "td_errors = y - q", "td_errors = q - y"),
    Mutant("no terminal mask", LOSSES, " * (1 - batch.dones)", ""),
    Mutant("gradient into the target", LOSSES, "with torch.no_grad():", "if True:"),
    Mutant("double by the target's argmax", LOSSES, "best = online(", "best = target("),
    Mutant(
        "double ignored",
        LOSSES,
        "return q_learning_loss(online, target, batch, double=self.double,",
        "return q_learning_loss(online, target, batch, double=False,",
    ),
    Mutant("mean in place of max", LOSSES, "next_q.amax(-1)", "next_q.mean(-1)"),
    Mutant("gamma to no power", N_STEP, "self.gamma**k", "self.gamma"),
    Mutant("no gamma", LOSSES, "batch.discounts * (1", "(1"),
    Mutant("factor of huber", LOSSES, "F.huber_loss(q, y, ", "2 * F.huber_loss(q, y, "),
    Mutant("absolute error", LOSSES, "td_errors.square()", "td_errors.abs()"),
    Mutant("td errors not detached", LOSSES, "losses, td_errors.detach()", "losses, td_errors"),
    Mutant("no shape guard", LOSSES, "if q.shape != y.shape:", "if False:"),
    # replay
    Mutant(
        "ring off by one",
        REPLAY,
        "self._n_added % self.capacity\n        row",
        "len(self) % self.capacity\n        row",
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
        "return min(self._n_added, self.capacity)",
        "return self._n_added",
    ),
    Mutant(
        "state for next state",
        REPLAY,
        "as_observation(next_observation,",
        "as_observation(observation,",
    ),
    Mutant("NaN is stored", REPLAY, "if not np.isfinite(array).all():", "if False:"),
    Mutant(
        "recent ones off by one",
        REPLAY,
        "self._n_added - batch_size + np",
        "self._n_added - 1 - batch_size + np",
    ),
    Mutant("buffer unseeded", REPLAY, "np.random.default_rng(seed)", "np.random.default_rng()"),
    Mutant(
        "buffer with one seed", REPLAY, "np.random.default_rng(seed)", "np.random.default_rng(0)"
    ),
    # agent
    Mutant(
        "falsy buffer",
        DQN,
        "if callable(replay) else replay\n",
        "if not replay else ReplayBuffer(9)\n",
    ),
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
        "seeded(make, first_draw)",
        "make()",
    ),
    Mutant(
        "lazy layers without a seed",
        DQN,
        "seeded(self._require_values_of_every_action,",
        "(lambda f, _: f())(self._require_values_of_every_action,",
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
        "replay(int(buffer_size), seed=sampling)",
        "replay(int(buffer_size))",
    ),
    Mutant(
        "no schedule of the step size",
        DQN,
        "max(0.0, 1 - self.n_updates / self.lr_decay_updates)",
        "1.0",
    ),
    Mutant(
        "not-finite check gone",
        DQN,
        "if math.isfinite(loss) and math.isfinite(norm):",
        "if True:",
    ),
    Mutant(
        "bad action accepted",
        DQN,
        "and 0 <= action < self.n_actions",
        "and 0 <= action <= self.n_actions",
    ),
    Mutant(
        "bad next state accepted",
        DQN,
        '            self._observation(next_state, "next_state"),\n',
        "            np.asarray(next_state),\n",
    ),
    Mutant(
        "random action of a bad state",
        DQN,
        '        state = self._observation(state, "state")\n        if training',
        "        if training",
    ),
    Mutant("update every ignored", DQN, "self.n_env_steps % self.update_every == 0", "True"),
    Mutant(
        "learning starts ignored",
        DQN,
        "len(self.replay) >= self.batch_size and self.n_env_steps >= self.first_update",
        "len(self.replay) >= self.batch_size",
    ),
    Mutant(
        "no feedback",
        DQN,
        "self.replay.update_priorities(sample.indices, td_errors.cpu().numpy())",
        "pass",
    ),
    Mutant("gradients pile up", DQN, "        self.optimizer.zero_grad()\n", ""),
    Mutant("sign of the slope", LOSSES, "else -2 * td_errors", "else 2 * td_errors"),
    Mutant("slope of huber not clipped", LOSSES, "-td_errors.clamp(-1, 1)", "-td_errors"),
    Mutant(
        "weights left out by hand", FAST_PATH, "at_actions.mul_(weights).div_", "at_actions.div_"
    ),
    Mutant(
        "weights left out by autograd",
        DQN,
        "loss = (weights * losses).mean()",
        "loss = losses.mean()",
    ),
    Mutant("sum in place of mean", FAST_PATH, ".div_(weights.shape[-1])", ""),
    Mutant("no slope of the second relu", FAST_PATH, ".mul_(second.sign_())", ""),
    Mutant("no slope of the first relu", FAST_PATH, ".mul_(first.sign_())", ""),
    Mutant("bias forgotten", FAST_PATH, "torch.sum(g2, -2, out=db2)", "pass"),
    Mutant(
        "hidden of the next states",
        FAST_PATH,
        "own if observations is here else",
        "own if True else",
    ),
    Mutant("no room for the slopes", FAST_PATH, "g1, g2, g3 = other", "g1, g2, g3 = own"),
    Mutant(
        "first layer turned over",
        FAST_PATH,
        "torch.bmm(here.mT, g1).mT)",
        "torch.bmm(here.mT, g1).view_as(dw1))",
    ),
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
        "truncated = truncated or self.length >= max_steps",
        "terminated = terminated or self.length >= max_steps",
    ),
    Mutant(
        "end of the run kept secret",
        LOOP,
        "terminated, truncated or is_last)",
        "terminated, truncated)",
    ),
    Mutant(
        "an unfinished episode recorded",
        LOOP,
        "if run.over:\n                    run.close",
        "if run.over or is_last:\n                    run.close",
    ),
    Mutant(
        "seeded every episode",
        LOOP,
        "self.state = reset(self.env, seed)",
        "self.state = reset(self.env, seed or 0)",
    ),
    Mutant(
        "never seeded", LOOP, "self.state = reset(self.env, seed)", "self.state = reset(self.env)"
    ),
    Mutant(
        "one reset too many",
        LOOP,
        "del live[index]\n                elif run.over:",
        "del live[index]\n                if run.over:",
    ),
    Mutant(
        "a second interrupt loses weights",
        LOOP,
        "except KeyboardInterrupt:  #",
        "except EOFError:  #",
    ),
    Mutant(
        "steps cut by 500 episodes", LOOP, "is None and n_env_steps is None else", "is None else"
    ),
    Mutant("the wrong agent leaves", LOOP, "learner.pop(index)", "learner.pop(0)"),
    Mutant(
        "old state for ever",
        LOOP,
        "self.state, reward, terminated, truncated = step(",
        "_, reward, terminated, truncated = step(",
    ),
    Mutant(
        "next state as the state",
        LOOP,
        "return Step(state, action",
        "return Step(self.state, action",
    ),
    Mutant(
        "evaluation explores",
        LOOP,
        "agent.select_action(state, training=False)",
        "agent.select_action(state)",
    ),
    Mutant(
        "evaluations all alike",
        LOOP,
        "_play(agent, env, seed + i, max_steps)",
        "_play(agent, env, seed, max_steps)",
    ),
    Mutant(
        "evaluates on the training seed",
        LOOP,
        "[greedy_episodes(agent, eval_env, eval_episodes)]",
        "[greedy_episodes(agent, eval_env, eval_episodes, seed=seed)]",
    ),
    Mutant(
        "evaluates by place, not by number",
        LOOP,
        "[run.number for run in live]",
        "list(range(len(live)))",
    ),
    Mutant(
        "discounts one step late", LOOP, "np.arange(len(rewards))", "np.arange(1, len(rewards) + 1)"
    ),
    Mutant("epsilon after its decay", LOOP, "epsilons=self.epsilon", "epsilons=self.agent.epsilon"),
    Mutant("epsilon never decays", LOOP, "        self.agent.decay_epsilon()\n", ""),
    Mutant("nothing learned reads as zero", LOOP, "if values else math.nan", "if values else 0.0"),
    Mutant(
        "means over the whole run",
        LOOP,
        "self.metrics: list[Mapping[str, float]] = []",
        "self.metrics = getattr(self, 'metrics', [])",
    ),
    Mutant("mean of all episodes", LOOP, "np.mean(returns[-every:])", "np.mean(returns)"),
    Mutant(
        "interruption unsaid",
        LOOP,
        "interrupted = isinstance(error, KeyboardInterrupt)",
        "interrupted = False",
    ),
    Mutant("history lost", LOOP, "error.histories = histories", "pass"),
    Mutant("history of one lost", LOOP, "(error.history,) = histories", "pass"),
    Mutant("faults swallowed", LOOP, "if not isinstance(error, KeyboardInterrupt):", "if False:"),
    Mutant("agents not handed back", LOOP, "while learner.agents:", "while False:"),
    Mutant("half an episode kept", LOOP, "            del entries[whole:]", "            pass"),
    Mutant("endless episodes unsaid", LOOP, "if max_steps == MAX_STEPS:", "if False:"),
    Mutant(
        "the bar ignores its variable",
        LOOP,
        "hidden = {} if progress",
        'hidden = {"disable": False} if progress',
    ),
    # checks
    Mutant(
        "a reused array", CHECKS, "array = np.array(observation)", "array = np.asarray(observation)"
    ),
    Mutant(
        "misfits pass in training",
        LOOP,
        "        check_env(agent, env)\n        require",
        "        require",
    ),
    Mutant(
        "misfits pass in evaluation",
        LOOP,
        "    check_env(agent, env)\n    require_verbs(agent, ACTS)\n    warn",
        "    require_verbs(agent, ACTS)\n    warn",
    ),
    Mutant("actions not compared", CHECKS, "and n_actions != space.n:", "and n_actions > space.n:"),
    Mutant(
        "actions from 1",
        CHECKS,
        'if space.start != 0:\n        raise ValueError(\n            f"actions',
        'if False:\n        raise ValueError(\n            f"actions',
    ),
    Mutant(
        "shapes not compared",
        CHECKS,
        "if space.shape != shape:",
        "if len(space.shape) != len(shape):",
    ),
    Mutant("states not compared", CHECKS, "space.n != n_states", "space.n > n_states"),
    Mutant(
        "a wrapper passes as another",
        CHECKS,
        'if getattr(eval_env, "unwrapped", eval_env) is getattr(env, "unwrapped", env):',
        "if eval_env is env:",
    ),
    Mutant("a wrapped environment twice", CHECKS, 'id(getattr(env, "unwrapped", env))', "id(env)"),
    Mutant(
        "evaluation reseeds", CHECKS, "            setattr(owner, name, value)", "            pass"
    ),
    Mutant(
        "evaluation teaches statistics",
        CHECKS,
        'setattr(layer, "update_running_mean", False)',
        "pass",
    ),
    Mutant(
        "statistics frozen for good", CHECKS, 'setattr(layer, "update_running_mean", True)', "pass"
    ),
    Mutant("statistics not compared", CHECKS, "if seen is not shown:", "if False:"),
    Mutant("a flag of 2", CHECKS, "or array not in (0, 1)", ""),
    Mutant(
        "a reward in an array",
        CHECKS,
        'if array.ndim or array.dtype.kind not in "biuf":\n        raise',
        'if array.dtype.kind not in "biuf":\n        raise',
    ),
    # stack
    Mutant("moments of another agent", STACK, "_without(value, gone) if", "_without(value, 0) if"),
    Mutant(
        "one step size for all arms",
        STACK,
        "self.agents[start]._set_learning_rate",
        "self.agents[0]._set_learning_rate",
    ),
    Mutant("blocks miscounted", STACK, "            start += len(block)\n", ""),
    # optimiser
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
        "[agents[number].gamma for number in live]",
        "agents[0].gamma",
    ),
    Mutant(
        "target in the slopes' room",
        STACK,
        "activations(layers, observations, frozen)",
        "activations(layers, observations, own[1])",
    ),
    Mutant(
        "all arms in one block",
        STACK,
        "return type(agent.optimizer), group, agent.lr_decay_updates",
        "return None",
    ),
    Mutant(
        "a stopped run is a result",
        STUDIES,
        "if any(history.interrupted for history in histories):",
        "if False:",
    ),
    Mutant("same starts side by side", STACK, "reset(e, seed + i)", "reset(e, seed)"),
    # studies
    Mutant("a study starts again", STUDIES, "if not _is_finished(part, versions)]", "]"),
    Mutant(
        "parts are torn",
        RESULTS,
        'unfinished = {path: path.with_suffix(f".{os.getpid()}.tmp") for path in files}',
        "unfinished = {path: path for path in files}",
    ),
    Mutant("hash without the seeds", STUDIES, '            "seeds": self.seeds,\n', ""),
    Mutant("the loss's settings dropped", STUDIES, "(loss or {}) | MEAN", "MEAN"),
    # environments
    Mutant("value beyond the end", ENVS, "probability * (not terminated)", "probability"),
    Mutant(
        "chain never slips",
        ENVS,
        "slipped if self.np_random.random() < slipped[0] else planned",
        "planned",
    ),
    Mutant("a trap whose door is the same in all rooms", ENVS, "door != room % 2", "door != 0"),
    Mutant(
        "a time limit ends the game",
        BRICKS,
        "lost or self.n_left == 0, ",
        "lost or self.n_steps >= self.max_steps, ",
    ),
    Mutant("actions from the end", BRICKS, "if action not in (0, 1, 2):", "if action > 2:"),
    Mutant(
        "a lost ball plays on",
        BRICKS,
        "self.over = terminated or truncated",
        "self.over = truncated",
    ),
    Mutant(
        "a late ball plays on",
        BRICKS,
        "self.over = terminated or truncated",
        "self.over = terminated",
    ),
    Mutant("no episode needed", BRICKS, "self.over = True  # until", "self.over = False  # until"),
    Mutant("the trail lags behind", BRICKS, "self.last_cell = self.y, self.x\n        if", "if"),
    Mutant(
        "the wall is one cell off",
        BRICKS,
        "0 <= self.x + self.dx < SIZE",
        "0 < self.x + self.dx < SIZE",
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
        "strata in reverse", STATS, ") for sample in samples)", ") for sample in samples[::-1])"
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
    Mutant("mean for the line", PLOTS, "ax.plot(x, statistic(values", "ax.plot(x, np.mean(values"),
    Mutant("a band of another", PLOTS, "ci(values, statistic, level", "ci(values, level"),
    Mutant("profile without its band", PLOTS, ", high, step=", ", low, step="),
    Mutant("profile steps early", PLOTS, 'where="post"', 'where="pre"'),
    Mutant("arrows upside down", PLOTS, "2: (1, 0), 3: (0, -1)", "2: (1, 0), 3: (0, 1)"),
    # networks
    Mutant(
        "no second layer",
        NETWORKS,
        "hidden = self.second(self.first(observations.float()).relu()).relu()",
        "hidden = self.first(observations.float()).relu()",
    ),
    Mutant(
        "global generator touched", NETWORKS, "with torch.random.fork_rng(devices=[]):", "if True:"
    ),
    Mutant(
        "one atom loses its axis",
        NETWORKS,
        "return values if n_atoms is None else",
        "return values if n_atoms in (None, 1) else",
    ),
    Mutant(
        "advantages keep their mean",
        NETWORKS,
        "value + advantages - advantages.mean(-2, keepdim=True)",
        "value + advantages",
    ),
    Mutant("mean over atoms", NETWORKS, "advantages.mean(-2,", "advantages.mean(-1,"),
    Mutant(
        "best advantage subtracted",
        NETWORKS,
        "advantages.mean(-2, keep",
        "advantages.amax(-2, keep",
    ),
    Mutant("bytes as they are", NETWORKS, "pictures = pictures / 255", "pass"),
    Mutant("bits divided, too", NETWORKS, "if observations.dtype == torch.uint8:", "if True:"),
    Mutant(
        "noise too loud at first", NETWORKS, "(self.weight, sigma * bound)", "(self.weight, sigma)"
    ),
    Mutant("bias too loud at first", NETWORKS, "(self.bias, sigma * bound)", "(self.bias, sigma)"),
    Mutant("noise in evaluation", NETWORKS, "if not self.training:", "if False:"),
    Mutant("noise not squashed", NETWORKS, "normal.sign() * normal.abs().sqrt()", "normal"),
    Mutant("noise without its sign", NETWORKS, "normal.sign() * normal", "normal"),
    Mutant("noise of anyone", NETWORKS, "generator=generator, device", "device"),
    Mutant("bias has no noise", NETWORKS, " + self.bias_sigma * noise_out", ""),
    Mutant("noise is saved", NETWORKS, ", persistent=False)", ")"),
    Mutant("noise in a new tensor", NETWORKS, "self.noise.copy_(", "self.noise = ("),
    # n-step returns
    Mutant(
        "time limit ends the value",
        N_STEP,
        "self._oldest(next_observation, bool(terminated))",
        "self._oldest(next_observation, bool(terminated or truncated))",
    ),
    Mutant("n steps over a time limit", N_STEP, "(terminated or truncated)", "terminated"),
    Mutant("tails are lost", N_STEP, "self._window and (terminated", "False and (terminated"),
    Mutant("n steps discounted as one", N_STEP, "self.gamma**k)", "self.gamma)"),
    Mutant("tails discounted as n steps", N_STEP, "self.gamma**k)", "self.gamma**self.n)"),
    Mutant("rewards not discounted", N_STEP, "self.gamma**i * r", "r"),
    Mutant("observations not copied", N_STEP, "np.array(observation)", "np.asarray(observation)"),
    Mutant("window keeps its first step", N_STEP, "self._window.popleft()", "self._window.pop()"),
    # prioritized replay
    Mutant("beta stays", PRIORITIZED, "self._n_sampled += 1", "pass"),
    Mutant(
        "beta beyond one",
        PRIORITIZED,
        "min(1.0, self._n_sampled / self.beta_steps)",
        "self._n_sampled / self.beta_steps",
    ),
    Mutant("weights not normalised", PRIORITIZED, "(weights / weights.max())", "weights"),
    Mutant("weights upside down", PRIORITIZED, "** -self.beta", "** self.beta"),
    Mutant(
        "priorities off by one",
        PRIORITIZED,
        "self._tree[indices] = scaled",
        "self._tree[(indices + 1) % len(self)] = scaled",
    ),
    Mutant(
        "priorities without alpha",
        PRIORITIZED,
        " + self.epsilon) ** self.alpha",
        " + self.epsilon)",
    ),
    Mutant(
        "priorities below zero", PRIORITIZED, "np.abs(priorities, dtype=np.float64)", "priorities"
    ),
    Mutant(
        "new ones have priority one", PRIORITIZED, "max(self._largest, float(scaled.max()))", "1.0"
    ),
    Mutant(
        "largest of the last sample",
        PRIORITIZED,
        "max(self._largest, float(scaled.max()))",
        "float(scaled.max())",
    ),
    Mutant("new ones are never sampled", PRIORITIZED, "self._tree[index] = self._largest", "pass"),
    Mutant(
        "not one from each part",
        PRIORITIZED,
        "(np.arange(batch_size) + self._rng.random(batch_size)) / batch_size",
        "self._rng.random(batch_size)",
    ),
    Mutant("NaN as a priority", PRIORITIZED, "if not np.isfinite(scaled).all():", "if False:"),
    Mutant(
        "tree turns left at a tie", PRIORITIZED, "go_right = sums >= left", "go_right = sums > left"
    ),
    Mutant("tree forgets what is left", PRIORITIZED, "sums -= left * go_right", "pass"),
    Mutant(
        "sums are not passed up",
        PRIORITIZED,
        "for _ in range(self.depth):  #",
        "for _ in range(1):  #",
    ),
    Mutant(
        "priorities not resumed",
        PRIORITIZED,
        "self._tree[np.arange(len(self))] = state",
        "_ = state",
    ),
    # distributional objectives
    Mutant(
        "projection not clamped",
        DISTRIBUTIONAL,
        " / spacing).clamp(0, last)",
        " / spacing).remainder(last)",
    ),
    Mutant(
        "projection open above",
        DISTRIBUTIONAL,
        " / spacing).clamp(0, last)",
        " / spacing).clamp(min=0)",
    ),
    Mutant(
        "projection open below",
        DISTRIBUTIONAL,
        " / spacing).clamp(0, last)",
        " / spacing).clamp(max=last)",
    ),
    Mutant("an atom too many", DISTRIBUTIONAL, "last = len(support) - 1", "last = len(support)"),
    Mutant(
        "neighbours change places",
        DISTRIBUTIONAL,
        "probabilities * (position - lower)",
        "probabilities * (1 - position + lower)",
    ),
    Mutant(
        "distribution beyond the end",
        DISTRIBUTIONAL,
        "            discounts = batch.discounts * (1 - batch.dones)\n            wanted",
        "            discounts = batch.discounts\n            wanted",
    ),
    Mutant("entropy left in", DISTRIBUTIONAL, " - torch.special.entr(wanted).sum(-1)", ""),
    Mutant("entropy twice", DISTRIBUTIONAL, "- torch.special.entr", "+ torch.special.entr"),
    Mutant(
        "gradient into the distribution",
        DISTRIBUTIONAL,
        "        with torch.no_grad():\n            logits",
        "        if True:\n            logits",
    ),
    Mutant(
        "gradient into the quantiles",
        DISTRIBUTIONAL,
        "        with torch.no_grad():\n            quantiles",
        "        if True:\n            quantiles",
    ),
    Mutant(
        "c51 never double", DISTRIBUTIONAL, "if self.double else logits", "if False else logits"
    ),
    Mutant(
        "quantiles never double",
        DISTRIBUTIONAL,
        "if self.double else quantiles",
        "if False else quantiles",
    ),
    Mutant("logits as values", DISTRIBUTIONAL, "output.softmax(-1) @", "output @"),
    Mutant("quantiles mirrored", DISTRIBUTIONAL, "(delta < 0,", "(delta > 0,"),
    Mutant("quantiles off their middle", DISTRIBUTIONAL, "y.device) + 0.5)", "y.device) + 1)"),
    Mutant("quantile loss not divided by kappa", DISTRIBUTIONAL, "(delta / self.kappa)", "delta"),
    Mutant(
        "quantiles pushed away",
        DISTRIBUTIONAL,
        "(theta.detach() - theta)",
        "(theta - theta.detach())",
    ),
    Mutant(
        "quantiles of every action", DISTRIBUTIONAL, "_of(quantiles, best)", "quantiles.mean(-2)"
    ),
    # agent and stack
    Mutant(
        "a stack without noise of the target",
        STACK,
        "            self.target.resample_noise(rows, generators)\n",
        "",
    ),
    Mutant(
        "noise in greedy play",
        DQN,
        "        self.online.eval()\n        return self._values",
        "        return self._values",
    ),
    Mutant(
        "noise never drawn anew",
        DQN,
        "(self.online, self._noise)\n            resample_noise(self.target",
        "(self.online, self._noise)\n            resample_noise(self.online",
    ),
    Mutant(
        "priorities with their signs",
        DQN,
        "td_errors = td_errors.abs()\n",
        "td_errors = td_errors\n",
    ),
    Mutant(
        "buffers are not copied", DQN, "            kept.copy_(current)\n", "            pass\n"
    ),
    Mutant(
        "truncations never flush", DQN, "            bool(truncated),\n", "            False,\n"
    ),
    Mutant(
        "truncations are deaths",
        DQN,
        "            bool(terminated),\n",
        "            bool(terminated or truncated),\n",
    ),
    Mutant("epsilon-greedy in evaluation", DQN, "if training and self._rng", "if self._rng"),
    Mutant(
        "gradient not cut",
        DQN,
        "self.online.parameters(), self.max_grad_norm)",
        "self.online.parameters(), math.inf)",
    ),
    Mutant(
        "the counters are not loaded",
        DQN,
        '        self.n_env_steps, self.n_updates = state["n_env_steps"], state["n_updates"]\n',
        "",
    ),
    Mutant("the noise is not loaded", DQN, '        self._noise.set_state(state["noise"])\n', ""),
    Mutant(
        "a weighted loss of another shape",
        DQN,
        "(weights * losses).mean()",
        "(weights * losses.unsqueeze(-1)).mean()",
    ),
    Mutant(
        "a stack gives no priorities",
        STACK,
        "            agent.replay.update_priorities(sample.indices, size)\n",
        "",
    ),
    Mutant("stack not cut", STACK, "if self._max_norms is not None:", "if False:"),
    Mutant(
        "bytes become floats",
        REPLAY,
        "kind if kind in (np.uint8, np.bool_) else",
        "kind if kind in () else",
    ),
    Mutant(
        "optimiser's memory is lost",
        STACK,
        "        self._write_state(self._optimizers[number], self._blocks[number], row, agent)\n",
        "",
    ),
    Mutant(
        "an initial learning rate forgotten",
        DQN,
        'group.setdefault("initial_lr", group["lr"])',
        'group["lr"]',
    ),
    # the rest
    Mutant(
        "recording explores",
        "course/videos.py",
        "agent.select_action(state, training=False)",
        "agent.select_action(state)",
    ),
    Mutant("claims always hold", "course/claims.py", "if not holds:", "if False:"),
    Mutant("parts of other versions", STUDIES, '["versions"] == versions', '["versions"] != {}'),
    Mutant("defaults not defined", STUDIES, "return defaults | dict(", "return dict("),
    Mutant(
        "silent fallback to the CPU",
        "utils/common.py",
        'raise ValueError(f"device {name!r} is not present',
        "return torch.device('cpu'); (f\"device {name!r} is not present",
    ),
    # what studies store, and how
    Mutant("median for the mean", STUDIES, "returns.mean()", "np.median(returns)"),
    Mutant("first episode for the mean", STUDIES, "returns.mean()", "returns[0]"),
    Mutant("variance for the deviation", STUDIES, "returns.std()", "returns.var()"),
    Mutant("longest for the mean length", STUDIES, "lengths.mean()", "lengths.max()"),
    Mutant(
        "last play from other starts",
        STUDIES,
        "[a.gamma for a in agents])",
        "[a.gamma for a in agents], seed=7)",
    ),
    Mutant("seeds counted twice", STUDIES, "if times > 1]", "if times > 9]"),
    Mutant("damaged parts are joined", RESULTS, "content == _with_checksum(content)", "True"),
    Mutant("rows of any length", RESULTS, 'len(row) == len(t["columns"])', "True"),
    Mutant("time in the bytes", RESULTS, "gzip.compress(text, mtime=0)", "gzip.compress(text)"),
    Mutant(
        "tables of an earlier run",
        RESULTS,
        'in sorted(content["sha256"])',
        "in sorted(t.name for t in _tables(Path(path)))",
    ),
    Mutant("a false numpy claim passes", "course/claims.py", "if not holds:", "if holds is False:"),
    Mutant("resamples mixed", STATS, ".reshape(-1, n_resamples)", ".reshape(n_resamples, -1).T"),
    Mutant("another interval of a share", STATS, 'method="wilson"', 'method="exact"'),
    # probe environments
    Mutant("a time limit terminates", PROBES, "(1, 0, TRUNCATED)", "(1, 0, TERMINATED)"),
    Mutant("a time limit cuts nothing", PROBES, "(1, 0, TRUNCATED)", "(1, 0, ON)"),
    Mutant("every start is the first", PROBES, "integers(len(self.probe.starts))", "integers(1)"),
    Mutant("probe's start unseeded", PROBES, "super().reset(seed=seed)", "super().reset()"),
    Mutant("probes with one seed", PROBES, "env.reset(seed=seed)", "env.reset(seed=0)"),
    Mutant(
        "a limit told as terminal",
        PROBES,
        "next_state, terminated, truncated=",
        "next_state, terminated or truncated, truncated=",
    ),
    Mutant("a limit untold", PROBES, "truncated=truncated)", "truncated=False)"),
    Mutant("the probe stands still", PROBES, "        state = next_state\n", ""),
    Mutant("the probe's epsilon stays", PROBES, "            agent.decay_epsilon()\n", ""),
    Mutant(
        "NaN passes",
        PROBES,
        "if not abs(one[1] - one[2]) <= tolerance]",
        "if abs(one[1] - one[2]) > tolerance]",
    ),
    Mutant("tolerance fixed", PROBES, "<= tolerance]", "<= TOLERANCE]"),
    Mutant("the most exact is shown", PROBES, "else max(seen", "else min(seen"),
    Mutant("unseen is passed", PROBES, "return Result(probe, None)", "return Result(probe, True)"),
    Mutant("judged while it explores", PROBES, "training=False", "training=True"),
    Mutant("all greedy actions judged", PROBES, "if row[0] != row[1]:", "if True:"),
    Mutant("actions not judged", PROBES, "if row[0] != row[1]:", "if False:"),
    Mutant("the last failure first", PROBES, "in self.results if", "in self.results[::-1] if"),
    Mutant("the exception is lost", PROBES, "error=error))", "error=None))"),
    Mutant(
        "one agent unseen is failed", PROBES, "if result.passed is False", "if not result.passed"
    ),
    # the report on an environment
    Mutant(
        "info in the report's columns",
        YOURS,
        "if name in OURS else str(name)",
        "if 0 else str(name)",
    ),
    Mutant("observations cast first", YOURS, "return not cut and space", "return space"),
    Mutant(
        "a rule in the agent's row", YOURS, "if name in ways or name in taken:", "if name in ways:"
    ),
    Mutant(
        "a rule in another's row", YOURS, "if name in ways or name in taken:", "if name in taken:"
    ),
    Mutant(
        "any answer is an action",
        YOURS,
        "chosen.item() not in range(n_actions)",
        "chosen.item() is None",
    ),
    Mutant("a rule spoils the record", YOURS, "rule(copy.copy(observation))", "rule(observation)"),
    Mutant("the report explores", YOURS, "observation, training=False)", "observation)"),
    Mutant("two discounts", YOURS, '{"gamma", "seed"} & set(own)', '{"seed"} & set(own)'),
    Mutant("marks in a report", YOURS, "[escape(text).replace(", "[text.replace("),
    Mutant(
        "any last step is a time limit",
        YOURS,
        "for n in hits.values()) >= 2:",
        "for n in hits.values()) >= 1:",
    ),
    # what counts as right in a prediction
    Mutant("a range upside down", PREDICTION, " or float(numbers[0]) > float(numbers[-1])", ""),
    Mutant(
        "any two numbers are a range",
        PREDICTION,
        ' and text.lower().startswith("between ")',
        "",
    ),
    Mutant("a minus is lost", PREDICTION, '.replace("\\u2212", "-")', '.replace("\\u2212", "")'),
    Mutant("one of two right options", PREDICTION, "if len(right) != 1:", "if not right:"),
    Mutant("two predictions of one name", PREDICTION, "if name in names:", "if False:"),
    Mutant("near discount unnoted", PROBES, "1 - agent.gamma <= tolerance", "False"),
]


def guards(file: str) -> list[str]:
    """Paths of the tests that guard `file`."""
    paths = (Path("tests", name) for name in GUARDS[file])
    return [path.with_name(f"test_{path.name}.py").as_posix() for path in paths]


def run_guards(folder: Path, file: str) -> None:
    """Run the tests that guard `file` on the copy in `folder`, and leave with pytest's code."""
    import pytest  # only where tests are run

    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow"]
    code = pytest.main([*options, *guards(file)])
    imported = Path(importlib.import_module("rl_lab").__file__)
    os._exit(code if imported.is_relative_to(folder) else 3)


def guards_pass(folder: Path, file: str) -> bool:
    """Whether the tests that guard `file` pass on the copy in `folder`."""
    process = CONTEXT.Process(target=run_guards, args=(folder, file))
    process.start()
    process.join(TIMEOUT)
    if process.is_alive():
        process.kill()
        return False
    log = (folder / "log").read_text()
    interrupted = process.exitcode == 2 and "!! KeyboardInterrupt !!" in log  # nobody caught it
    if process.exitcode > 1 and not interrupted:  # below 0: it crashed, and is noticed so
        raise RuntimeError(f"the tests of {file} did not run:\n{log}")
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
