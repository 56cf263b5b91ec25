// What all experiments share. Plain functions without imports: they are put before each
// experiment's own code. Every experiment's render starts with `openExperiment`.

/**
 * A seeded generator: sfc32 (three words of state and a counter), seeded by splitmix32.
 * It uses whole numbers, additions and multiplications only, which every browser computes alike.
 * @param {number} seed a whole number from 0 to 2^32 - 1
 * @returns {{uniform: (low?: number, high?: number) => number, integer: (n: number) => number,
 *   normal: () => number}} `uniform` is in [low, high); `integer` in 0 .. n-1; `normal` is the
 *   sum of twelve uniforms less 6: mean 0, variance 1, and no value beyond 6
 */
function makeRandom(seed) {
  let s = seed >>> 0;
  const split = () => {
    s = (s + 0x9e3779b9) | 0;
    let z = s ^ (s >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return z ^ (z >>> 15);
  };
  let a = split();
  let b = split();
  let c = split();
  let count = 1;
  const word = () => {
    const out = (((a + b) | 0) + count) | 0;
    count = (count + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + out) | 0;
    return out >>> 0;
  };
  for (let i = 0; i < 12; i += 1) word();
  const uniform = (low = 0, high = 1) => low + (high - low) * (word() / 4294967296);
  return {
    uniform,
    integer: (n) => Math.floor(uniform() * n),
    normal: () => {
      let sum = -6;
      for (let i = 0; i < 12; i += 1) sum += uniform();
      return sum;
    },
  };
}

/** Make an element: attributes by name (`text`, `class`, on... = listener), then children. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/**
 * Open an experiment in `el`: a titled group with its text alternative and what to try.
 * @param {{model: object, el: HTMLElement, hints: string[]}} place hints: one line each
 * @returns {{root: HTMLElement, onDestroy: (f: Function) => void, destroy: () => void,
 *   say: (text: string, now?: boolean) => void, redrawOnTheme: (f: Function) => void}}
 *   `say` writes the status line, which screen readers hear at most every three seconds;
 *   return `destroy` from render.
 */
function openExperiment({ model, el, hints }) {
  const endings = [];
  const onDestroy = (ending) => endings.push(ending);
  const title = model.get("title");
  const seen = make("p", { class: "rl-status" });
  const heard = make("p", { class: "rl-unseen", role: "status", "aria-live": "polite" });
  const root = make(
    "div",
    { class: "rl-root", role: "group", "aria-label": `Experiment: ${title}` },
    make("p", { class: "rl-title", text: title }),
    make("p", { class: "rl-unseen", text: model.get("summary") }),
    make("ul", { class: "rl-hints" }, ...hints.map((text) => make("li", { text }))),
  );
  el.replaceChildren(root);

  let last = 0;
  let timer = 0;
  let waiting = "";
  const announce = () => {
    timer = 0;
    last = Date.now();
    heard.textContent = waiting;
  };
  const say = (text, now = false) => {
    if (!seen.isConnected) root.append(seen, heard);
    if (seen.textContent !== text) seen.textContent = text;
    if (text === waiting) return;
    waiting = text;
    if (now) clearTimeout(timer);
    if (now) announce();
    else if (!timer) timer = setTimeout(announce, Math.max(0, last + 3000 - Date.now()));
  };
  onDestroy(() => clearTimeout(timer));

  const redrawOnTheme = (redraw) => {
    const observer = new MutationObserver(redraw);
    const attributeFilter = ["data-theme", "data-jp-theme-light", "class"];
    observer.observe(document.documentElement, { attributes: true, attributeFilter });
    observer.observe(document.body, { attributes: true, attributeFilter });
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", redraw);
    onDestroy(() => observer.disconnect());
    onDestroy(() => dark.removeEventListener("change", redraw));
  };
  const destroy = () => endings.splice(0).forEach((ending) => ending());
  return { root, onDestroy, destroy, say, redrawOnTheme };
}

/** Whether the reader asked for less motion. */
const lessMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** The colours of the page as it is now; `series` is Okabe and Ito's palette, by contrast. */
function themeColors(element) {
  const style = getComputedStyle(element);
  const of = (name) => style.getPropertyValue(`--rl-${name}`).trim();
  const dark = of("scheme") === "dark";
  return {
    text: of("text"),
    muted: of("muted"),
    line: of("line"),
    background: of("background"),
    surface: of("surface"),
    dark,
    series: dark
      ? ["#56b4e9", "#e69f00", "#2fc49a", "#cc79a7", "#f0e442", "#f07c3e"]
      : ["#0072b2", "#d55e00", "#00785a", "#a8467b", "#a06c00", "#2b7ba8"],
    font: (size) => `${size}px ${style.fontFamily || "sans-serif"}`,
  };
}

/**
 * A canvas as wide as its parent, sharp on every screen, drawn again on new width or theme.
 * @param {object} experiment from `openExperiment`
 * @param {{parent: HTMLElement, label: string, height: (width: number) => number,
 *   draw: (context: CanvasRenderingContext2D, width: number, height: number,
 *   colors: object) => void}} options
 * @returns {{canvas: HTMLCanvasElement, redraw: () => void}} `redraw` draws in the next frame
 */
function makeCanvas(experiment, { parent, label, height, draw }) {
  const canvas = make("canvas", { class: "rl-canvas", role: "img", "aria-label": label });
  parent.append(canvas);
  let asked = 0;
  const paint = () => {
    asked = 0;
    const width = canvas.clientWidth;
    if (!width) return;
    const tall = Math.round(height(width));
    const scale = window.devicePixelRatio || 1;
    const size = [Math.round(width * scale), Math.round(tall * scale)];
    if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
    canvas.style.height = `${tall}px`;
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, tall);
    draw(context, width, tall, themeColors(canvas));
  };
  const redraw = () => {
    if (!asked) asked = requestAnimationFrame(paint);
  };
  const observer = new ResizeObserver(redraw);
  observer.observe(canvas);
  experiment.redrawOnTheme(redraw);
  experiment.onDestroy(() => observer.disconnect());
  experiment.onDestroy(() => cancelAnimationFrame(asked));
  redraw();
  return { canvas, redraw };
}

