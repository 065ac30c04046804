"use strict";
// Explanations: the clip, what the explanation keeps and what it removes, on one clock.
(() => {
  const { el, state, place, recordings } = Report;
  const story = window.STORY;
  const PARTS = [["clip", "Original"], ["kept", "Kept"], ["removed", "Removed"]];

  function listen() {
    const rows = Object.keys(story.clips).map(Number).filter((row) => story.clips[row].parts);
    if (!rows.length) return;
    const hardest = [...rows].sort((a, b) => (story.recordings.rank[b] ?? 0) - (story.recordings.rank[a] ?? 0));
    state.watch(["sample"], () => {
      const chosen = recordings.chosen();
      const row = rows.includes(chosen) ? chosen : hardest[0];
      const clip = story.clips[row];
      const name = story.recordings.filename[row];
      const lanes = PARTS.map(([part, title]) => ({ title, sound: part, layers: Report.layers(row, ["spectrogram", part === "clip" ? "map" : part]) }));
      const files = Object.fromEntries(PARTS.map(([part]) => [part, Report.file(row, `${part}.flac`)]));
      const { figures, controls, sounds } = Report.player({ lanes, files, span: { seconds: clip.seconds }, name });
      const pick = Report.choice("Recording", hardest.map((r) => [String(r), story.recordings.filename[r]]), String(row), (value) => recordings.choose(Number(value)));
      place("explanations-listen",
        el("div", { class: "bar" }, pick),
        el("p", { class: "quiet" }, story.recordings.target[row] < 0 ? "" : ["Label ", el("b", {}, recordings.label(row)), ". "], "Explained prediction ", el("b", {}, story.meta.classes[clip.prediction] ?? ""),
          `. Explainer ${story.meta.explainer}, mask ${story.meta.mask}.`),
        el("div", { class: "lanes" }, figures), controls, sounds);
    });
  }

  function fidelity() {
    const rows = story.fidelity?.rows ?? [];
    if (!rows.length) return;
    const measures = [...new Set(rows.map((r) => r.measure))];
    const explainers = [...new Set(rows.map((r) => r.explainer))].filter((name) => !/^(random|permuted-)/.test(name));
    state.watch(["measure"], () => {
      const measure = measures.includes(state.get("measure")) ? state.get("measure") : measures[0];
      const own = rows.filter((r) => r.measure === measure);
      const share = (mask) => Number(/^topK_(\d+)$/.exec(mask)?.[1]);
      const masks = [...new Set(own.map((r) => r.mask))].filter((m) => share(m)).sort((a, b) => share(a) - share(b));
      const better = own[0].higher_is_better ? "higher is better" : "lower is better";
      const series = explainers.flatMap((name, hue) => {
        const of = (key, limits) => masks.map((mask, x) => {
          const r = own.find((each) => each.explainer === name && each.mask === mask);
          return r ? { x, y: r[key], low: limits ? r.low : null, high: limits ? r.high : null } : null;
        }).filter(Boolean);
        return [{ name, hue, points: of("mean", true) }, { name: `floor of ${name}`, hue, dashed: true, points: of("floor", false) }];
      }).filter((s) => s.points.some((p) => Report.known(p.y)));
      place("fidelity-figure",
        el("div", { class: "bar" }, Report.choice("Measure", measures.map((m) => [m, m]), measure, (value) => state.set({ measure: value })), el("span", { class: "quiet" }, better)),
        masks.length > 1 && series.length && !measure.endsWith("_auc") ? [
          Report.lines(`${measure} against the kept share`, series, { xs: masks.map((m) => `${share(m)} %`), unit: measure, across: "share of the bins that is kept" }),
          Report.legend(series.map((s) => ({ name: s.name, hue: s.hue, dashed: s.dashed }))),
        ] : null,
        el("details", {}, el("summary", {}, "All masks as a table"), Report.table(`Scores, ${measure}`,
          ["Explainer", "Mask", "Mean", "95 % interval", "Floor", "Gain", "95 % interval"],
          own.filter((r) => explainers.includes(r.explainer)).map((r) => ({ cells: [r.explainer, r.mask, Report.fixed(r.mean), `${Report.fixed(r.low)} to ${Report.fixed(r.high)}`, Report.fixed(r.floor), Report.fixed(r.gain), `${Report.fixed(r.gain_low)} to ${Report.fixed(r.gain_high)}`] })))));
    });
  }

  Report.startExplanations = () => { listen(); fidelity(); };
})();
