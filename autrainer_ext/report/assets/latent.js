"use strict";
// The latent space: what each layer carries, and maps whose points can be heard.
(() => {
  const { el, svg, state, place, color, shape, recordings, fixed } = Report;
  const story = window.STORY, data = story.recordings;
  const SIZE = 480;

  function scores() {
    const rows = story.latent.scores;
    if (!rows.length) return;
    const layers = [...new Set(rows.map((r) => r.layer))];
    const names = ["class_probe", "device_probe", "class_on_other_devices"].filter((s) => rows.some((r) => r.score === s));
    const series = names.map((name, hue) => ({ name: name.replaceAll("_", " "), hue, points: layers.map((layer, x) => {
      const r = rows.find((each) => each.layer === layer && each.score === name);
      return r ? { x, y: r.value, low: r.low, high: r.high } : null;
    }).filter(Boolean) }));
    place("latent-scores", Report.lines("Scores over the layers", series, { xs: layers, unit: "score", across: "layer, input to output" }), Report.legend(series));
  }

  function maps() {
    const all = story.latent.maps;
    if (!all.length) return;
    const layers = [...new Set(all.map((m) => m.layer))];
    const methods = [...new Set(all.map((m) => m.method))];
    const paints = [["class", "label"], ["device", "device"], ["difficulty", "difficulty"], ["right", "prediction correct"]]
      .filter(([key]) => (key !== "device" || data.device.names.some(Boolean)) && (key !== "difficulty" || data.rank.some(Report.known)));
    let at = 0;

    state.watch(["layer", "map", "paint", "sample"], () => {
      const layer = layers.includes(state.get("layer")) ? state.get("layer") : layers[0];
      const method = methods.includes(state.get("map")) ? state.get("map") : methods[0];
      const paint = paints.some(([key]) => key === state.get("paint")) ? state.get("paint") : "class";
      const found = all.find((m) => m.layer === layer && m.method === method);
      if (!found) return;
      const points = found.row.map((row, i) => ({ row, x: found.x[i], y: found.y[i] })).filter((p) => p.row >= 0);
      const devices = [...data.device.names].filter(Boolean).sort();
      const hue = (row) => ({ class: () => data.target[row], device: () => devices.indexOf(recordings.device(row)), right: () => (recordings.isCorrect(row) ? 0 : 1), difficulty: () => 0 })[paint]();
      const fill = (row) => (paint === "difficulty" ? `color-mix(in oklab, var(--c2) ${Math.round(100 * (data.rank[row] ?? 0))}%, var(--easy))` : color(hue(row)));
      const chosen = recordings.chosen();
      const X = (v) => 14 + v * (SIZE - 28), Y = (v) => SIZE - 14 - v * (SIZE - 28);
      const say = (p) => `${data.filename[p.row]}, ${recordings.label(p.row)}${recordings.device(p.row) ? `, device ${recordings.device(p.row)}` : ""}, difficulty ${fixed(data.rank[p.row])}`;
      const mark = (p) => svg("path", { d: shape(hue(p.row), p.row === chosen ? 8 : 3.6), transform: `translate(${X(p.x)},${Y(p.y)})`, fill: fill(p.row), class: p.row === chosen ? "point marked" : "dot", "data-row": p.row,
        onmouseenter: (event) => Report.hint(event.currentTarget, say(p)), onmouseleave: () => Report.hint(), onclick: () => Report.play(p.row) });
      const ordered = [...points].sort((a, b) => (a.row === chosen) - (b.row === chosen));
      const status = el("p", { class: "quiet", role: "status", id: "latent-status" }, "Arrow keys walk over the points, Enter plays.");
      const figure = svg("svg", { class: "chart map", viewBox: `0 0 ${SIZE} ${SIZE}`, role: "application", tabindex: 0, "aria-label": `Map of ${layer} by ${method}: ${points.length} recordings`,
        onkeydown: (event) => {
          if (event.key === "Enter") return Report.play(points[at % points.length].row);
          const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
          if (!by) return;
          event.preventDefault();
          at = (at + by + points.length) % points.length;
          status.textContent = say(points[at]);
          figure.querySelector(".cursor")?.remove();
          figure.append(svg("circle", { class: "cursor", cx: X(points[at].x), cy: Y(points[at].y), r: 9 }));
        } }, ordered.map(mark));
      const legend = paint === "difficulty" ? el("p", { class: "ramp" }, "easy", el("span", { "aria-hidden": "true" }), "hard")
        : Report.legend((paint === "class" ? story.meta.classes : paint === "device" ? devices : ["correct", "wrong"]).map((name, i) => ({ name, hue: i })));
      const walk = (by) => state.set({ layer: layers[(layers.indexOf(layer) + by + layers.length) % layers.length] });
      place("latent-map",
        el("div", { class: "bar" },
          layers.length > 1 ? [Report.choice("Layer", layers.map((l) => [l, l]), layer, (v) => state.set({ layer: v })),
            el("button", { type: "button", onclick: () => walk(-1) }, "Layer before"), el("button", { type: "button", onclick: () => walk(1) }, "Layer after")] : el("span", { class: "quiet" }, `Layer ${layer}`),
          methods.length > 1 ? Report.choice("Map", methods.map((m) => [m, m]), method, (v) => state.set({ map: v })) : null,
          Report.choice("Colour", paints, paint, (v) => state.set({ paint: v }))),
        figure, legend, status);
    });
  }

  Report.startLatent = () => {
    if (!story.latent) return;
    scores();
    maps();
  };
})();
