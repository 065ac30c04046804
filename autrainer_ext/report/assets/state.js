"use strict";
// What is chosen. It lives in the address, so that an address can be sent: #sample=test:12&epoch=5
(() => {
  const DEFAULTS = {
    sample: "", epoch: "", split: "", view: "pred", off: "", sort: "-difficulty", find: "", part: "",
    class: "", device: "", right: "", disputed: "", harder: "0", page: "1", measure: "FidIn", method: "",
    layer: "", map: "", paint: "class",
  };
  const watchers = [];
  let chosen = read();

  function read() {
    const given = new URLSearchParams(location.hash.slice(1));
    return Object.fromEntries(Object.entries(DEFAULTS).map(([key, value]) => [key, given.get(key) ?? value]));
  }

  function write() {
    const kept = new URLSearchParams();
    for (const [key, value] of Object.entries(chosen)) if (value !== DEFAULTS[key]) kept.set(key, value);
    const text = kept.toString().replaceAll("%3A", ":");
    if (location.protocol === "about:") return; // in a notebook there is no address
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  }

  function announce(changed) {
    for (const [keys, draw] of watchers) if (keys.some((key) => changed.has(key))) draw();
  }

  Report.state = {
    get: (key) => chosen[key],
    set(changes) {
      const changed = new Set(Object.keys(changes).filter((key) => chosen[key] !== String(changes[key])));
      if (!changed.size) return;
      for (const key of changed) chosen[key] = String(changes[key]);
      write();
      announce(changed);
    },
    // Draw now, and again whenever one of the keys changes.
    watch(keys, draw) {
      watchers.push([keys, draw]);
      draw();
    },
  };

  window.addEventListener("hashchange", () => {
    // an address of a section (#devices) keeps what is chosen
    if (location.hash && !location.hash.includes("=")) return write();
    const before = chosen;
    chosen = read();
    announce(new Set(Object.keys(chosen).filter((key) => chosen[key] !== before[key])));
  });

  // Recordings by their place in the table and in the address.
  const data = window.STORY.recordings;
  const rows = new Map(data.filename.map((_, row) => [`${data.split.names[data.split.codes[row]]}:${data.index[row]}`, row]));
  const marked = new Set();
  Report.recordings = {
    key: (row) => `${data.split.names[data.split.codes[row]]}:${data.index[row]}`,
    chosen: () => rows.get(chosen.sample) ?? -1,
    choose: (row) => Report.state.set({ sample: Report.recordings.key(row) }),
    split: (row) => data.split.names[data.split.codes[row]],
    device: (row) => data.device.names[data.device.codes[row]],
    label: (row) => window.STORY.meta.classes[data.target[row]] ?? "\u2013",
    predicted: (row, run = data.told) => window.STORY.meta.classes[data.predicted[run][row]] ?? "\u2013",
    isCorrect: (row) => data.predicted[data.told][row] === data.target[row],
    clip: (row) => window.STORY.clips[row] ?? null,
    marked,
  };
})();
