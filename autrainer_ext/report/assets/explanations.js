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
      let heard = 0;
      const sounds = PARTS.map(([part], i) => el("audio", { src: Report.file(row, `${part}.flac`), preload: "none", "data-part": part, muted: i > 0 }));
      const made = PARTS.map(([part, title]) => Report.pictures(row, part === "clip" ? ["spectrogram", "map"] : ["spectrogram", part], `${title}: spectrogram of ${name}`));
      Report.follow(sounds[0], made.map((m) => m.head), clip.seconds);
      const playing = () => !sounds[0].paused;
      const buttons = PARTS.map(([part, title], i) => el("button", { type: "button", "data-hear": part, "aria-pressed": String(i === 0), onclick: () => hear(i) }, `Hear ${title.toLowerCase()}`));
      const seek = el("input", { type: "range", min: 0, max: clip.seconds, step: 0.01, value: 0, oninput: () => sounds.forEach((s) => (s.currentTime = Number(seek.value))) });
      sounds[0].addEventListener("timeupdate", () => {
        seek.value = sounds[0].currentTime;
        for (const other of sounds.slice(1)) if (Math.abs(other.currentTime - sounds[0].currentTime) > 0.06) other.currentTime = sounds[0].currentTime;
      });
      const go = el("button", { type: "button", class: "primary", id: "parts-play", onclick: () => (playing() ? stop() : begin()) }, "Play");
      sounds[0].addEventListener("pause", () => (go.textContent = "Play"));
      sounds[0].addEventListener("ended", () => sounds.slice(1).forEach((s) => s.pause()));
      function begin() {
        document.querySelectorAll("audio").forEach((a) => a.pause());
        sounds.forEach((s) => { s.currentTime = sounds[0].ended ? 0 : sounds[0].currentTime; s.play().catch(() => {}); });
        go.textContent = "Pause";
      }
      function stop() { sounds.forEach((s) => s.pause()); }
      function hear(i) {
        heard = i;
        sounds.forEach((s, k) => (s.muted = k !== heard));
        buttons.forEach((b, k) => b.setAttribute("aria-pressed", String(k === heard)));
        if (!playing()) begin();
      }
      sounds.forEach((s, i) => (s.muted = i !== 0));
      const pick = Report.choice("Recording", hardest.map((r) => [String(r), story.recordings.filename[r]]), String(row), (value) => recordings.choose(Number(value)));
      place("explanations-listen",
        el("div", { class: "bar" }, pick),
        el("p", { class: "quiet" }, story.recordings.target[row] < 0 ? "" : ["Label ", el("b", {}, recordings.label(row)), ". "], "Explained prediction ", el("b", {}, story.meta.classes[clip.prediction] ?? ""),
          `. Explainer ${story.meta.explainer}, mask ${story.meta.mask}.`),
        el("div", { class: "lanes" }, made.map((m, i) => el("figure", {}, m.node, el("figcaption", {}, buttons[i])))),
        el("div", { class: "bar" }, go, Report.field("Position", seek)), sounds);
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
