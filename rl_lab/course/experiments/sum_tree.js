// needs: panels.js
// A sum tree over eight transitions: a draw goes down it, and a new error mends the sums upwards.

/** Numbers of which any can be changed and searched by their running sum: node i is 2i plus 2i + 1. */
class SumTree {
  constructor(size) {
    this.depth = Math.ceil(Math.log2(size));
    this.firstLeaf = 2 ** this.depth;
    this.nodes = new Float64Array(2 * this.firstLeaf);
  }

  get total() {
    return this.nodes[1];
  }

  get leaves() {
    return this.nodes.slice(this.firstLeaf);
  }

  set(index, value) {
    let node = this.firstLeaf + index;
    this.nodes[node] = value;
    for (node >>= 1; node; node >>= 1) this.nodes[node] = this.nodes[2 * node] + this.nodes[2 * node + 1];
  }

  /** The first leaf whose running sum is above `sum`, and each step of the way down to it. */
  find(sum) {
    const steps = [];
    let node = 1;
    for (let level = 0; level < this.depth; level += 1) {
      const left = this.nodes[2 * node];
      const right = sum >= left;
      if (right) sum -= left;
      node = 2 * node + Number(right);
      steps.push({ left, right, node });
    }
    return { leaf: node - this.firstLeaf, steps };
  }
}

/** What is in the leaf of a transition: (|error| + epsilon)^alpha. */
const leafOf = (error, alpha) => (Math.abs(error) + 1e-6) ** alpha;

/** The weights of a minibatch in which each of the transitions is once. */
function importanceWeights(probabilities, beta) {
  const weights = Array.from(probabilities, (p) => (probabilities.length * p) ** -beta);
  const largest = Math.max(...weights);
  return weights.map((weight) => weight / largest);
}

