// needs: panels.js stats.js
// Studies of k seeds, drawn from the stored thirty: their curves, and how often they mislead.

const SEED_COUNTS = [1, 2, 3, 5, 7, 10, 15, 20, 30];
const SEED_STUDIES = 2000; // drawn to estimate a share of misleading studies
const SEED_RESAMPLES = 400; // of a bootstrap band

/** A quantile of sorted numbers, between neighbours where it falls between them. */
function quantile(sorted, share) {
  const place = share * (sorted.length - 1);
  const low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (place - low) * (sorted[high] - sorted[low]);
}

/** `k` places out of `n`, with replacement. */
const drawPlaces = (k, n, random) => Array.from({ length: k }, () => random.integer(n));

/**
 * The 95 % bootstrap interval of the interquartile mean at each point.
 * @param {number[][]} rows [seeds][points] @returns {{low: number[], high: number[]}}
 */
function bootstrapBand(rows, resamples, random) {
  const found = rows[0].map(() => new Float64Array(resamples));
  for (let r = 0; r < resamples; r += 1) {
    const places = drawPlaces(rows.length, rows.length, random);
    found.forEach((list, point) => (list[r] = iqm(places.map((place) => rows[place][point]))));
  }
  found.forEach((list) => list.sort());
  return { low: found.map((l) => quantile(l, 0.025)), high: found.map((l) => quantile(l, 0.975)) };
}

/** 1 if another arm than `best` has the largest mean, a share of it in a tie, else 0. */
function wrongWinner(means, best) {
  const top = Math.max(...means);
  return means[best] < top ? 1 : 1 - 1 / means.filter((mean) => mean === top).length;
}

/**
 * The share of studies with k seeds per arm that name another arm than all seeds do.
 * @param {number[][]} scores [arms][seeds]
 */
function misled(scores, k, studies, random) {
  const all = scores.map(iqm);
  const best = all.indexOf(Math.max(...all));
  let sum = 0;
  for (let i = 0; i < studies; i += 1) {
    const means = scores.map((arm) => iqm(drawPlaces(k, arm.length, random).map((s) => arm[s])));
    sum += wrongWinner(means, best);
  }
  return sum / studies;
}

