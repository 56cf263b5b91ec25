"""What the browser tests of all experiments ask alike."""

from rl_lab.widgets import static


def render_and_remove(page, experiment, canvases):
    """Render an experiment as a kernel's page does, and see that nothing listens once removed."""
    found = page.evaluate(
        """async (source) => {
          const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
          const { default: module } = await import(url);
          const place = document.querySelector(".rl-experiment");
          const heard = []; // [event, callback] of every listener that is left
          const model = {
            ...place.model,
            on: (events, f) => events.split(" ").forEach((event) => heard.push([event, f])),
            off: (events, f) => events.split(" ").forEach((event) =>
              heard.splice(0, heard.length, ...heard.filter(([e, g]) => e !== event || g !== f))),
          };
          const el = document.createElement("div");
          document.querySelector("main").append(el);
          const destroy = await module.render({ model, el });
          const shown = el.querySelectorAll("canvas").length;
          const listened = heard.length;
          destroy();
          return { shown, listened, left: heard.map(([event]) => event) };
        }""",
        static.module_source(experiment.NAME),
    )
    assert found["shown"] == canvases and found["left"] == []
    assert found["listened"] >= len(experiment.input_names()) - 1, "and was told of its inputs"
