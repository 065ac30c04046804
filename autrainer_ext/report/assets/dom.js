"use strict";
// Elements and numbers. Text from data only ever becomes text nodes and attribute values.
window.Report = {};
(() => {
  const SVG = "http://www.w3.org/2000/svg";

  function build(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes ?? {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (name === "style") Object.entries(value).forEach(([k, v]) => node.style.setProperty(k, v));
      else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
    return node;
  }

  const el = (tag, attributes, ...children) => build(document.createElement(tag), attributes, children);
  const svg = (tag, attributes, ...children) =>
    build(document.createElementNS(SVG, tag), attributes, children);

  const known = (value) => value !== null && value !== undefined;
  const minus = (text) => text.replace("-", "\u2212");
  const fixed = (value, digits = 2) => (known(value) ? minus(value.toFixed(digits)) : "\u2013");
  const percent = (value, digits = 1) => (known(value) ? minus((100 * value).toFixed(digits)) + " %" : "\u2013");
  const signed = (value, digits = 1) => (value > 0 ? "+" : "") + fixed(value, digits);

  // A labelled control: the label wraps its text and the control.
  const field = (text, control) => el("label", { class: "field" }, el("span", {}, text), control);

  function choice(text, options, value, onchange) {
    const select = el("select", { onchange: () => onchange(select.value) },
      options.map(([key, name]) => el("option", { value: key, selected: key === value }, name)));
    return field(text, select);
  }

  function toggle(text, checked, onchange, mark) {
    const box = el("input", { type: "checkbox", onchange: () => onchange(box.checked) });
    box.checked = checked;
    return el("label", { class: "toggle" }, box, mark, el("span", {}, text));
  }

  const region = (name, child) => el("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": name }, child);

  function table(name, head, rows) {
    return region(name, el("table", {},
      el("thead", {}, el("tr", {}, head.map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, rows.map((row) => el("tr", { class: row.class }, row.cells.map((cell, i) =>
        i === 0 ? el("th", { scope: "row" }, cell) : el("td", {}, cell)))))));
  }

  const place = (id, ...children) => {
    const node = document.getElementById(id);
    if (node) node.replaceChildren(...children.flat(Infinity).filter(known));
    return node;
  };

  const COLORS = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7", "--c8"];
  const color = (i) => (i < 0 ? "var(--muted)" : `var(${COLORS[i % COLORS.length]})`);

  // Markers that differ in shape as well as in colour.
  const SHAPES = [
    (r) => `M${-r},0a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0`,
    (r) => `M${-r},${-r}h${2 * r}v${2 * r}h${-2 * r}z`,
    (r) => `M0,${-1.2 * r}L${1.1 * r},${0.9 * r}H${-1.1 * r}z`,
    (r) => `M0,${-1.3 * r}L${1.3 * r},0L0,${1.3 * r}L${-1.3 * r},0z`,
    (r) => `M0,${1.2 * r}L${1.1 * r},${-0.9 * r}H${-1.1 * r}z`,
    (r) => `M${-r},${-r / 3}H${-r / 3}V${-r}H${r / 3}V${-r / 3}H${r}V${r / 3}H${r / 3}V${r}H${-r / 3}V${r / 3}H${-r}z`,
  ];
  const shape = (i, r) => SHAPES[((i % SHAPES.length) + SHAPES.length) % SHAPES.length](r);
  const swatch = (i) => svg("svg", { class: "swatch", viewBox: "-6 -6 12 12", "aria-hidden": "true" },
    svg("path", { d: shape(i, 4), fill: color(i) }));

  Object.assign(Report, {
    el, svg, known, fixed, percent, signed, field, choice, toggle, region, table, place, color, shape, swatch,
  });
})();