/** With so many decimals, or with more where these would not tell the value: 0.50, 0.9995. */
const toDigits = (value, n) => {
  const near = Number(value.toPrecision(6));
  return Number(near.toFixed(n)) === near ? near.toFixed(n) : String(near);
};

/** A labelled slider; beside it stands the value that was set, even where no notch is there. */
function makeRange({ label, min, max, step, value, format = String, onInput }) {
  const shown = make("span", { class: "rl-value", "aria-hidden": "true" }); // said by valuetext
  const input = make("input", { type: "range", min, max, step, value });
  const tell = (number) => {
    shown.textContent = format(number);
    input.setAttribute("aria-valuetext", shown.textContent);
  };
  input.addEventListener("input", () => {
    tell(Number(input.value));
    onInput(Number(input.value));
  });
  tell(value);
  const name = make("span", { class: "rl-name" }, make("span", { text: label }), shown);
  const element = make("label", { class: "rl-control" }, name, input);
  const set = (next) => {
    input.value = next;
    tell(next);
  };
  return { element, input, set };
}

/** A labelled checkbox. */
function makeCheckbox({ label, value, onInput }) {
  const input = make("input", { type: "checkbox" });
  input.checked = value;
  input.addEventListener("change", () => onInput(input.checked));
  const element = make("label", { class: "rl-control rl-check" }, input, make("span", { text: label }));
  const set = (next) => {
    input.checked = next;
  };
  return { element, input, set };
}

/** A labelled list; `options` are pairs [value, text], and any other value set is added. */
function makeSelect({ label, options, value, onInput }) {
  const entries = options.map(([key, text]) => make("option", { value: key, text }));
  const input = make("select", {}, ...entries);
  input.addEventListener("change", () => onInput(input.value));
  const name = make("span", { class: "rl-name", text: label });
  const element = make("label", { class: "rl-control" }, name, input);
  const set = (next) => {
    input.value = next;
    if (input.value !== String(next)) input.append(make("option", { value: next, text: next, selected: true }));
  };
  if (value !== undefined) set(value);
  return { element, input, set };
}

/** A button. */
function makeButton({ label, onClick, main = false }) {
  return make("button", { type: "button", class: main ? "rl-main" : false, text: label, onclick: onClick });
}

/**
 * Play, step and reset. `frame(seconds)` runs in each animation frame while it plays, with the
 * time since the last; with reduced motion four times a second, and nothing plays by itself.
 * @returns {{element: HTMLElement, play: () => void, pause: () => void, playing: () => boolean}}
 */
function makePlayBar(experiment, { frame, step, reset, onChange = () => {}, names = {} }) {
  const { play: playName = "Play", pause: pauseName = "Pause" } = names;
  let running = false;
  let request = 0;
  let last = 0;
  const tick = (now) => {
    if (!running) return;
    request = requestAnimationFrame(tick);
    if (now - last < (lessMotion() ? 250 : 0)) return;
    const seconds = Math.min((now - last) / 1000, 0.25);
    last = now;
    frame(seconds);
  };
  const set = (next) => {
    if (next === running) return;
    running = next;
    main.textContent = running ? pauseName : playName;
    cancelAnimationFrame(request);
    last = performance.now();
    if (running) request = requestAnimationFrame(tick);
    onChange(running);
  };
  const main = makeButton({ label: playName, main: true, onClick: () => set(!running) });
  const element = make("div", { class: "rl-bar" }, main);
  const more = (label, action) =>
    element.append(makeButton({ label, onClick: () => (set(false), action()) }));
  if (step) more(names.step ?? "Step", step);
  if (reset) more(names.reset ?? "Reset", reset);
  experiment.onDestroy(() => set(false));
  return { element, play: () => set(true), pause: () => set(false), playing: () => running };
}

