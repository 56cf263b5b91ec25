// The Q-network of rl_lab: two hidden layers of ReLU units, in float32.

/** Read a safetensors file. @param {DataView} view @returns tensors by name, and `metadata` */
function readSafetensors(view) {
  const size = Number(view.getBigUint64(0, true));
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + size)));
  const { __metadata__: metadata = {}, ...entries } = header;
  const tensors = {};
  for (const [name, { dtype, shape, data_offsets: [from, to] }] of Object.entries(entries)) {
    if (dtype !== "F32") throw new Error(`tensor ${name} is ${dtype}; only F32 is read here`);
    tensors[name] = { shape, values: new Float32Array(bytes.slice(8 + size + from, 8 + size + to).buffer) };
  }
  return { tensors, metadata };
}

/** All action values of observations; weights lie row by row, as torch keeps them. */
class QNetwork {
  /** @param {number[]} sizes units per layer, inputs first: [4, 64, 64, 2] */
  constructor(sizes) {
    this.sizes = sizes;
    this.layers = sizes.slice(1).map((outputs, i) => ({
      inputs: sizes[i],
      outputs,
      weight: new Float32Array(outputs * sizes[i]),
      bias: new Float32Array(outputs),
    }));
  }

  /** Weights and biases uniform within 1 / sqrt(inputs), as torch draws them. */
  draw(random) {
    for (const { inputs, weight, bias } of this.layers) {
      const bound = 1 / Math.sqrt(inputs);
      for (let i = 0; i < weight.length; i += 1) weight[i] = random.uniform(-bound, bound);
      for (let i = 0; i < bias.length; i += 1) bias[i] = random.uniform(-bound, bound);
    }
    return this;
  }

  /** Take the weights from tensors named PREFIX.first.weight and so on. */
  static from(tensors, prefix) {
    const names = ["first", "second", "values"].map((layer) => `${prefix}.${layer}`);
    const shapes = names.map((name) => tensors[`${name}.weight`].shape);
    const network = new QNetwork([shapes[0][1], ...shapes.map((shape) => shape[0])]);
    network.layers.forEach((layer, i) => {
      layer.weight.set(tensors[`${names[i]}.weight`].values);
      layer.bias.set(tensors[`${names[i]}.bias`].values);
    });
    return network;
  }

  copyFrom(other) {
    this.layers.forEach((layer, i) => {
      layer.weight.set(other.layers[i].weight);
      layer.bias.set(other.layers[i].bias);
    });
  }

  /** Room for what `forward` writes at each layer, for a batch. */
  room(batch) {
    return this.layers.map(({ outputs }) => new Float32Array(batch * outputs));
  }

  /** Values [batch * actions] of `states` [batch * inputs]; each layer's output goes to `room`. */
  forward(states, batch, room) {
    let input = states;
    this.layers.forEach(({ inputs, outputs, weight, bias }, depth) => {
      const out = room[depth];
      const relu = depth < this.layers.length - 1;
      denseForward(input, weight, bias, out, batch, inputs, outputs, relu);
      input = out;
    });
    return input;
  }

  /** Action values of one observation. */
  values(state) {
    this.single ??= this.room(1);
    return this.forward(Float32Array.from(state), 1, this.single);
  }
}

/** out = relu?(input weight^T + bias); four sums at a time, since one alone would wait. */
function denseForward(input, weight, bias, out, batch, inputs, outputs, relu) {
  for (let b = 0; b < batch; b += 1) {
    const from = b * inputs;
    for (let o = 0; o < outputs; o += 1) {
      const row = o * inputs;
      let [s0, s1, s2, s3] = [bias[o], 0, 0, 0];
      let i = 0;
      for (; i + 3 < inputs; i += 4) {
        s0 += input[from + i] * weight[row + i];
        s1 += input[from + i + 1] * weight[row + i + 1];
        s2 += input[from + i + 2] * weight[row + i + 2];
        s3 += input[from + i + 3] * weight[row + i + 3];
      }
      for (; i < inputs; i += 1) s0 += input[from + i] * weight[row + i];
      const sum = s0 + s1 + s2 + s3;
      out[b * outputs + o] = relu && sum < 0 ? 0 : sum;
    }
  }
}

/** The larger of two values decides; equal values choose the first action, as torch does. */
function greedy(values) {
  return values[1] > values[0] ? 1 : 0;
}
