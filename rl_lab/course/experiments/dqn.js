// DQN that learns CartPole: replay, target network, Adam, and the gradient written by hand.

/**
 * A `QNetwork` whose last layer says V and A: Q = V + A - mean of A. Half of the hidden units feed
 * each. All of that is linear, so it is put together to one layer: forward and backward stay.
 */
class DuelingQNetwork extends QNetwork {
  constructor(sizes) {
    super(sizes);
    const [hidden, outputs] = sizes.slice(-2);
    const linear = (n) => ({ inputs: hidden / 2, outputs: n, weight: new Float32Array((n * hidden) / 2), bias: new Float32Array(n) });
    [this.value, this.advantages] = [linear(1), linear(outputs)];
    this.learned = [...this.layers.slice(0, -1), this.value, this.advantages];
  }

  draw(random) {
    super.draw(random);
    for (const { inputs, weight, bias } of [this.value, this.advantages])
      for (const numbers of [weight, bias])
        for (let i = 0; i < numbers.length; i += 1) numbers[i] = random.uniform(-1, 1) / Math.sqrt(inputs);
    this.compose();
    return this;
  }

  /** The numbers of all actions, `step` apart from `at` on, less their mean. */
  centred(numbers, step, at) {
    const { outputs } = this.layers.at(-1);
    const all = Array.from({ length: outputs }, (_, o) => numbers[at + o * step]);
    const mean = all.reduce((sum, number) => sum + number, 0) / outputs;
    return all.map((number) => number - mean);
  }

  /** Put both streams together to the last layer. */
  compose() {
    const { value, advantages } = this;
    const { weight, bias, inputs } = this.layers.at(-1);
    const half = inputs / 2;
    this.centred(advantages.bias, 1, 0).forEach((number, o) => (bias[o] = value.bias[0] + number));
    for (let i = 0; i < half; i += 1)
      this.centred(advantages.weight, half, i).forEach((number, o) => {
        weight[o * inputs + i] = value.weight[i];
        weight[o * inputs + half + i] = number;
      });
  }

  /** Part the slopes of that layer among the two: those of a sum, and of what is less its mean. */
  part(dWeight, dBias, [ofValue, ofValueBias, ofAdvantages, ofAdvantagesBias]) {
    const { inputs } = this.layers.at(-1);
    const half = inputs / 2;
    ofValueBias[0] = dBias.reduce((sum, slope) => sum + slope, 0);
    ofAdvantagesBias.set(this.centred(dBias, 1, 0));
    ofValue.fill(0);
    for (let i = 0; i < half; i += 1)
      this.centred(dWeight, inputs, half + i).forEach((slope, o) => {
        ofValue[i] += dWeight[o * inputs + i];
        ofAdvantages[o * half + i] = slope;
      });
  }
}

/** Adam on the weights of a network, with torch's defaults. */
class Adam {
  constructor(network) {
    this.time = 0;
    this.parts = (network.learned ?? network.layers).flatMap((layer) =>
      ["weight", "bias"].map((kind) => ({
        values: layer[kind],
        slope: new Float32Array(layer[kind].length),
        mean: new Float32Array(layer[kind].length),
        square: new Float32Array(layer[kind].length),
      })),
    );
  }

  step(lr) {
    this.time += 1;
    const size = lr / (1 - 0.9 ** this.time);
    const correction = Math.sqrt(1 - 0.999 ** this.time);
    for (const { values, slope, mean, square } of this.parts) {
      for (let i = 0; i < values.length; i += 1) {
        const g = slope[i];
        mean[i] += 0.1 * (g - mean[i]);
        square[i] = 0.999 * square[i] + 0.001 * g * g;
        values[i] -= (size * mean[i]) / (Math.sqrt(square[i]) / correction + 1e-8);
      }
    }
  }
}