/** How fast time runs in a picture: 1 is real time. */
function makeSpeed(model, onInput) {
  return makeRange({
    label: "Speed",
    min: 0.1,
    max: 2,
    step: 0.1,
    value: model.get("speed"),
    format: (value) => `${toDigits(value, 1)} x real time`,
    onInput,
  });
}

/** Let a canvas be reached by keys and by fingers; `text` tells a screen reader what keys do. */
function takeKeys(canvas, figure, text) {
  const id = `rl-keys-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  figure.append(make("p", { class: "rl-unseen", id, text }));
  canvas.tabIndex = 0;
  canvas.classList.add("rl-touch");
  canvas.setAttribute("role", "application"); // keys reach it, not the screen reader
  canvas.setAttribute("aria-describedby", id);
}

/** Whole steps out of a rate: what a frame leaves over counts in the next one. */
function makeTally() {
  let owed = 0;
  return (amount) => {
    owed += amount;
    const whole = Math.floor(owed);
    owed -= whole;
    return whole;
  };
}

/** Round numbers between two bounds, about `count` of them. */
function niceTicks(low, high, count = 5) {
  const rough = (high - low || 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const first = Math.ceil(low / step - 1e-9);
  const ticks = [];
  for (let i = first; i * step <= high + 1e-9 * step; i += 1) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3], [14, 4], [4, 2]];

/** Draw a line through points, in CSS pixels. */
function strokeLine(context, points, color, width = 2, dash = []) {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.setLineDash(dash);
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
  context.stroke();
  context.setLineDash([]);
}

/**
 * Draw lines over axes, told apart by colour and by dashes, each named in a legend on top.
 * @param {CanvasRenderingContext2D} context
 * @param {{x: number, y: number, width: number, height: number}} box in CSS pixels
 * @param {object} colors from `themeColors`
 * @param {{series: {label: string, x: ArrayLike<number>, y: ArrayLike<number>, style?: number,
 *   faint?: boolean}[], xLabel: string, yLabel: string, xRange: number[], yRange: number[],
 *   marks?: {y: number, label: string}[], yText?: (tick: number) => string}} chart `style` picks colour and
 *   dashes (default: its place); `faint` lines are thin and not in the legend
 */
function drawLines(context, box, colors, chart) {
  const { series, xRange, yRange, marks = [], yText = String } = chart;
  const rows = series.filter((line) => line.label && !line.faint);
  context.font = colors.font(12);
  context.lineWidth = 1;
  const wide = Math.max(...niceTicks(...yRange).map((t) => context.measureText(yText(t)).width));
  const left = box.x + wide + 28;
  const top = box.y + 8 + rows.length * 17;
  const right = box.x + box.width - 24;
  const bottom = box.y + box.height - 38;
  const px = (x) => left + ((x - xRange[0]) / (xRange[1] - xRange[0] || 1)) * (right - left);
  const py = (y) => bottom - ((y - yRange[0]) / (yRange[1] - yRange[0] || 1)) * (bottom - top);
  const write = (text, x, y, align, style = colors.text) => {
    context.fillStyle = style;
    context.textAlign = align;
    context.fillText(text, x, y);
  };
  context.textBaseline = "middle";
  for (const tick of niceTicks(...yRange, Math.max(2, (bottom - top) / 40))) {
    strokeLine(context, [[left, py(tick)], [right, py(tick)]], colors.line, 1, []);
    write(yText(tick), left - 6, py(tick), "right");
  }
  for (const tick of niceTicks(...xRange, Math.max(2, (right - left) / 80)))
    write(tick.toLocaleString("en"), px(tick), bottom + 12, "center");
  write(chart.xLabel, (left + right) / 2, bottom + 29, "center", colors.muted);
  context.save();
  context.translate(box.x + 9, (top + bottom) / 2);
  context.rotate(-Math.PI / 2);
  write(chart.yLabel, 0, 0, "center", colors.muted);
  context.restore();
  for (const { y, label } of marks) {
    strokeLine(context, [[left, py(y)], [right, py(y)]], colors.text, 1, [3, 3]);
    write(label, right - 2, py(y) - 8, "right", colors.muted);
  }
  context.save();
  context.beginPath();
  context.rect(left, top - 3, right - left + 3, bottom - top + 6);
  context.clip();
  series.forEach((line, place) => {
    const look = line.style ?? place;
    const color = colors.series[look % colors.series.length];
    const points = Array.from(line.x, (x, i) => [px(x), py(line.y[i])]);
    context.globalAlpha = line.faint ? 0.35 : 1;
    strokeLine(context, points, color, line.faint ? 1 : 2, line.faint ? [] : DASHES[look % DASHES.length]);
  });
  context.restore();
  rows.forEach((line, row) => {
    const look = line.style ?? series.indexOf(line);
    const y = box.y + 9 + row * 17;
    const color = colors.series[look % colors.series.length];
    strokeLine(context, [[left, y], [left + 30, y]], color, 2, DASHES[look % DASHES.length]);
    write(line.label, left + 37, y, "left");
  });
}
