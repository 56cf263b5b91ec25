// Start reveal.js as soon as it is there; the formulas are set meanwhile.
Reveal.initialize({
  width: 1280,
  height: 720,
  margin: 0,
  center: false,
  hash: true,
  slideNumber: "c/t",
  showSlideNumber: "all",
  transition: "none",
  viewDistance: 3,
  plugins: [RevealNotes],
});
