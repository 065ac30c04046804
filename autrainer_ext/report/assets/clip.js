"use strict";
// The recording that is chosen: sound, spectrogram with play head, explanation, every run's word.
(() => {
  const { el, state, recordings, place, fixed, percent } = Report;
  const story = window.STORY;

  // A file of a clip: beside the page, or in it.
  Report.file = (row, name) => story.files?.[row]?.[name] ?? `clips/${row}/${name}`;

  // Files of a clip as layers of a picture.
  Report.layers = (row, names) => names.map((name) => [name, Report.file(row, `${name}.png`)]);

  const audio = el("audio", { id: "clip-audio", preload: "none" });
  let wanted = false; // play the next recording that is chosen

  function play(row) {
    wanted = true;
    if (recordings.chosen() === row) draw();
    else recordings.choose(row);
  }

  function step(by) {
    const order = Report.listed ? Report.listed() : [];
    const at = order.indexOf(recordings.chosen());
    if (order.length) play(order[(at + by + order.length) % order.length]);
  }

  function facts(row) {
    const data = story.recordings;
    const items = [];
    const say = (href, name, value) => items.push(el("li", {}, el("a", { href }, name), " ", el("b", {}, value)));
    if (Report.known(data.rank[row])) say("#recordings", "difficulty", fixed(data.rank[row]));
    if (Report.known(data.doubt[row])) say("#recordings", "doubt about the label", fixed(data.doubt[row]));
    for (const each of data.properties) {
      const value = each.values[row];
      if (!Report.known(value)) continue;
      const href = each.name.startsWith("gain of the explanation") ? "#explanations" : each.name.startsWith("gain") ? "#adaptation" : "#latent";
      say(href, each.name, each.name.startsWith("neigh") ? percent(value, 0) : fixed(value));
    }
    const device = recordings.device(row);
    if (device) {
      const told = (story.devices?.rows ?? []).find((r) => r.device === device && r.run === story.meta.told_run);
      say("#devices", `device ${device}`, told ? `${percent(told.accuracy)} correct` : "");
    }
    return el("ul", { class: "facts" }, items);
  }

  function verdicts(row) {
    const data = story.recordings;
    return el("ul", { class: "verdicts" }, story.summary.runs.map((run, i) => {
      const right = data.predicted[i][row] === data.target[row];
      return el("li", { class: i === data.told ? "told" : null },
        el("span", { class: right ? "right" : "wrong", "aria-hidden": "true" }, data.target[row] < 0 ? "\u00b7" : right ? "\u2713" : "\u2717"),
        el("span", { class: "run" }, run.label), el("b", {}, recordings.predicted(row, i)));
    }));
  }

  function draw() {
    const row = recordings.chosen();
    const dock = document.getElementById("clip");
    audio.pause();
    dock.hidden = row < 0;
    document.body.classList.toggle("docked", row >= 0);
    if (row < 0) return;
    const clip = recordings.clip(row);
    const file = story.recordings.filename[row];
    let shown = el("p", { class: "quiet" }, "This page holds no audio of this recording: build it with a larger --clips.");
    const button = el("button", { type: "button", class: "primary", id: "clip-play", disabled: !clip }, "Play");
    if (clip) {
      audio.src = Report.file(row, "clip.flac");
      const made = Report.pictures(Report.layers(row, ["spectrogram", "map"]), `Spectrogram of ${file}`);
      Report.follow(audio, [made.head], clip.seconds);
      const overlay = Report.toggle(`${story.meta.explainer} map`, true, (on) => made.node.classList.toggle("bare", !on));
      shown = el("div", { class: "shown" }, made.node, overlay);
      button.addEventListener("click", () => (audio.paused ? audio.play() : audio.pause()));
      audio.onplay = () => (button.textContent = "Pause");
      audio.onpause = () => (button.textContent = "Play");
      if (wanted) audio.play().catch(() => {});
    } else audio.removeAttribute("src");
    wanted = false;
    const mark = Report.toggle("Mark for relabelling", recordings.marked.has(row), (on) => Report.mark(row, on));
    place("clip",
      el("div", { class: "dock" },
        el("div", { class: "controls" }, button,
          el("button", { type: "button", id: "clip-previous", "aria-label": "Previous recording of the table", onclick: () => step(-1) }, "\u2191"),
          el("button", { type: "button", id: "clip-next", "aria-label": "Next recording of the table", onclick: () => step(1) }, "\u2193"),
          el("button", { type: "button", id: "clip-close", "aria-label": "Close", onclick: () => state.set({ sample: "" }) }, "\u00d7")),
        el("div", { class: "words" },
          el("h2", { class: "file" }, file),
          el("p", {}, recordings.split(row), story.recordings.target[row] < 0 ? "" : [" \u00b7 label ", el("b", {}, recordings.label(row))],
            " \u00b7 predicted ", el("b", {}, recordings.predicted(row)), ` with ${percent(story.recordings.confidence[row], 0)}`),
          facts(row), mark),
        shown, verdicts(row)), audio);
  }

  Report.mark = (row, on) => {
    if (on) recordings.marked.add(row);
    else recordings.marked.delete(row);
    Report.marksChanged?.();
  };
  Object.assign(Report, { play });
  Report.startClip = () => state.watch(["sample"], draw);
})();