/** Write the gradient of the mean squared TD error into Adam's slopes and take one step. */
class QLearning {
  /** @param {QNetwork} online @param {{gamma: number, double: boolean, batch: number}} settings */
  constructor(online, settings) {
    Object.assign(this, settings);
    this.online = online;
    this.target = new QNetwork(online.sizes);
    this.target.copyFrom(online);
    this.adam = new Adam(online);
    this.room = online.room(this.batch);
    this.nextRoom = online.room(this.batch);
    this.chooseRoom = online.room(this.batch);
    this.slopes = online.room(this.batch); // of the loss, at each layer's output
    // Of the loss, at each layer's weights and biases: Adam's own, but for a layer put together.
    const pairs = online.layers.map((_, i) => [2 * i, 2 * i + 1].map((part) => this.adam.parts[part].slope));
    if (online.learned) pairs[pairs.length - 1] = [online.layers.at(-1).weight, online.layers.at(-1).bias].map((one) => one.slice());
    this.weightSlopes = pairs;
    this.targets = new Float32Array(this.batch);
    this.errors = new Float32Array(this.batch);
    this.ones = new Uint8Array(this.batch).fill(1);
  }

  /**
   * One gradient step. The minibatch holds `states` and `nextStates` [B * 4], `actions` [B],
   * `rewards` [B], `dones` [B], 1 only at terminal states, and, where rewards sum up several
   * environment steps, the numbers of these as `horizons` [B].
   * @returns {number} the mean loss before the step
   */
  learn({ states, actions, rewards, nextStates, dones, horizons = this.ones }, lr) {
    const { online, batch, gamma, targets, errors } = this;
    const choices = online.sizes.at(-1);
    const next = this.target.forward(nextStates, batch, this.nextRoom);
    const judge = this.double ? online.forward(nextStates, batch, this.chooseRoom) : next;
    const values = online.forward(states, batch, this.room);
    const last = this.slopes.at(-1).fill(0);
    let loss = 0;
    for (let b = 0; b < batch; b += 1) {
      let best = 0;
      for (let a = 1; a < choices; a += 1)
        if (judge[b * choices + a] > judge[b * choices + best]) best = a;
      targets[b] = rewards[b] + gamma ** horizons[b] * (1 - dones[b]) * next[b * choices + best];
      const at = b * choices + actions[b];
      errors[b] = targets[b] - values[at];
      loss += (errors[b] * errors[b]) / batch;
      last[at] = (-2 * errors[b]) / batch;
    }
    for (let depth = online.layers.length - 1; depth >= 0; depth -= 1) {
      const input = depth ? this.room[depth - 1] : states;
      denseBackward(
        online.layers[depth],
        input,
        this.slopes[depth],
        depth ? this.slopes[depth - 1] : null,
        ...this.weightSlopes[depth],
        batch,
      );
    }
    online.part?.(...this.weightSlopes.at(-1), this.adam.parts.slice(-4).map((part) => part.slope));
    this.adam.step(lr);
    online.compose?.();
    return loss;
  }
}

/** From the slope at a layer's output: those of its weights, its biases, and its ReLU input. */
function denseBackward({ inputs, outputs, weight }, input, slope, before, dWeight, dBias, batch) {
  dWeight.fill(0);
  dBias.fill(0);
  before?.fill(0);
  for (let b = 0; b < batch; b += 1) {
    const from = b * inputs;
    for (let o = 0; o < outputs; o += 1) {
      const g = slope[b * outputs + o];
      if (g === 0) continue;
      const row = o * inputs;
      dBias[o] += g;
      for (let i = 0; i < inputs; i += 1) dWeight[row + i] += g * input[from + i];
      if (before) for (let i = 0; i < inputs; i += 1) before[from + i] += g * weight[row + i];
    }
    if (before)
      for (let i = 0; i < inputs; i += 1) if (input[from + i] <= 0) before[from + i] = 0;
  }
}

/** Joins up to n steps of an episode to one transition; those near its end are shorter. */
class NStep {
  constructor(n, gamma) {
    Object.assign(this, { n, gamma, held: [] }); // steps not yet passed on
  }

  /**
   * Take one step; `done` only in a terminal state, `over` also at a time limit.
   * @returns {object[]} the transitions that it completes
   */
  step(state, action, reward, nextState, done, over) {
    const complete = [];
    this.held.push({ state, action, reward });
    while (this.held.length === this.n || (this.held.length && over)) {
      const horizon = this.held.length;
      const total = this.held.reduce((sum, one, i) => sum + this.gamma ** i * one.reward, 0);
      complete.push({ ...this.held.shift(), reward: total, nextState, done, horizon });
    }
    return complete;
  }
}

