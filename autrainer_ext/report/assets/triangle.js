"use strict";
// The entropy triangle: every run's way through the epochs, and the confusion matrix of a point.
(() => {
  const { el, svg, state, place, color, shape, percent, fixed } = Report;
  const story = window.STORY;
  const H = Math.sqrt(3) / 2;
  const SIZE = 460, LEFT = 34, TOP = 26;
  const X = (x) => LEFT + x * SIZE, Y = (y) => TOP + (H - y) * SIZE;

  function start() {
    if (!story.triangle) return;
    const p = story.triangle.points;
    const unique = (values) => [...new Set(values)];
    const splits = ["test", "dev", "train", "train_online"].filter((s) => p.split.includes(s));
    const runs = story.summary.runs;
    const criteria = unique(runs.map((r) => r.condition));
    const seeds = unique(runs.map((r) => r.seed));
    const strata = unique(p.stratum);
    const rows = p.run.map((_, i) => i);
    const off = () => new Set(state.get("off").split("|").filter(Boolean));
    const split = () => (splits.includes(state.get("split")) ? state.get("split") : splits[0]);
    const iterations = () => unique(rows.filter((i) => p.split[i] === split() && p.stratum[i] === "all").map((i) => p.iteration[i])).sort((a, b) => a - b);
    const epoch = () => {
      const all = iterations(), asked = Number(state.get("epoch"));
      return state.get("epoch") !== "" && all.includes(asked) ? asked : all[all.length - 1];
    };
    let looked = null; // point whose matrix is shown
    const strataOn = new Set(["all"]);

    const shown = () => {
      const hidden = off();
      return rows.filter((i) => {
        const run = runs.find((r) => r.run === p.run[i]);
        return run && p.split[i] === split() && p.view[i] === state.get("view") && strataOn.has(p.stratum[i]) &&
          !hidden.has(`c:${run.condition}`) && !hidden.has(`s:${run.seed}`);
      });
    };

    function flip(name, on) {
      const hidden = off();
      if (on) hidden.delete(name); else hidden.add(name);
      state.set({ off: [...hidden].join("|") });
    }

    function controls() {
      const all = iterations();
      const slider = el("input", { type: "range", id: "epoch", min: 0, max: all.length - 1, step: 1, value: all.indexOf(epoch()), oninput: () => state.set({ epoch: all[slider.value] }) });
      const out = el("output", { for: "epoch", id: "epoch-shown" }, String(epoch()));
      let timer = null;
      const run = el("button", { type: "button", id: "epoch-run", onclick: () => {
        if (timer) { clearInterval(timer); timer = null; run.textContent = "Run"; return; }
        run.textContent = "Stop";
        let at = 0;
        timer = setInterval(() => {
          slider.value = at; state.set({ epoch: all[at] }); at += 1;
          if (at >= all.length) { clearInterval(timer); timer = null; run.textContent = "Run"; }
        }, 500);
      } }, "Run");
      place("triangle-controls",
        Report.choice("Split", splits.map((s) => [s, s]), split(), (value) => state.set({ split: value, epoch: "" })),
        Report.choice("View", [["pred", "predictions"], ["true", "labels"], ["joint", "both"]], state.get("view"), (value) => state.set({ view: value })),
        el("div", { class: "slider" }, Report.field("Iteration", slider), out, run),
        group("Criterion", criteria.map((c, i) => Report.toggle(c, !off().has(`c:${c}`), (on) => flip(`c:${c}`, on), Report.swatch(i)))),
        group("Seed", seeds.map((s) => Report.toggle(s, !off().has(`s:${s}`), (on) => flip(`s:${s}`, on)))),
        strata.length > 1 ? group("Recordings", strata.map((s) => Report.toggle(s === "all" ? "all" : `${p.stratum_column[p.stratum.indexOf(s)]} ${s}`, strataOn.has(s), (on) => {
          if (on) strataOn.add(s); else strataOn.delete(s);
          draw();
        }))) : null);
    }
    const group = (name, items) => el("fieldset", {}, el("legend", {}, name), items);

    function frame() {
      const tick = [0.2, 0.4, 0.6, 0.8];
      return [
        tick.map((t) => svg("path", { class: "grid", d: `M${X(t / 2)},${Y(t * H)}H${X(1 - t / 2)}M${X(t)},${Y(0)}L${X((1 + t) / 2)},${Y((1 - t) * H)}M${X(t)},${Y(0)}L${X(t / 2)},${Y(t * H)}` })),
        svg("path", { class: "axis", fill: "none", d: `M${X(0)},${Y(0)}H${X(1)}L${X(0.5)},${Y(H)}z` }),
        svg("text", { class: "corner", x: X(0.5), y: Y(H) - 9, "text-anchor": "middle" }, "informed"),
        svg("text", { class: "corner", x: X(0), y: Y(0) + 20, "text-anchor": "start" }, "guessing"),
        svg("text", { class: "corner", x: X(1), y: Y(0) + 20, "text-anchor": "end" }, "one class"),
      ];
    }

    function draw() {
      const now = epoch();
      const visible = shown();
      const ways = new Map();
      for (const i of visible) {
        const key = `${p.run[i]}|${p.stratum[i]}`;
        ways.set(key, [...(ways.get(key) ?? []), i]);
      }
      const parts = [...ways.values()].map((points) => {
        points.sort((a, b) => p.iteration[a] - p.iteration[b]);
        const run = runs.find((r) => r.run === p.run[points[0]]);
        const hue = criteria.indexOf(run.condition);
        const path = (list) => list.map((i, k) => `${k ? "L" : "M"}${X(p.x[i])},${Y(p.y[i])}`).join("");
        const past = points.filter((i) => p.iteration[i] <= now);
        const here = past[past.length - 1] ?? points[0];
        const chosen = Report.recordings.chosen();
        const marked = chosen >= 0 && p.stratum[here] !== "all" && p.stratum[here] === Report.recordings.device(chosen);
        return svg("g", {},
          points.length > 1 ? svg("path", { d: path(points), fill: "none", stroke: color(hue), opacity: 0.18, "stroke-width": 1.2 }) : null,
          past.length > 1 ? svg("path", { d: path(past), fill: "none", stroke: color(hue), opacity: 0.75, "stroke-width": 1.5 }) : null,
          bar(here, hue),
          svg("path", {
            class: marked ? "point marked" : "point", d: shape(hue, 7), transform: `translate(${X(p.x[here])},${Y(p.y[here])})`, fill: color(hue),
            tabindex: 0, role: "button", "aria-label": describe(here, run), "data-run": run.run, "data-iteration": p.iteration[here],
            onfocus: () => look(here), onmouseenter: () => look(here), onclick: () => look(here),
          }),
          p.stratum[here] === "all" ? null : svg("text", { class: "name", x: X(p.x[here]) + 9, y: Y(p.y[here]) + 4 }, p.stratum[here]));
      });
      place("triangle-figure", svg("svg", { class: "chart triangle", viewBox: `0 0 ${SIZE + 2 * LEFT} ${H * SIZE + TOP + 28}`, role: "group", "aria-label": `Entropy triangle, ${split()}, iteration ${now}` }, frame(), parts));
      const slider = document.getElementById("epoch");
      if (slider) slider.value = iterations().indexOf(now);
      const out = document.getElementById("epoch-shown");
      if (out) out.textContent = String(now);
      const own = visible.find((i) => p.run[i] === (looked?.run ?? story.meta.told_run) && p.stratum[i] === (looked?.stratum ?? "all") && p.iteration[i] === now);
      look(own ?? visible.find((i) => p.iteration[i] === now) ?? visible[0]);
    }

    function bar(i, hue) {
      if (!p.x_low || !Report.known(p.y_low[i])) return null;
      return svg("path", { d: `M${X(p.x_low[i])},${Y(p.y[i])}H${X(p.x_high[i])}M${X(p.x[i])},${Y(p.y_low[i])}V${Y(p.y_high[i])}`, stroke: color(hue), "stroke-width": 1.2, opacity: 0.8 });
    }

    const describe = (i, run) => `${run.label}, ${p.stratum[i] === "all" ? "all recordings" : p.stratum[i]}, iteration ${p.iteration[i]}: divergence ${fixed(p.divergence[i])}, mutual information ${fixed(p.mutual_information[i])}, variation ${fixed(p.variation[i])}, accuracy ${percent(p.accuracy[i])}`;

    function look(i) {
      if (i === undefined) return void place("triangle-matrix", el("p", { class: "quiet" }, "Nothing is switched on."));
      looked = { run: p.run[i], stratum: p.stratum[i] };
      const run = runs.find((r) => r.run === p.run[i]);
      const counts = p.stratum[i] === "all" ? saved(i) : ofStratum(i);
      place("triangle-matrix",
        el("h3", {}, run.label),
        el("p", { class: "quiet" }, `${split()}, ${p.stratum[i] === "all" ? `iteration ${p.iteration[i]}` : `${p.stratum[i]}, best checkpoint`} \u00b7 ${p.n_samples[i]} recordings \u00b7 ${percent(p.accuracy[i])} correct`),
        el("dl", { class: "coordinates" }, [["divergence", p.divergence], ["mutual information", p.mutual_information], ["variation", p.variation]].map(([name, values]) => [el("dt", {}, name), el("dd", {}, fixed(values[i]))])),
        counts ? matrix(counts) : el("p", { class: "quiet" }, "No confusion matrix was saved for this point."));
    }

    function saved(i) {
      const found = story.triangle.matrices.find((m) => m.run === p.run[i] && m.split === p.split[i] && m.iteration === p.iteration[i]);
      if (!found) return null;
      const n = story.meta.classes.length, counts = Array.from({ length: n }, () => new Array(n).fill(0));
      for (let k = 0; k < found.cells.length; k += 3) counts[found.cells[k]][found.cells[k + 1]] = found.cells[k + 2];
      return counts;
    }

    function ofStratum(i) {
      const data = story.recordings, n = story.meta.classes.length;
      const run = runs.findIndex((r) => r.run === p.run[i]);
      const counts = Array.from({ length: n }, () => new Array(n).fill(0));
      let any = false;
      data.filename.forEach((_, row) => {
        if (Report.recordings.split(row) !== p.split[i] || Report.recordings.device(row) !== p.stratum[i]) return;
        if (data.predicted[run][row] < 0 || data.target[row] < 0) return;
        counts[data.target[row]][data.predicted[run][row]] += 1;
        any = true;
      });
      return any ? counts : null;
    }

    function matrix(counts) {
      const names = story.meta.classes;
      const short = (name) => (name.length > 12 ? name.slice(0, 11) + "\u2026" : name);
      return Report.region("Confusion matrix", el("table", { class: "matrix" },
        el("caption", {}, "Rows: label. Columns: prediction."),
        el("thead", {}, el("tr", {}, el("td", {}), names.map((name) => el("th", { scope: "col", title: name }, el("span", {}, short(name)))))),
        el("tbody", {}, counts.map((line, t) => {
          const total = line.reduce((a, b) => a + b, 0) || 1;
          return el("tr", {}, el("th", { scope: "row", title: names[t] }, short(names[t])), line.map((count, c) =>
            el("td", { class: c === t ? "own" : null, style: { "--share": count / total }, "data-strong": count / total > 0.5 }, count ? String(count) : "")));
        }))));
    }

    state.watch(["split"], controls);
    state.watch(["split", "epoch", "view", "off", "sample"], draw);
  }
  Report.startTriangle = start;
})();