function render({ model, el }) {
  const experiment = openExperiment({
    model,
    el,
    hints: [
      "Press Step: left or right? Say it before you press again.",
      "Draw 100. Then again with \u03b1 = 1, and with \u03b1 = 0.",
      "Draw once and learn from it: how many sums change, and what becomes of its weight?",
    ],
  });
  const { root, say } = experiment;
  const put = writeInputs(model);
  const names = Array.from(model.get("errors"), (_, i) => i);
  const two = (number) => number.toFixed(2);
  const three = (number) => number.toFixed(3);

  let random;
  let tree;
  let known; // the errors in the tree
  let tally; // draws of each transition
  let walk; // {u, sums, leaf, steps, shown}: the draw of now, x on each level, levels gone so far
  let mended; // {leaf, before}: the last change of an error, and the nodes as they were
  let drawn; // the transition to learn from
  let many; // whether the last draw was one of a hundred
  const arrived = () => walk?.shown === tree.depth;
  const count = () => tally.reduce((sum, n) => sum + n, 0);
  const forget = () => {
    tally = names.map(() => 0);
    [walk, mended] = [null, null];
  };
  const fill = () => {
    known = [...model.get("errors")];
    known.forEach((error, i) => tree.set(i, leafOf(error, model.get("alpha"))));
  };
  const restart = () => {
    random = makeRandom(model.get("seed"));
    tree = new SumTree(names.length);
    drawn = null;
    fill();
    forget();
    refresh(true);
  };
  const begin = () => {
    const u = random.uniform();
    walk = { u, ...tree.find(u * tree.total), shown: 0 };
    // As it is told, x less a left sum must come out to the last digit.
    const told = (number) => Number(three(number));
    walk.sums = [told(u * tree.total)];
    for (const { left, right } of walk.steps) walk.sums.push(walk.sums.at(-1) - (right ? told(left) : 0));
    [mended, drawn, many] = [null, null, false];
  };
  const goDown = () => {
    walk.shown += 1;
    if (!arrived()) return;
    drawn = walk.leaf;
    tally[drawn] += 1;
  };
  const advance = () => (walk && !arrived() ? goDown() : begin());
  const drawMany = () => {
    for (let i = 0; i < 100; i += 1) {
      begin();
      while (!arrived()) goDown();
    }
    many = true;
    refresh(true);
  };
  /** Put in what the errors are now; of one new error the way up is shown. */
  const takeErrors = () => {
    const next = model.get("errors");
    const changed = names.filter((i) => next[i] !== known[i]);
    if (!changed.length) return;
    const [leaf] = changed;
    const before = mended?.leaf === leaf ? mended.before : { error: known[leaf], nodes: tree.nodes.slice() };
    fill();
    forget();
    if (changed.length === 1) mended = { leaf, before };
  };
  const setError = (leaf, error) => put("errors")(names.map((i) => (i === leaf ? error : known[i])));

  // The tree

  const figures = make("div");
  const top = makeCanvas(experiment, {
    parent: figures,
    label: "A sum tree of eight leaves, and the way of the latest draw or change through it",
    height: () => 300,
    draw: (context, width, height, colors) => {
      context.textBaseline = "middle";
      drawStrip(context, width, colors);
      drawTree(context, width, colors);
    },
  });
  const placeOf = (node, width) => {
    const level = Math.floor(Math.log2(node));
    return [((node - 2 ** level + 0.5) * width) / 2 ** level, 90 + 60 * level];
  };
  /** Text on a patch of the background, so that no line runs through it. */
  const chip = (context, text, x, y, color, colors, { size = 12, struck = false } = {}) => {
    context.font = colors.font(size);
    const wide = context.measureText(text).width;
    context.fillStyle = colors.background;
    context.fillRect(x - wide / 2 - 2, y - 8, wide + 4, 16);
    context.fillStyle = color;
    context.textAlign = "center";
    context.fillText(text, x, y);
    if (struck) strokeLine(context, [[x - wide / 2, y], [x + wide / 2, y]], color, 1);
  };
  const drawStrip = (context, width, colors) => {
    const [left, right, y, tall] = [1, width - 1, 24, 20];
    let from = left;
    tree.leaves.forEach((value, i) => {
      const wide = (value / tree.total) * (right - left);
      context.globalAlpha = i % 2 ? 0.2 : 0.4;
      context.fillStyle = colors.series[0];
      context.fillRect(from, y, wide, tall);
      context.globalAlpha = 1;
      context.font = colors.font(12);
      context.textAlign = "center";
      context.fillStyle = colors.text;
      if (wide > 12) context.fillText(String(i), from + wide / 2, y + tall / 2);
      from += wide;
    });
    context.strokeStyle = colors.muted;
    context.lineWidth = 1;
    context.strokeRect(left, y, right - left, tall);
    context.font = colors.font(12);
    const title = "All leaves in a row";
    context.fillStyle = colors.muted;
    context.textAlign = "left";
    if (!walk) return context.fillText(title, left, 10);
    const x = left + walk.u * (right - left);
    const text = `x = ${two(walk.sums[0])}`;
    const half = context.measureText(text).width / 2;
    const middle = Math.min(right - half, Math.max(left + half, x));
    if (middle - half > left + context.measureText(title).width + 8) context.fillText(title, left, 10);
    strokeLine(context, [[x, 18], [x, y + tall + 4]], colors.series[1], 3);
    chip(context, text, middle, 10, colors.series[1], colors);
  };
  const drawTree = (context, width, colors) => {
    const path = walk ? [1, ...walk.steps.slice(0, walk.shown).map((step) => step.node)] : [];
    const upward = [];
    for (let node = mended ? tree.firstLeaf + mended.leaf : 0; node; node >>= 1) upward.push(node);
    const [way, look] = walk ? [path, colors.series[1]] : [upward, colors.series[2]];
    for (let node = 2; node < tree.nodes.length; node += 1) {
      const on = way.includes(node);
      const ends = [placeOf(node, width), placeOf(node >> 1, width)];
      strokeLine(context, ends, on ? look : colors.muted, on ? 3.5 : 1);
    }
    const box = Math.min(58, width / names.length - 4);
    for (let node = 1; node < tree.nodes.length; node += 1) {
      const [x, y] = placeOf(node, width);
      const on = way.includes(node);
      const wide = node < names.length ? Math.max(box, 46) : box;
      context.fillStyle = on ? colors.background : colors.surface;
      context.fillRect(x - wide / 2, y - 12, wide, 24);
      context.strokeStyle = on ? look : colors.muted;
      context.lineWidth = on ? 2.5 : 1;
      context.strokeRect(x - wide / 2, y - 12, wide, 24);
      context.fillStyle = colors.text;
      context.font = colors.font(node >= tree.firstLeaf && box < 40 ? 11 : 13);
      context.textAlign = "center";
      context.fillText(two(tree.nodes[node]), x, y + 1);
      if (!on) continue;
      if (walk) chip(context, `x ${two(walk.sums[path.indexOf(node)] + 1e-9)}`, x, y - 22, look, colors, { size: box < 40 ? 11 : 12 });
      else chip(context, two(mended.before.nodes[node]), x, y - 22, look, colors, { struck: true });
    }
  };

  // The errors: a slider in each leaf's column

  const sliders = names.map((i) => {
    const shown = make("span", { class: "rl-value", "aria-hidden": "true" });
    const input = make("input", { type: "range", min: 0, max: 10, step: 0.25, "aria-label": `Error of transition ${i}` });
    input.addEventListener("input", () => (bar.pause(), setError(i, Number(input.value))));
    const set = (error) => {
      input.value = error;
      shown.textContent = two(error);
      input.setAttribute("aria-valuetext", two(error));
    };
    set(model.get("errors")[i]);
    return { element: make("label", {}, make("span", { text: String(i) }), input, shown), set };
  });

  // The tally

  const probabilities = () => Array.from(tree.leaves, (value) => value / tree.total);
  const bottom = makeCanvas(experiment, {
    parent: figures,
    label: "Of each transition: its probability, its share of the draws, and its importance weight",
    height: (width) => 196 + drawKey(document.createElement("canvas").getContext("2d"), width, themeColors(root), tallyKey(), true),
    draw: (context, width, height, colors) => drawTally(context, width, height, colors),
  });
  const tallyKey = () => [
    { label: "probability P", look: 1, dash: [] },
    { label: `share of ${count()} ${count() === 1 ? "draw" : "draws"} (bars)`, look: 0, dash: [] },
  ];
  const drawTally = (context, width, height, colors) => {
    const y = drawKey(context, width, colors, tallyKey());
    const share = probabilities();
    const [n, column] = [count(), width / names.length];
    const [low, high] = [height - 84, y + 4];
    const drawnShare = tally.map((each) => (n ? each / n : 0));
    const most = Math.max(...share, ...drawnShare);
    const tall = (value) => (value / most) * (low - high);
    strokeLine(context, [[0, low], [width, low]], colors.muted, 1);
    const weights = importanceWeights(share, model.get("beta"));
    context.font = colors.font(12);
    context.textAlign = "left";
    context.fillStyle = colors.muted;
    context.fillText("P", 0, low + 12);
    context.fillText("importance weight, over the largest of the eight", 0, low + 50);
    names.forEach((i) => {
      const x = i * column;
      context.globalAlpha = 0.45;
      context.fillStyle = colors.series[0];
      context.fillRect(x + column * 0.2, low - tall(drawnShare[i]), column * 0.6, tall(drawnShare[i]));
      context.globalAlpha = 1;
      strokeLine(context, [[x + column * 0.1, low - tall(share[i])], [x + column * 0.9, low - tall(share[i])]], colors.series[1], 2.5);
      context.fillStyle = colors.text;
      context.textAlign = "center";
      context.fillText(two(share[i]), x + column / 2, low + 29);
      context.fillText(two(weights[i]), x + column / 2, low + 68);
    });
  };

  const table = make("table");
  const numbers = make("div", { class: "rl-scroll", tabindex: "0", role: "region", "aria-label": "The eight transitions" }, table);

  // What happened, in words

  const tellWalk = () => {
    const { u, sums, steps, shown, leaf } = walk;
    if (!shown) return `u = ${three(u)} of ${three(tree.total)}: x = ${three(sums[0])}. The left sum is ${three(steps[0].left)}: left or right?`;
    const { left, right } = steps[shown - 1];
    const told = right
      ? `${three(sums[shown - 1])} is not below the left sum ${three(left)}: right, and x becomes ${three(sums[shown])}.`
      : `${three(sums[shown - 1])} is below the left sum ${three(left)}: left.`;
    if (!arrived()) return `${told} The left sum is now ${three(steps[shown].left)}: left or right?`;
    return `${told} x falls on transition ${leaf}, drawn ${tally[leaf]} of ${count()} times.`;
  };
  const tellMany = () => {
    const share = probabilities();
    const first = share.indexOf(Math.max(...share));
    return `${count()} draws. Transition ${first} came ${tally[first]} times, a share of ${two(tally[first] / count())}; its P is ${two(share[first])}.`;
  };
  const tellMended = () => {
    const { leaf, before } = mended;
    const node = tree.firstLeaf + leaf;
    return (
      `Transition ${leaf}: error ${two(before.error)} \u2192 ${two(known[leaf])}, leaf ${two(before.nodes[node])} \u2192 ${two(tree.nodes[node])}. ` +
      `The ${tree.depth} sums above it are formed anew; the tally is empty again.`
    );
  };
  const refresh = (now = false) => {
    top.redraw();
    bottom.redraw();
    const share = probabilities();
    const weights = importanceWeights(share, model.get("beta"));
    fillTable(
      table,
      ["transition", "|error|", "leaf", "P", "drawn", "weight"],
      names.map((i) => [i, two(known[i]), two(tree.leaves[i]), share[i].toFixed(3), tally[i], weights[i].toFixed(3)]),
    );
    learn.disabled = drawn === null;
    if (walk) say(many ? tellMany() : tellWalk(), now);
    else if (mended) say(tellMended(), now);
    else say(`Nothing is drawn yet. All leaves add up to ${three(tree.total)}: a draw is a number x between 0 and that.`, now);
    model.set("state", { tally: [...tally], leaf: drawn });
    if (!bar.playing()) model.save_changes();
  };

  const range = (name, label) =>
    makeRange({ label, min: 0, max: 1, step: 0.05, value: model.get(name), format: (value) => toDigits(value, 2), onInput: put(name) });
  const controls = {
    alpha: range("alpha", "\u03b1, of the errors"),
    beta: range("beta", "\u03b2, of the weights"),
    errors: { set: (errors) => sliders.forEach((slider, i) => slider.set(errors[i])) },
    seed: { set: () => {} },
  };
  const recall = followInputs(experiment, model, controls, (name) => {
    if (name === "seed") return restart();
    if (name === "errors") takeErrors();
    if (name === "alpha") (fill(), forget());
    refresh(name !== "errors");
  });
  let waited = 0;
  const bar = makePlayBar(experiment, {
    names: { play: "Draw" },
    frame: (seconds) => {
      waited += seconds;
      if (walk && waited < 0.8) return;
      waited = 0;
      advance();
      if (arrived()) bar.pause();
      refresh(true);
    },
    step: () => {
      advance();
      refresh(true);
    },
    onChange: (playing) => {
      waited = 0;
      if (playing && (!walk || arrived())) (begin(), refresh(true));
      if (!playing) model.save_changes();
    },
  });
  const learn = makeButton({ label: "Learn from it: halve its error", onClick: () => (bar.pause(), setError(drawn, known[drawn] / 2)) });
  bar.element.append(
    makeButton({ label: "Draw 100", onClick: () => (bar.pause(), drawMany()) }),
    learn,
    makeButton({ label: "Reset", onClick: () => (bar.pause(), recall(), restart()) }),
  );
  top.canvas.after(
    make("p", { class: "rl-note", text: "Size of each transition's last TD error; the leaf above is the error to the power \u03b1:" }),
    make("div", { class: "rl-columns" }, ...sliders.map((slider) => slider.element)),
  );
  root.classList.add("rl-tree");
  root.append(make("div", { class: "rl-controls" }, controls.alpha.element, controls.beta.element), bar.element);
  restart();
  root.append(figures, make("details", {}, make("summary", { text: "All numbers" }), numbers));
  return experiment.destroy;
}

export default { render };
