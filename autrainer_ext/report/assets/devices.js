"use strict";
// Accuracy per recording device: the told run as a chart, all runs as a table.
(() => {
  const { el, state, place, recordings } = Report;
  const story = window.STORY;

  Report.startDevices = () => {
    if (!story.devices) return;
    const rows = story.devices.rows;
    const runs = story.summary.runs.filter((run) => rows.some((r) => r.run === run.run));
    const devices = [...new Set(rows.map((r) => r.device))].sort();
    const find = (device, run) => rows.find((r) => r.device === device && r.run === run);
    state.watch(["sample"], () => {
      const chosen = recordings.chosen();
      const own = chosen >= 0 ? recordings.device(chosen) : null;
      const told = devices.map((device) => {
        const r = find(device, story.meta.told_run) ?? find(device, runs[0].run);
        return { name: `${device} (${r.group})`, mean: r.accuracy, low: r.accuracy_low, high: r.accuracy_high, hue: r.group === "unseen" ? 1 : 0, marked: device === own };
      });
      place("devices-figure",
        Report.intervals("Test accuracy per device", told, { unit: "test accuracy with 95 % interval", wish: 560 }),
        Report.legend([{ name: "heard in training", hue: 0 }, { name: "never heard in training", hue: 1 }].filter((i) => told.some((t) => t.hue === i.hue))),
        el("details", {}, el("summary", {}, "All runs as a table"), Report.table("Accuracy per device and run",
          ["Device", "Recordings", ...runs.map((r) => r.label)],
          devices.map((device) => ({ class: device === own ? "chosen" : null, cells: [`${device} (${find(device, runs[0].run)?.group ?? ""})`, String(find(device, runs[0].run)?.n_samples ?? ""),
            ...runs.map((run) => Report.percent(find(device, run.run)?.accuracy))] })))));
    });
  };
})();
