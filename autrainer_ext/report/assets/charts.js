"use strict";
// Small charts: means with intervals, lines, and a box that follows the pointer.
(() => {
  const { el, svg, fixed, color, shape } = Report;

  function ticks(low, high, wish = 5) {
    const raw = (high - low) / wish || 1;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= raw);
    const found = [];
    for (let v = Math.ceil(low / step) * step; v <= high + 1e-9; v += step) found.push(Math.round(v / step) * step);
    return found;
  }
  const digits = (values) => (values.length > 1 && values[1] - values[0] < 0.1 ? 2 : values[1] - values[0] < 1 ? 1 : 0);

  // Width of a chart on this screen, in the pixels of its text.
  const narrow = (wish) => Math.max(260, Math.min(wish, innerWidth - 36));

  // Rows of {name, mean, low, high, hue, marked}: one dot with its interval per row.
  function intervals(title, rows, { unit = "", zero = false, wish = 420, span = [] } = {}) {
    const width = narrow(wish);
    const ends = [...span, ...rows.flatMap((r) => [r.low ?? r.mean, r.high ?? r.mean, r.mean])];
    let low = Math.min(...ends), high = Math.max(...ends);
    if (zero) [low, high] = [Math.min(low, 0), Math.max(high, 0)];
    const pad = (high - low || 0.1) * 0.06;
    [low, high] = [low - pad, high + pad];
    const longest = Math.max(...rows.map((r) => r.name.length), 4);
    const left = Math.min(190, 18 + 7.3 * longest), right = 12, line = 26, top = 6;
    const height = top + rows.length * line + 22;
    const x = (v) => left + ((v - low) / (high - low)) * (width - left - right);
    const marks = ticks(low, high, 4);
    const places = digits(marks);
    const said = rows.map((r) => `${r.name}: ${fixed(r.mean)} (${fixed(r.low)} to ${fixed(r.high)})`).join("; ");
    return el("figure", {}, svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, style: { "max-width": `${1.1 * width}px` }, role: "img", "aria-label": `${title}. ${said}` },
      marks.map((v) => [
        svg("line", { class: "grid", x1: x(v), x2: x(v), y1: top, y2: top + rows.length * line }),
        svg("text", { class: "tick", x: x(v), y: top + rows.length * line + 15, "text-anchor": "middle" }, fixed(v, places)),
      ]),
      zero ? svg("line", { class: "axis", x1: x(0), x2: x(0), y1: top, y2: top + rows.length * line }) : null,
      rows.map((r, i) => {
        const y = top + (i + 0.5) * line;
        const name = r.name.length > 26 ? r.name.slice(0, 25) + "\u2026" : r.name;
        return svg("g", { class: r.marked ? "marked" : null },
          r.marked ? svg("rect", { class: "band", x: 0, y: top + i * line, width, height: line, rx: 4 }) : null,
          svg("text", { class: "name", x: left - 10, y: y + 4, "text-anchor": "end" }, name),
          Report.known(r.low) ? svg("line", { x1: x(r.low), x2: x(r.high), y1: y, y2: y, stroke: color(r.hue ?? 0), "stroke-width": 2, "stroke-linecap": "round" }) : null,
          svg("path", { d: shape(r.hue ?? 0, 4.5), transform: `translate(${x(r.mean)},${y})`, fill: color(r.hue ?? 0) }));
      })), unit ? el("figcaption", { class: "quiet" }, unit) : null);
  }

  // Series of {name, hue, dashed, points: [{x, y, low, high}]}.
  function lines(title, series, { xs, unit, across, height = 260 }) {
    const width = narrow(520);
    const ends = series.flatMap((s) => s.points.flatMap((p) => [p.y, p.low ?? p.y, p.high ?? p.y]));
    let low = Math.min(...ends), high = Math.max(...ends);
    const pad = (high - low || 0.1) * 0.08;
    [low, high] = [low - pad, high + pad];
    const left = 46, right = 14, top = 12, bottom = 40;
    const x = (i) => left + (xs.length < 2 ? 0.5 : i / (xs.length - 1)) * (width - left - right);
    const y = (v) => height - bottom - ((v - low) / (high - low)) * (height - bottom - top);
    const marks = ticks(low, high, 5);
    const said = series.map((s) => `${s.name}: ${s.points.map((p) => fixed(p.y)).join(", ")}`).join("; ");
    return svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}. ${said}` },
      marks.map((v) => [
        svg("line", { class: "grid", x1: left, x2: width - right, y1: y(v), y2: y(v) }),
        svg("text", { class: "tick", x: left - 8, y: y(v) + 4, "text-anchor": "end" }, fixed(v, digits(marks))),
      ]),
      xs.map((name, i) => svg("text", { class: "tick", x: x(i), y: height - bottom + 18, "text-anchor": xs.length > 1 && i === xs.length - 1 ? "end" : "middle" }, name)),
      series.map((s) => {
        const drawn = s.points.filter((p) => Report.known(p.y));
        const path = drawn.map((p, i) => `${i ? "L" : "M"}${x(p.x)},${y(p.y)}`).join("");
        return svg("g", {},
          svg("path", { d: path, fill: "none", stroke: color(s.hue), "stroke-width": 2, "stroke-dasharray": s.dashed ? "2 5" : null, "stroke-linecap": "round" }),
          drawn.map((p) => [
            Report.known(p.low) ? svg("line", { x1: x(p.x), x2: x(p.x), y1: y(p.low), y2: y(p.high), stroke: color(s.hue), "stroke-width": 1.5, opacity: 0.7 }) : null,
            s.dashed ? null : svg("path", { d: shape(s.hue, 4), transform: `translate(${x(p.x)},${y(p.y)})`, fill: color(s.hue) }),
          ]));
      }),
      svg("text", { class: "tick", x: width - right, y: height - 4, "text-anchor": "end" }, across),
      svg("text", { class: "tick", x: 0, y: top - 2 }, unit));
  }

  const legend = (items) => el("ul", { class: "legend" }, items.map((item) =>
    el("li", {}, item.dashed ? el("span", { class: "dash", style: { "--hue": color(item.hue) } }) : Report.swatch(item.hue), item.name)));

  // One box for all views, near the pointer or the focused element.
  const box = el("div", { class: "hint", hidden: true, role: "status" });
  document.body.append(box);
  function hint(target, ...content) {
    if (!content.length) return void (box.hidden = true);
    box.replaceChildren(...content);
    box.hidden = false;
    const at = target.getBoundingClientRect();
    const width = box.offsetWidth, height = box.offsetHeight;
    box.style.left = `${Math.max(8, Math.min(innerWidth - width - 8, at.left + at.width / 2 - width / 2))}px`;
    box.style.top = `${at.top - height - 10 > 0 ? at.top - height - 10 : at.bottom + 10}px`;
  }

  Object.assign(Report, { intervals, lines, legend, hint, ticks });
})();
