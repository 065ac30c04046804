"use strict";
// All recordings: filter, sort, listen, mark. Some rows at a time, so that many stay usable.
(() => {
  const { el, state, place, fixed, recordings } = Report;
  const story = window.STORY, data = story.recordings;
  const PAGE = 25;
  const COLUMNS = [
    ["file", "Recording"], ["split", "Split"], ["label", "Label"], ["device", "Device"],
    ["prediction", "Prediction"], ["difficulty", "Difficulty"], ["doubt", "Doubt"], ["loss", "Loss"], ["confidence", "Confidence"],
  ];
  const value = {
    file: (row) => data.filename[row], split: recordings.split, label: recordings.label,
    device: recordings.device, prediction: (row) => recordings.predicted(row),
    difficulty: (row) => data.rank[row], doubt: (row) => data.doubt[row], loss: (row) => data.loss[row],
    confidence: (row) => data.confidence[row],
  };
  const hasDevice = data.device.names.some((name) => name !== "");
  const hasLabel = data.target.some((target) => target >= 0);
  const columns = COLUMNS.filter(([key]) => (key !== "device" || hasDevice) && (key !== "label" || hasLabel) &&
    (!["difficulty", "doubt", "loss"].includes(key) || data.filename.some((_, row) => Report.known(value[key](row)))));
  const sortable = new Set(columns.map(([key]) => key));

  // The class that most runs predict, if it is not the label.
  function suggestion(row) {
    const votes = new Map();
    for (const run of data.predicted) if (run[row] >= 0) votes.set(run[row], (votes.get(run[row]) ?? 0) + 1);
    const [best] = [...votes].sort((a, b) => b[1] - a[1])[0] ?? [-1];
    return best;
  }
  const contradicted = data.filename.map((_, row) => {
    const said = new Set(data.predicted.map((run) => run[row]));
    return said.size === 1 && !said.has(data.target[row]) && !said.has(-1);
  });

  const worth = ["difficulty", "doubt", "loss"]; // highest first
  function order() {
    const asked = state.get("sort"), key = asked.replace("-", "");
    if (sortable.has(key)) return { key, down: asked.startsWith("-") };
    const found = worth.find((name) => sortable.has(name));
    return found ? { key: found, down: true } : { key: "confidence", down: false };
  }

  function listed() {
    const find = state.get("find").toLowerCase();
    const wanted = { split: state.get("part"), label: state.get("class"), device: state.get("device") };
    const harder = Number(state.get("harder")) || 0, right = state.get("right"), disputed = state.get("disputed");
    const rows = [];
    for (let row = 0; row < data.filename.length; row += 1) {
      if (find && !data.filename[row].toLowerCase().includes(find)) continue;
      if (Object.entries(wanted).some(([key, name]) => name && value[key](row) !== name)) continue;
      if (right === "yes" && !recordings.isCorrect(row)) continue;
      if (right === "no" && recordings.isCorrect(row)) continue;
      if (disputed && !contradicted[row]) continue;
      if (harder > 0 && !(data.rank[row] >= harder)) continue;
      rows.push(row);
    }
    const { key, down } = order();
    const of = value[key];
    const collate = new Intl.Collator("en", { numeric: true }).compare;
    return rows.sort((a, b) => {
      const x = of(a), y = of(b);
      if (!Report.known(x) || !Report.known(y)) return Report.known(y) - Report.known(x);
      const after = typeof x === "number" ? x - y : collate(x, y);
      return (down ? -after : after) || a - b;
    });
  }

  function filters() {
    const set = (key) => (v) => state.set({ [key]: v, page: 1 });
    const any = (names, text) => [["", text], ...names.map((n) => [n, n])];
    const search = el("input", { type: "search", id: "find", value: state.get("find"), oninput: () => set("find")(search.value) });
    const out = el("output", {}, fixed(Number(state.get("harder")) || 0));
    const harder = el("input", { type: "range", min: 0, max: 1, step: 0.05, value: state.get("harder"), oninput: () => { out.textContent = fixed(Number(harder.value)); set("harder")(harder.value); } });
    place("recordings-controls",
      Report.field("Search file names", search),
      Report.choice("Split", any(data.split.names, "all"), state.get("part"), set("part")),
      hasLabel ? Report.choice("Label", any(story.meta.classes, "all"), state.get("class"), set("class")) : null,
      hasDevice ? Report.choice("Device", any([...data.device.names].filter(Boolean).sort(), "all"), state.get("device"), set("device")) : null,
      hasLabel ? Report.choice("Prediction", [["", "all"], ["yes", "correct"], ["no", "wrong"]], state.get("right"), set("right")) : null,
      sortable.has("difficulty") ? el("div", { class: "slider" }, Report.field("At least as hard as", harder), out) : null,
      hasLabel ? Report.toggle("Only labels that all runs contradict", Boolean(state.get("disputed")), (on) => set("disputed")(on ? "1" : "")) : null);
  }

  function draw() {
    const rows = listed();
    const pages = Math.max(1, Math.ceil(rows.length / PAGE));
    const page = Math.min(Math.max(1, Number(state.get("page")) || 1), pages);
    const shown = rows.slice((page - 1) * PAGE, page * PAGE);
    const chosen = recordings.chosen();
    const { key: asked, down } = order();
    const head = columns.map(([key, name]) => el("th", { scope: "col", "aria-sort": asked === key ? (down ? "descending" : "ascending") : "none" },
      el("button", { type: "button", class: "sort", "data-sort": key, onclick: () => state.set({ sort: asked === key && !down ? `-${key}` : asked === key ? key : worth.includes(key) ? `-${key}` : key, page: 1 }) },
        name, el("span", { "aria-hidden": "true" }, asked === key ? (down ? " \u2193" : " \u2191") : ""))));
    const body = shown.map((row) => el("tr", { class: row === chosen ? "chosen" : null, "data-row": row },
      columns.map(([key]) => cell(row, key, row === chosen)),
      el("td", {}, markBox(row))));
    const kept = document.activeElement?.dataset?.play;
    const sorted = document.activeElement?.dataset?.sort;
    place("recordings-table", Report.region("Recordings", el("table", { class: "recordings" },
      el("thead", {}, el("tr", {}, head, el("th", { scope: "col" }, "Mark"))), el("tbody", {}, body))));
    if (kept) document.querySelector(`[data-play="${CSS.escape(kept)}"]`)?.focus();
    if (sorted) document.querySelector(`[data-sort="${CSS.escape(sorted)}"]`)?.focus();
    const go = (to) => state.set({ page: to });
    place("recordings-pages",
      el("span", { role: "status", id: "recordings-count" }, `${rows.length} of ${data.filename.length} recordings`),
      pages > 1 ? el("span", { class: "pages" },
        el("button", { type: "button", disabled: page === 1, onclick: () => go(page - 1) }, "Previous"),
        el("span", {}, `page ${page} of ${pages}`),
        el("button", { type: "button", id: "page-next", disabled: page === pages, onclick: () => go(page + 1) }, "Next")) : null,
      el("button", { type: "button", id: "export", disabled: !recordings.marked.size, onclick: save }, `Export ${recordings.marked.size} marked as CSV`));
  }

  function cell(row, key, chosen) {
    const shown = value[key](row);
    if (key === "file") {
      const has = recordings.clip(row) !== null;
      return el("th", { scope: "row" }, el("button", {
        type: "button", class: "file", "data-play": row, "aria-pressed": String(chosen), title: has ? "Play" : "No audio in this page",
        onclick: () => Report.play(row), onkeydown: move,
      }, el("span", { "aria-hidden": "true", class: "play" }, has ? "\u25b6" : "\u00b7"), shown));
    }
    if (key === "prediction") return el("td", { class: data.target[row] < 0 ? null : recordings.isCorrect(row) ? "good" : "bad" }, shown);
    if (key === "difficulty") return el("td", { class: "number" }, el("span", { class: "meter", style: { "--share": shown ?? 0 } }), fixed(shown));
    return el("td", { class: typeof shown === "number" ? "number" : null }, typeof shown === "number" || shown === null ? fixed(shown) : shown);
  }

  // Arrow keys move between the rows.
  function move(event) {
    const by = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (!by) return;
    event.preventDefault();
    event.currentTarget.closest("tr")[by]?.querySelector("button.file")?.focus();
  }

  function markBox(row) {
    const box = el("input", { type: "checkbox", "aria-label": `Mark ${data.filename[row]}`, onchange: () => Report.mark(row, box.checked) });
    box.checked = recordings.marked.has(row);
    return box;
  }

  function csv() {
    const quote = (text) => `"${String(text).replaceAll('"', '""')}"`;
    const lines = [["split", "index", "filename", "label", "suggested", "difficulty", "doubt"]];
    for (const row of [...recordings.marked].sort((a, b) => a - b)) {
      lines.push([recordings.split(row), data.index[row], data.filename[row], recordings.label(row),
        story.meta.classes[suggestion(row)] ?? "", data.rank[row] ?? "", data.doubt[row] ?? ""]);
    }
    return lines.map((line) => line.map(quote).join(",")).join("\r\n") + "\r\n";
  }

  function save() {
    const link = el("a", { href: URL.createObjectURL(new Blob([csv()], { type: "text/csv" })), download: "marked.csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  Report.listed = listed;
  Report.startRecordings = () => {
    filters();
    Report.marksChanged = () => {
      draw();
      const box = document.querySelector("#clip .dock .toggle input:not([data-map])");
      if (box && box.closest(".words")) box.checked = recordings.marked.has(recordings.chosen());
    };
    state.watch(["sort", "find", "part", "class", "device", "right", "disputed", "harder", "page", "sample"], draw);
  };
})();
