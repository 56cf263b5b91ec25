// Start reveal.js. What does not fit on a slide is set smaller; below 60 per cent it scrolls.
function fit({ currentSlide: slide }) {
  MathJax.startup.promise.then(() => {
    for (let zoom = 0.95; slide.scrollHeight > slide.clientHeight && zoom > 0.59; zoom -= 0.05)
      for (const part of slide.children) part.style.zoom = zoom;
  });
}
Reveal.on("ready", fit);
Reveal.on("slidechanged", fit);
Reveal.initialize({ width: 1280, height: 720, margin: 0, center: false, hash: true,
  slideNumber: "c/t", transition: "none", plugins: [RevealNotes] });
