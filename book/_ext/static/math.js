// Equations are set when one comes near, or when the reader first moves: a few at a time, so that
// the page never stops. Until then nobody waits for MathJax, which weighs more than the text.
(() => {
  "use strict";
  const { mathjax } = document.currentScript.dataset;
  const signs = ["scroll", "pointermove", "pointerdown", "keydown", "focusin"];
  const idle = window.requestIdleCallback ?? ((callback) => setTimeout(callback, 1));
  let started = false;
  const pause = () => new Promise((resolve) => idle(resolve, { timeout: 200 }));

  async function setAll() {
    for (const place of document.querySelectorAll(".math")) {
      await pause();
      await window.MathJax.typesetPromise([place]);
    }
  }

  function start() {
    if (started) return; // a reader may move before the page is there; MathJax comes once
    started = true;
    near.disconnect();
    for (const sign of signs) window.removeEventListener(sign, start);
    window.MathJax = { ...window.MathJax, startup: { typeset: false, pageReady: setAll } };
    const script = document.createElement("script");
    script.src = mathjax;
    document.head.append(script);
  }

  const near = new IntersectionObserver(
    (entries) => { if (entries.some((entry) => entry.isIntersecting)) start(); },
    { rootMargin: "30%" },
  );
  for (const sign of signs) window.addEventListener(sign, start, { passive: true });
  // Paper does not wait: what is not set yet is set at once, if MathJax has come.
  window.addEventListener("beforeprint", () => window.MathJax?.typeset?.());
  window.addEventListener("load", () => {
    for (const place of document.querySelectorAll(".math")) near.observe(place);
  });
})();