/** The last `capacity` transitions, drawn at random, or (with `recent`) always the newest ones. */
class Replay {
  constructor(capacity, batch, random, recent) {
    Object.assign(this, { capacity, batch, random, recent, size: 0, head: 0 });
    this.rows = new Float32Array(capacity * 12); // state 4, action, reward, next state 4, done, horizon
    this.drawn = {
      states: new Float32Array(batch * 4),
      actions: new Uint8Array(batch),
      rewards: new Float32Array(batch),
      nextStates: new Float32Array(batch * 4),
      dones: new Float32Array(batch),
      horizons: new Uint8Array(batch),
      ages: new Int32Array(batch), // transitions stored since
    };
  }

  push({ state, action, reward, nextState, done, horizon }) {
    this.rows.set([...state, action, reward, ...nextState, done ? 1 : 0, horizon], this.head * 12);
    this.head = (this.head + 1) % this.capacity;
    this.size = Math.min(this.size + 1, this.capacity);
  }

  draw() {
    const { rows, drawn, capacity } = this;
    for (let b = 0; b < this.batch; b += 1) {
      const age = this.recent ? this.batch - 1 - b : this.random.integer(this.size);
      const row = ((this.head - 1 - age + 2 * capacity) % capacity) * 12;
      for (let i = 0; i < 4; i += 1) {
        drawn.states[b * 4 + i] = rows[row + i];
        drawn.nextStates[b * 4 + i] = rows[row + 6 + i];
      }
      drawn.actions[b] = rows[row + 4];
      drawn.rewards[b] = rows[row + 5];
      drawn.dones[b] = rows[row + 10];
      drawn.horizons[b] = rows[row + 11];
      drawn.ages[b] = age;
    }
    return drawn;
  }
}

/** What is not on the controls, which the page says, and what the switches are at first. */
const DQN_FIXED = {
  hidden: [32, 32],
  scale: [0.4, 0.5, 5, 0.5], // of the four observed numbers: each is then about one in size
  gamma: 0.99,
  double: true,
  nStep: 1,
  dueling: false,
  capacity: 20000,
  warmUp: 500, // environment steps of random play before the first update
  exploreSteps: 3000, // epsilon falls linearly from 1 over so many environment steps
  steps: 20000, // environment steps of a run; the learning rate falls linearly to 0 over them
};

/** A run of DQN: every environment step is followed by one update. */
class Learner {
  /** @param settings {replay, targetPeriod, lr, epsilonEnd, batch, seed}; more over DQN_FIXED */
  constructor(settings) {
    this.settings = { ...DQN_FIXED, ...settings };
    const { hidden, batch, replay, capacity, gamma, double, nStep, dueling, seed } = this.settings;
    const streams = [0, 1, 2, 3].map((stream) => makeRandom(4 * seed + stream));
    [this.starts, this.exploring] = [streams[1], streams[2]];
    this.network = new (dueling ? DuelingQNetwork : QNetwork)([4, ...hidden, 2]).draw(streams[0]);
    this.join = new NStep(nStep, gamma);
    this.rule = new QLearning(this.network, { gamma, double, batch });
    this.replay = new Replay(replay ? capacity : batch, batch, streams[3], !replay);
    this.returns = [];
    this.ends = []; // environment steps at which each episode ended
    this.envSteps = 0;
    this.updates = 0;
    this.loss = NaN;
    this.state = CartPole.start(this.starts);
    this.length = 0;
  }

  get epsilon() {
    const { epsilonEnd, exploreSteps } = this.settings;
    return Math.max(epsilonEnd, 1 - ((1 - epsilonEnd) * this.envSteps) / exploreSteps);
  }

  get lr() {
    return this.settings.lr * Math.max(0, 1 - this.envSteps / this.settings.steps);
  }

  get finished() {
    return this.envSteps >= this.settings.steps;
  }

  /** Mean return of the last 20 training episodes, or of all while there are fewer. */
  get recentMean() {
    const last = this.returns.slice(-20);
    return last.reduce((sum, value) => sum + value, 0) / (last.length || 1);
  }

  /** What the network sees of a state. */
  observed(state) {
    return state.map((number, i) => number * this.settings.scale[i]);
  }

  /** The network's action values at the present state. */
  get values() {
    return this.network.values(this.observed(this.state));
  }

  /** Mean return of greedy episodes from starts that no training has seen. */
  greedyReturn(episodes = 20) {
    const starts = makeRandom(1e6);
    let total = 0;
    for (let episode = 0; episode < episodes; episode += 1) {
      let state = CartPole.start(starts);
      let length = 0;
      do {
        state = CartPole.next(state, greedy(this.network.values(this.observed(state))));
        length += 1;
      } while (!CartPole.over(state) && length < CartPole.stepLimit);
      total += length;
    }
    return total / episodes;
  }

