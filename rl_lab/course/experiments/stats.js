// The statistics of `rl_lab.stats` that more than one experiment needs.

/** The interquartile mean: cut a quarter at each end, rounded down, and average the rest. */
function iqm(values) {
  const sorted = Float64Array.from(values).sort();
  const cut = Math.floor(sorted.length / 4);
  let sum = 0;
  for (let i = cut; i < sorted.length - cut; i += 1) sum += sorted[i];
  return sum / (sorted.length - 2 * cut);
}
