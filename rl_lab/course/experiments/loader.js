// Brings the experiments of a static page to life, without a kernel and without a network.
(() => {
  "use strict";

  /** What an experiment asks of anywidget's model, over plain values. */
  function makeModel(values) {
    const heard = new Map();
    const tell = (event, ...details) => {
      for (const callback of [...(heard.get(event) ?? [])]) callback(...details);
    };
    const model = {
      get: (name) => values[name],
      set(name, value) {
        if (values[name] === value) return;
        values[name] = value;
        tell(`change:${name}`, model, value);
      },
      save_changes: () => tell("change", model),
      send() {},
      on(events, callback) {
        for (const event of events.split(" ")) {
          if (!heard.has(event)) heard.set(event, new Set());
          heard.get(event).add(callback);
        }
      },
      off(events, callback) {
        for (const event of events ? events.split(" ") : [...heard.keys()]) {
          if (callback) heard.get(event)?.delete(callback);
          else heard.delete(event);
        }
      },
    };
    return model;
  }

  /** The bytes of an asset, as anywidget would hand them over. */
  function decode(name) {
    const coded = window.rlAssets?.[name];
    if (coded === undefined) throw new Error(`the data "${name}" did not come with this page`);
    const text = atob(coded);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
    return new DataView(bytes.buffer);
  }

  async function start(place) {
    const { experiment, title, inputs, assets } = place.dataset;
    const module = window.rlExperiments?.[experiment];
    if (!module) throw new Error(`the script of "${experiment}" did not come with this page`);
    const names = assets ? assets.split(" ") : [];
    const model = makeModel({
      ...JSON.parse(inputs || "{}"),
      title,
      summary: place.querySelector(".rl-summary")?.textContent ?? "",
      assets: Object.fromEntries(names.map((name) => [name, decode(name)])),
      state: {},
    });
    const view = document.createElement("div");
    const fallback = [...place.childNodes];
    place.append(view);
    try {
      await module.render({ model, el: view });
    } catch (error) {
      view.remove();
      throw error;
    }
    for (const node of fallback) node.remove();
    place.model = model; // for the browser's console, and for tests
  }

  function tryToStart(place) {
    start(place).catch((error) => {
      const note = document.createElement("p");
      note.textContent = `This experiment could not start: ${error.message}.`;
      place.append(note);
      console.error(error);
    });
  }

  /** Each experiment starts when it comes near, so that no reader computes what nobody sees. */
  function startAll() {
    const near = new IntersectionObserver(
      (entries) => {
        for (const { isIntersecting, target } of entries) {
          if (!isIntersecting) continue;
          near.unobserve(target);
          tryToStart(target);
        }
      },
      { rootMargin: "50%" },
    );
    for (const place of document.querySelectorAll(".rl-experiment[data-experiment]")) near.observe(place);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", startAll);
  else startAll();
})();