/** Rows of a CSV file by column name; a name with a comma stands in quotes. */
function readCSV(view) {
  const text = new TextDecoder().decode(view);
  const [head, ...lines] = text.trim().split("\n");
  const cells = (line) => [...line.trim().matchAll(/(?:^|,)(?:"([^"]*)"|([^,]*))/g)].map((m) => m[1] ?? m[2]);
  const names = cells(head);
  return lines.map((line) => Object.fromEntries(cells(line).map((cell, i) => [names[i], cell])));
}

/** The stored study by arm: greedy returns [seeds][evaluations], their mean, and the final agents'. */
function readArms(evals, final) {
  const arms = new Map();
  for (const row of readCSV(evals)) {
    if (!arms.has(row.arm)) arms.set(row.arm, { steps: [], curves: [], final: [] });
    const arm = arms.get(row.arm);
    const seed = Number(row.seed);
    if (seed === 0) arm.steps.push(Number(row.env_steps));
    (arm.curves[seed] ??= []).push(Number(row.return));
  }
  for (const row of readCSV(final)) arms.get(row.arm).final[Number(row.seed)] = Number(row.return);
  for (const arm of arms.values())
    arm.area = arm.curves.map((curve) => curve.reduce((sum, value) => sum + value, 0) / curve.length);
  return arms;
}

function render({ model, el }) {
  const assets = model.get("assets");
  const arms = readArms(assets["replay_target.evals"], assets["replay_target.final"]);
  const names = [...arms.keys()];
  const seeds = arms.get(names[0]).curves.length;
  const experiment = openExperiment({
    model,
    el,
    hints: [
      "Draw a few studies with 3 seeds per arm. How often does the wrong arm win? Then use 10. Try seed 13.",
      "Does the thick line stay near the thin one, which is that of all 30 seeds? Does its band say so?",
    ],
  });
  const { root, say } = experiment;
  const put = writeInputs(model);
  const chosen = () => names.filter((name) => model.get("arms").includes(name));
  const scoresOf = (name) => arms.get(name)[model.get("measure")];

  let random;
  let study; // {places, means, curve, band, scoreBand} by arm
  let drawn = 0;
  let wrong = 0;
  const shares = new Map(); // of misleading studies, by what is compared

  const best = () => chosen().reduce((a, b) => (iqm(scoresOf(b)) > iqm(scoresOf(a)) ? b : a));
  const share = (k) => {
    const key = [model.get("measure"), k, ...chosen()].join();
    if (!shares.has(key)) shares.set(key, misled(chosen().map(scoresOf), k, SEED_STUDIES, makeRandom(k)));
    return shares.get(key);
  };
  const takeStudy = () => {
    const k = model.get("k");
    study = new Map();
    for (const name of names) {
      const places = drawPlaces(k, seeds, random); // for every arm, so that toggling changes none
      const rows = places.map((place) => arms.get(name).curves[place]);
      study.set(name, { places, curve: rows[0].map((_, point) => iqm(rows.map((row) => row[point]))) });
      if (k >= 3) study.get(name).band = bootstrapBand(rows, SEED_RESAMPLES, makeRandom(0));
    }
    judge();
  };
  const judge = () => {
    for (const name of chosen()) {
      const part = study.get(name);
      const values = part.places.map((place) => scoresOf(name)[place]);
      part.mean = iqm(values);
      part.range = values.length >= 3 && bootstrapBand(values.map((v) => [v]), SEED_RESAMPLES, makeRandom(0));
    }
    drawn += 1;
    if (chosen().length > 1)
      wrong += wrongWinner(chosen().map((name) => study.get(name).mean), chosen().indexOf(best()));
    model.set("state", { studies: drawn, wrong });
    model.save_changes();
  };
  const restart = () => {
    random = makeRandom(model.get("seed"));
    [drawn, wrong] = [0, 0];
    takeStudy();
    refresh(true);
  };

  const key = () =>
    chosen()
      .map((label) => ({ label, look: names.indexOf(label) }))
      .concat(chosen().length > 3 ? [] : { label: "thin: all 30 seeds", thin: true, look: 0, dash: [] });
  const figure = make("div");
  const { redraw } = makeCanvas(experiment, {
    parent: figure,
    label: "Left, greedy return over environment steps in a study of k seeds; right, how often k seeds mislead",
    height: (width) => (width < 600 ? 590 : 370),
    draw: (context, width, height, colors) => {
      const entries = key().map((e) => (e.thin ? { ...e, color: colors.muted } : e));
      const top = drawKey(context, width, colors, entries);
      const [curves, risk] = makePanels(width, height, 2, top);
      drawCurves(context, curves, colors);
      drawRisk(context, risk, colors);
    },
  });
  const drawCurves = (context, box, colors) => {
    const k = model.get("k");
    const axes = openAxes(context, box, colors, {
      title: `One study, ${k} ${k > 1 ? "seeds" : "seed"} per arm`,
      xLabel: "environment steps",
      yLabel: "greedy return",
      xRange: [0, 20000],
      yRange: [0, 500],
    });
    const crowded = chosen().length > 3; // then the study's curves alone
    for (const name of chosen()) {
      const { steps, curves } = arms.get(name);
      const { band, curve } = study.get(name);
      const look = names.indexOf(name);
      if (band && !crowded) axes.band(steps, band.low, band.high, look);
      if (!crowded) axes.line(steps, steps.map((_, point) => iqm(curves.map((row) => row[point]))), look, { thin: true, dash: [] });
      axes.line(steps, curve, look);
    }
  };
  const drawRisk = (context, box, colors) => {
    const k = model.get("k");
    const enough = chosen().length > 1;
    const risks = enough ? SEED_COUNTS.map(share) : [];
    const axes = openAxes(context, box, colors, {
      title: "Studies that name the wrong winner",
      xLabel: "seeds per arm",
      yLabel: "share of studies",
      xRange: [0, 31],
      yRange: [0, Math.max(0.6, 1.15 - 1 / Math.max(1, chosen().length), ...risks)],
      xTicks: [1, 5, 10, 15, 20, 25, 30],
    });
    axes.line([0, 31], [0.05, 0.05], 0, { color: colors.text, dash: [3, 3], thin: true });
    axes.write("one in twenty", axes.right - 2, axes.py(0.05) + 9, "right", colors.muted);
    const guess = 1 - 1 / chosen().length; // wrong, if one of the arms is named at random
    if (enough) {
      axes.line([0, 31], [guess, guess], 0, { color: colors.text, dash: [3, 3], thin: true });
      axes.write(`a guess among ${chosen().length}: ${guess.toFixed(2)}`, axes.right - 2, axes.py(guess) - 8, "right", colors.muted);
    }
    if (!enough) return axes.write("Choose two arms.", axes.left + 12, axes.top + 20);
    axes.line(SEED_COUNTS, risks, 0, { color: colors.text, dash: [] });
    axes.dot(k, share(k), 1, { size: 6 });
    const side = k > 20 ? "right" : "left";
    axes.write(`${k}: ${share(k).toFixed(2)}`, axes.px(k) + (k > 20 ? -11 : 11), axes.py(share(k)) - 11, side);
  };

  const table = make("table");
  const numbers = make("div", { class: "rl-scroll", tabindex: "0", role: "region", "aria-label": "Scores of the arms" }, table);
  const refresh = (now = false) => {
    redraw();
    const span = ({ low, high }) => ` [${low[0].toFixed(0)}, ${high[0].toFixed(0)}]`;
    fillTable(
      table,
      ["arm", "IQM of this study [95 % interval]", "all 30 seeds"],
      chosen().map((name) => {
        const { mean, range } = study.get(name);
        return [name, `${mean.toFixed(0)}${range ? span(range) : ", no interval"}`, iqm(scoresOf(name)).toFixed(0)];
      }),
    );
    if (chosen().length < 2) return say("Choose at least two arms to compare.", now);
    const k = model.get("k");
    const ranked = chosen().sort((a, b) => study.get(b).mean - study.get(a).mean);
    const [first, second] = ranked.map((name) => study.get(name).mean);
    const verdict =
      first === second
        ? "a tie"
        : `${ranked[0]} wins, which is ${ranked[0] === best() ? "what all 30 seeds say" : `wrong: all 30 seeds say ${best()}`}`;
    say(
      `Study ${drawn}, ${k} ${k > 1 ? "seeds" : "seed"} per arm: ${verdict}. Wrong so far: ${Number(wrong.toFixed(1))} ` +
        `of ${drawn}; in ${SEED_STUDIES.toLocaleString("en")} such studies: ${(100 * share(k)).toFixed(0)} per cent.`,
      now,
    );
  };

  const boxes = names.map((name) =>
    makeCheckbox({
      label: name,
      value: model.get("arms").includes(name),
      onInput: () => put("arms")(names.filter((_, i) => boxes[i].input.checked)),
    }),
  );
  const controls = {
    arms: { set: (list) => boxes.forEach((box, i) => box.set(list.includes(names[i]))) },
    k: makeRange({ label: "Seeds per arm, k", min: 1, max: 30, step: 1, value: model.get("k"), onInput: put("k") }),
    measure: makeSelect({
      label: "Measure",
      value: model.get("measure"),
      options: [["area", "area under the curve"], ["final", "final agent"]],
      onInput: put("measure"),
    }),
    seed: makeRange({ label: "Seed of the draws", min: 0, max: Math.max(50, model.get("seed")), step: 1, value: model.get("seed"), onInput: put("seed") }),
  };
  const recall = followInputs(experiment, model, controls, restart);
  let waited = 0;
  const bar = makePlayBar(experiment, {
    names: { play: "Draw many", step: "Draw a study" },
    frame: (seconds) => {
      waited += seconds;
      if (waited < 0.4) return;
      waited = 0;
      takeStudy();
      refresh();
    },
    step: () => {
      takeStudy();
      refresh(true);
    },
    reset: () => {
      recall();
      restart();
    },
  });
  root.append(
    make(
      "fieldset",
      { style: "border: 0; margin: 0.6rem 0 0; padding: 0; min-width: 0" },
      make("legend", { text: "Arms", style: "float: none; width: auto; margin: 0; padding: 0; font-size: inherit" }),
      make("div", { style: "display: flex; flex-wrap: wrap; gap: 0 1.1rem" }, ...boxes.map((box) => box.element)),
    ),
    make("div", { class: "rl-controls" }, controls.k.element, controls.measure.element, controls.seed.element),
    bar.element,
    figure,
  );
  restart();
  root.append(
    numbers,
    make("p", {
      class: "rl-note",
      text:
        `Shares are those of ${SEED_STUDIES.toLocaleString("en")} studies drawn in the page, the chapter's those of ten ` +
        "times as many: most of the time the two differ by less than 0.02. Bands and thin lines are left out where more " +
        "than three arms are shown.",
    }),
  );
  return experiment.destroy;
}

export default { render };