  /** Act once, store what followed, and learn. */
  step() {
    const { warmUp, targetPeriod, batch } = this.settings;
    const explores = this.envSteps < warmUp || this.exploring.uniform() < this.epsilon;
    const action = explores ? this.exploring.integer(2) : greedy(this.values);
    const next = CartPole.next(this.state, action);
    const over = CartPole.over(next);
    const ends = over || this.length + 1 === CartPole.stepLimit;
    // A time limit is not an end: only a fall stops the bootstrap.
    const step = [this.observed(this.state), action, 1, this.observed(next), over, ends];
    for (const transition of this.join.step(...step)) this.replay.push(transition);
    this.action = action;
    this.state = next;
    this.length += 1;
    this.envSteps += 1;
    if (ends) {
      this.returns.push(this.length);
      this.ends.push(this.envSteps);
      this.state = CartPole.start(this.starts);
      this.length = 0;
    }
    if (this.envSteps < warmUp || this.replay.size < batch) return;
    this.minibatch = this.replay.draw();
    this.loss = this.rule.learn(this.minibatch, this.lr);
    this.updates += 1;
    if (this.updates % targetPeriod === 0) this.rule.target.copyFrom(this.network);
  }
}

/**
 * Runs a `Learner` in slices, in a worker or in the page, and reports four times a second.
 * @param {(message: object) => void} post hears what happened
 * @param {number} slice milliseconds of work before it listens again
 * @returns {(order: {kind: "start" | "run" | "pause" | "step", settings?: object, run?: number})
 *   => void} `run`, given at the start, comes back in every report of that run
 */
function hostLearner(post, slice) {
  let learner = null;
  let run = 0;
  let running = false;
  let timer = 0; // of the next slice
  let told = 0; // episodes already reported
  let last = 0;
  const report = (more = {}) => {
    last = performance.now();
    const { envSteps, updates, loss, epsilon, lr, recentMean, finished, returns, ends } = learner;
    const news = { returns: returns.slice(told), ends: ends.slice(told) };
    told = returns.length;
    if (finished) more.greedy = learner.greedyReturn();
    post({ run, envSteps, updates, loss, epsilon, lr, recentMean, finished, running, ...news, ...more });
  };
  const work = () => {
    if (!running) return;
    const until = performance.now() + slice;
    while (!learner.finished && performance.now() < until) learner.step();
    running = !learner.finished;
    if (!running || performance.now() - last > 250) report();
    if (running) timer = setTimeout(work, 0);
  };
  const stepOnce = () => {
    const before = learner.updates;
    while (learner.updates === before && !learner.finished) learner.step();
    if (learner.updates === before) return report();
    const { states, actions, rewards, dones, horizons, ages } = learner.minibatch;
    const { targets, errors } = learner.rule;
    const rows = [0, 1, 2, 3, 4].filter((b) => b < targets.length).map((b) => ({
      state: [...states.slice(4 * b, 4 * b + 4)],
      action: actions[b],
      reward: rewards[b],
      done: dones[b],
      horizon: horizons[b],
      age: ages[b],
      target: targets[b],
      error: errors[b],
    }));
    report({ rows });
  };
  return ({ kind, settings, run: number }) => {
    if (kind !== "run") clearTimeout(timer); // else two loops would run after the next start
    if (kind === "start") [learner, run, running, told] = [new Learner(settings), number, false, 0];
    else if (kind === "pause") {
      running = false;
      report();
    } else if (kind === "step") {
      running = false;
      stepOnce();
    } else if (!running) {
      running = true;
      work();
    }
  };
}

/** The source of a worker that hosts a learner. */
function learnerWorkerSource() {
  const parts = [makeRandom, CartPole, QNetwork, DuelingQNetwork, denseForward, greedy, Adam, QLearning];
  return [
    '"use strict";',
    `const DQN_FIXED = ${JSON.stringify(DQN_FIXED)};`,
    ...[...parts, denseBackward, NStep, Replay, Learner, hostLearner].map(String),
    "const obey = hostLearner((message) => postMessage(message), 100);",
    "onmessage = (event) => obey(event.data);",
  ].join("\n");
}
