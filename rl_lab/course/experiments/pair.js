// Room for two figures.

/** Two figures beside each other where there is room, else one below the other. */
function makePair() {
  const columns = "repeat(auto-fit, minmax(min(100%, 18rem), 1fr))";
  return make("div", { style: `display: grid; gap: 0.75rem; align-items: start; grid-template-columns: ${columns}` });
}
