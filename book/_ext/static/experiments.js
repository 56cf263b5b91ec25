// Experiments and their data, which weigh more than the text, are fetched when one comes near.
(() => {
  "use strict";
  const { scripts, style } = document.currentScript.dataset;

  const near = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      near.disconnect();
      const link = document.createElement("link");
      document.head.append(Object.assign(link, { rel: "stylesheet", href: style }));
      for (const src of scripts.split(" ")) {
        const script = document.createElement("script");
        Object.assign(script, { src, async: false }); // in this order
        document.head.append(script);
      }
    },
    { rootMargin: "100%" },
  );
  for (const place of document.querySelectorAll(".rl-experiment[data-experiment]")) {
    near.observe(place);
  }
})();
