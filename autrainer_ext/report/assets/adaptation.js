"use strict";
// Gains of test-time adaptation per corruption and severity, and what the methods decided.
(() => {
  const { el, state, place } = Report;
  const story = window.STORY;

  Report.startAdaptation = () => {
    const section = story.adaptation;
    if (!section) return;
    const kinds = [...new Set(section.cells.map((c) => JSON.stringify([c.method, c.protocol, c.order])))].map((text) => JSON.parse(text));
    const differ = [0, 1, 2].filter((i) => i === 0 || new Set(kinds.map((kind) => kind[i])).size > 1);
    const name = (kind) => differ.map((i) => kind[i]).join(", ");
    state.watch(["method"], () => {
      const kind = kinds.find((k) => name(k) === state.get("method")) ?? kinds[kinds.length - 1];
      const cells = section.cells.filter((c) => c.method === kind[0] && c.protocol === kind[1] && c.order === kind[2]);
      const corruptions = [...new Set(cells.map((c) => c.corruption))];
      const severities = [...new Set(cells.map((c) => c.severity))].sort((a, b) => a - b);
      const far = Math.max(...cells.map((c) => Math.abs(c.gain)), 0.05);
      const rows = corruptions.map((corruption) => el("tr", {}, el("th", { scope: "row" }, corruption.replaceAll("_", " ")),
        severities.map((severity) => {
          const cell = cells.find((c) => c.corruption === corruption && c.severity === severity);
          if (!cell) return el("td", {});
          const sure = cell.gain_low > 0 || cell.gain_high < 0;
          return el("td", { class: cell.gain < 0 ? "loss" : "gain", style: { "--share": Math.abs(cell.gain) / far } },
            el("b", {}, Report.signed(100 * cell.gain)), el("small", {}, `${Report.percent(cell.accuracy_before, 0)} \u2192 ${Report.percent(cell.accuracy_after, 0)}`),
            el("small", {}, sure ? `${Report.signed(100 * cell.gain_low)} to ${Report.signed(100 * cell.gain_high)}` : "interval contains 0"));
        })));
      const events = section.events.find((e) => e.method === kind[0] && e.protocol === kind[1] && e.order === kind[2]) ?? {};
      const told = Object.entries(events).filter(([key, count]) => key.startsWith("n_") && count > 0);
      place("adaptation-figure",
        kinds.length > 1 ? el("div", { class: "bar" }, Report.choice("Method", kinds.map((k) => [name(k), name(k)]), name(kind), (value) => state.set({ method: value }))) : null,
        Report.region(`Gain of ${name(kind)}`, el("table", { class: "heat" },
          el("caption", {}, "Gain in percentage points, accuracy before and after, 95 % interval over recordings."),
          el("thead", {}, el("tr", {}, el("td", {}), severities.map((s) => el("th", { scope: "col" }, `severity ${s}`)))), el("tbody", {}, rows))),
        told.length ? el("p", {}, "Steps over all cells: ", told.map(([key, count]) => `${count} ${key.slice(2).replaceAll("_", " ")}`).join(", "), ".") : null,
        Object.entries(section.decisions).map(([key, counts]) => el("p", {}, `${key.replaceAll("_", " ")}: `, Object.entries(counts).map(([what, n]) => `${what} (${n})`).join(", "), ".")));
    });
  };
})();
