// CartPole-v1 as Gymnasium computes it, and its drawing.

/** The physics. A state is [x (m), its speed (m/s), angle (rad, to the right), its speed (rad/s)]. */
class CartPole {
  static xLimit = 2.4;
  static angleLimit = (12 * 2 * Math.PI) / 360;
  static stepLimit = 500;
  static tau = 0.02; // seconds per environment step

  /** @param {number[]} state @param {0 | 1} action 0 pushes left, 1 right @returns {number[]} */
  static next([x, speed, angle, spin], action) {
    const [gravity, cart, pole, half, push, tau] = [9.8, 1.0, 0.1, 0.5, 10.0, 0.02];
    const mass = cart + pole;
    const cos = Math.cos(angle);
    const sin = Math.sin(angle);
    const force = action === 1 ? push : -push;
    const pulled = (force + pole * half * spin * spin * sin) / mass;
    const angular =
      (gravity * sin - cos * pulled) / (half * (4.0 / 3.0 - (pole * cos * cos) / mass));
    const linear = pulled - (pole * half * angular * cos) / mass;
    return [x + tau * speed, speed + tau * linear, angle + tau * spin, spin + tau * angular];
  }

  /** Whether the episode ends here: beyond 2.4 m or 12 degrees. */
  static over([x, , angle]) {
    return Math.abs(x) > CartPole.xLimit || Math.abs(angle) > CartPole.angleLimit;
  }

  /** A start: each number uniform in [-0.05, 0.05). */
  static start(random) {
    return [0, 0, 0, 0].map(() => random.uniform(-0.05, 0.05));
  }
}

/** Where things are drawn: pixels of x, of the cart's top, and the pole's length in pixels. */
function cartPolePlaces(box, state) {
  const scale = box.width / 5.6; // pixels per metre
  const ground = box.y + box.height - 26;
  const x = box.x + box.width / 2 + state[0] * scale;
  const size = Math.max(34, 0.5 * scale);
  const top = ground - 0.62 * size;
  const length = Math.min(top - box.y - 10, 0.33 * box.width);
  const tip = [x + length * Math.sin(state[2]), top - length * Math.cos(state[2])];
  return { scale, ground, x, size, top, length, tip };
}

/**
 * Draw track, limits, cart and pole; an arrow shows the push (0 left, 1 right, null none).
 * The pole's drawn angle is the true one; its drawn length is not to scale.
 */
function drawCartPole(context, box, colors, state, push = null) {
  const { scale, ground, x, size, top, length, tip } = cartPolePlaces(box, state);
  const [accent, pole] = [colors.series[0], colors.series[1]];
  const middle = box.x + box.width / 2;
  context.lineCap = "round";
  context.strokeStyle = colors.muted;
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(box.x + 4, ground);
  context.lineTo(box.x + box.width - 4, ground);
  context.stroke();
  context.font = colors.font(12);
  context.textBaseline = "middle";
  context.textAlign = "center";
  for (const metres of [-2.4, 0, 2.4]) {
    const at = middle + metres * scale;
    context.beginPath();
    context.moveTo(at, ground - (metres ? 18 : 4));
    context.lineTo(at, ground + 4);
    context.stroke();
    context.fillStyle = colors.muted;
    context.fillText(metres ? `${metres} m` : "0", at, ground + 15);
  }
  context.setLineDash([4, 4]);
  context.lineWidth = 1;
  for (const side of [-1, 1]) {
    const angle = side * CartPole.angleLimit;
    context.beginPath();
    context.moveTo(x, top);
    context.lineTo(x + length * Math.sin(angle), top - length * Math.cos(angle));
    context.stroke();
  }
  context.setLineDash([]);
  context.fillStyle = accent;
  context.beginPath();
  context.roundRect(x - size / 2, top, size, 0.42 * size, 5);
  context.fill();
  context.fillStyle = colors.text;
  for (const side of [-1, 1]) {
    context.beginPath();
    context.arc(x + side * 0.27 * size, ground - 0.12 * size, 0.11 * size, 0, 2 * Math.PI);
    context.fill();
  }
  context.strokeStyle = pole;
  context.lineWidth = Math.max(6, 0.13 * size);
  context.beginPath();
  context.moveTo(x, top + 2);
  context.lineTo(...tip);
  context.stroke();
  context.fillStyle = colors.background;
  context.beginPath();
  context.arc(x, top + 2, 3, 0, 2 * Math.PI);
  context.fill();
  if (push !== null) {
    const side = push === 1 ? 1 : -1;
    const from = x + side * (size / 2 + 5);
    const to = from + side * 30;
    const y = top + 0.21 * size;
    context.strokeStyle = colors.text;
    context.lineWidth = 3;
    context.beginPath();
    context.moveTo(from, y);
    context.lineTo(to, y);
    context.moveTo(to - side * 8, y - 6);
    context.lineTo(to, y);
    context.lineTo(to - side * 8, y + 6);
    context.stroke();
  }
  context.lineCap = "butt";
}

/** "cart 0.31 m right, pole 2.0 degrees left". */
function describeCartPole([x, , angle]) {
  const side = (value, digits) =>
    Number(Math.abs(value).toFixed(digits)) === 0 ? "" : value > 0 ? " right" : " left";
  const degrees = (angle * 180) / Math.PI;
  return (
    `cart ${Math.abs(x).toFixed(2)} m${side(x, 2)}, ` +
    `pole ${Math.abs(degrees).toFixed(1)} degrees${side(degrees, 1)}`
  );
}
