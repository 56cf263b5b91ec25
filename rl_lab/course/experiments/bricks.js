// The game of rl_lab.bricks, its picture in planes, and the network that plays it.

/** The game. Only `start` draws; a step is decided by its action. */
class Bricks {
  static size = 10;
  static stepLimit = 500;

  /** A new episode. @param {number} column where the ball starts, 0..9 @param {-1 | 1} dx */
  constructor(column, dx) {
    Object.assign(this, { x: column, y: 4, dx, dy: 1, paddle: 4, steps: 0, score: 0, outcome: "" });
    this.bricks = new Uint8Array(Bricks.size ** 2);
    this.bricks.fill(1, Bricks.size, 4 * Bricks.size);
    this.last = { x: this.x, y: this.y };
  }

  static start(random) {
    return new Bricks(random.integer(Bricks.size), 2 * random.integer(2) - 1);
  }

  /** Move the paddle (0 stay, 1 left, 2 right), then the ball. @returns {number} the reward */
  step(action) {
    const { size } = Bricks;
    this.last = { x: this.x, y: this.y };
    this.steps += 1;
    this.paddle = Math.min(size - 2, Math.max(0, this.paddle + [0, -1, 1][action]));
    const reward = this.moveBall();
    this.score += reward;
    if (this.y === size - 1 && this.dy > 0) this.outcome = "lost";
    else if (!this.bricks.includes(1)) this.outcome = "cleared";
    else if (this.steps >= Bricks.stepLimit) this.outcome = "time is up";
    return reward;
  }

  moveBall() {
    const { size } = Bricks;
    const column = this.x + this.dx;
    if (column >= 0 && column < size) this.x = column;
    else this.dx = -this.dx;
    if (this.y + this.dy >= 0) this.y += this.dy;
    else this.dy = 1;
    const cell = size * this.y + this.x;
    if (this.bricks[cell]) {
      this.bricks[cell] = 0;
      this.dy = -this.dy;
      return 1;
    }
    const part = this.x - this.paddle; // of the paddle: 0 its left cell, 1 its right one
    if (this.y === size - 1 && (part === 0 || part === 1)) [this.dx, this.dy] = [2 * part - 1, -1];
    return 0;
  }

  /** The view "trail" [4 * 10 * 10]: paddle, ball, bricks, the ball's last cell; 1 and 0. */
  planes() {
    const { size } = Bricks;
    const all = new Float32Array(4 * size ** 2);
    const [ball, bricks, trail] = [1, 2, 3].map((plane) => plane * size ** 2);
    all.fill(1, size * (size - 1) + this.paddle, size * (size - 1) + this.paddle + 2);
    all[ball + size * this.y + this.x] = 1;
    all.set(this.bricks, bricks);
    all[trail + size * this.last.y + this.last.x] = 1;
    return all;
  }
}

/** One layer of 3 x 3 filters, one hidden layer, and the values: `ConvQNetwork` for 10 x 10. */
class BricksNetwork {
  /** @param {object} tensors as torch names them */
  constructor(tensors) {
    const of = (name) => tensors[name].values;
    [this.filters, this.filterBias] = [of("convolutions.0.weight"), of("convolutions.0.bias")];
    [this.hiddenBias, this.out, this.outBias] = [of("hidden.bias"), of("values.weight"), of("values.bias")];
    this.nFilters = this.filterBias.length;
    this.nPlanes = this.filters.length / this.nFilters / 9;
    this.nHidden = this.hiddenBias.length;
    this.width = Bricks.size - 2; // of what a filter gives
    const rows = of("hidden.weight");
    const inputs = rows.length / this.nHidden;
    this.columns = new Float32Array(rows.length); // the weights of one input side by side
    for (let h = 0; h < this.nHidden; h += 1)
      for (let i = 0; i < inputs; i += 1) this.columns[i * this.nHidden + h] = rows[h * inputs + i];
    this.features = new Float32Array(inputs);
    this.sums = new Float32Array(this.nHidden);
  }

  /** What a filter gives at a place, after ReLU. */
  feature(planes, filter, row, column) {
    const { size } = Bricks;
    let sum = this.filterBias[filter];
    for (let plane = 0; plane < this.nPlanes; plane += 1)
      for (let dy = 0; dy < 3; dy += 1) {
        const from = size * (size * plane + row + dy) + column;
        const at = 3 * (3 * (this.nPlanes * filter + plane) + dy);
        for (let dx = 0; dx < 3; dx += 1) sum += planes[from + dx] * this.filters[at + dx];
      }
    return Math.max(0, sum);
  }

  /** Add to the sums of the hidden layer what a change of one feature adds. */
  add(sums, index, change) {
    if (change === 0) return;
    const from = index * this.nHidden;
    for (let h = 0; h < this.nHidden; h += 1) sums[h] += change * this.columns[from + h];
  }

  read(sums) {
    return Array.from(this.outBias, (bias, action) => {
      let value = bias;
      for (let h = 0; h < this.nHidden; h += 1)
        if (sums[h] > 0) value += sums[h] * this.out[action * this.nHidden + h];
      return value;
    });
  }

  /** Action values of an observation [planes * 10 * 10]. */
  values(planes) {
    this.sums.set(this.hiddenBias);
    let index = 0;
    for (let filter = 0; filter < this.nFilters; filter += 1)
      for (let row = 0; row < this.width; row += 1)
        for (let column = 0; column < this.width; column += 1, index += 1) {
          this.features[index] = this.feature(planes, filter, row, column);
          this.add(this.sums, index, this.features[index]);
        }
    return this.read(this.sums);
  }

  /** The values, and for each cell the largest change of one when the cell is emptied in all planes. */
  occlusion(planes) {
    const { size } = Bricks;
    const values = this.values(planes);
    const seen = Float32Array.from(planes);
    const sums = new Float32Array(this.nHidden);
    const map = new Float32Array(size ** 2);
    for (let cell = 0; cell < size ** 2; cell += 1) {
      const stored = Array.from({ length: this.nPlanes }, (_, plane) => planes[plane * size ** 2 + cell]);
      if (!stored.some(Boolean)) continue;
      stored.forEach((_, plane) => (seen[plane * size ** 2 + cell] = 0));
      sums.set(this.sums);
      const [y, x] = [Math.floor(cell / size), cell % size];
      for (let row = Math.max(0, y - 2); row <= Math.min(this.width - 1, y); row += 1)
        for (let column = Math.max(0, x - 2); column <= Math.min(this.width - 1, x); column += 1)
          for (let filter = 0; filter < this.nFilters; filter += 1) {
            const index = this.width * (this.width * filter + row) + column;
            this.add(sums, index, this.feature(seen, filter, row, column) - this.features[index]);
          }
      map[cell] = Math.max(...this.read(sums).map((value, action) => Math.abs(value - values[action])));
      stored.forEach((value, plane) => (seen[plane * size ** 2 + cell] = value));
    }
    return { map, values };
  }
}
