"use strict";
// The links between the views: thirds of difficulty with intervals, and rank correlations.
(() => {
  const { el, svg, state, place, recordings, fixed } = Report;
  const story = window.STORY;

  function third(row) {
    const known = story.recordings.rank.filter((rank, i) => Report.known(rank) && recordings.split(i) === "test").sort((a, b) => a - b);
    const rank = story.recordings.rank[row];
    if (!Report.known(rank) || recordings.split(row) !== "test") return null;
    const below = known.filter((r) => r < rank).length, tied = known.filter((r) => r === rank).length;
    return ["easiest third", "middle third", "hardest third"][Math.min(2, Math.floor((3 * (below + tied / 2)) / known.length))];
  }

  function correlation(link) {
    if (!Report.known(link.rho)) return el("span", {}, "too few recordings");
    const X = (v) => 5 + (v + 1) * 60;
    const shown = link.low > 0 || link.high < 0;
    return svg("svg", { class: "rho", viewBox: "0 0 130 16", role: "img", "aria-label": `from ${fixed(link.low)} to ${fixed(link.high)}` },
      svg("line", { class: "grid", x1: X(-1), x2: X(1), y1: 8, y2: 8 }), svg("line", { class: "axis", x1: X(0), x2: X(0), y1: 1, y2: 15 }),
      svg("line", { x1: X(link.low), x2: X(link.high), y1: 8, y2: 8, stroke: Report.color(shown ? 1 : 7), "stroke-width": 3, "stroke-linecap": "round" }),
      svg("circle", { cx: X(link.rho), cy: 8, r: 4, fill: Report.color(shown ? 1 : 7) }));
  }

  Report.startLinks = () => {
    state.watch(["sample"], () => {
      const chosen = recordings.chosen();
      const own = chosen >= 0 ? [third(chosen), recordings.device(chosen)] : [];
      for (const relation of story.links) {
        const span = relation.groups.flatMap((g) => g.rows.flatMap((r) => [r.low ?? r.mean, r.high ?? r.mean]));
        place(`link-${relation.id}`,
          el("div", { class: "pair" },
            el("div", {}, relation.groups.map((group, i) => [
              group.name ? el("h4", {}, group.name) : null,
              Report.intervals(`${relation.value}, ${group.name}`, group.rows.map((r) => ({ ...r, hue: 0, marked: chosen >= 0 && recordings.split(chosen) === "test" && own.includes(r.name) })), { span, unit: i === relation.groups.length - 1 ? `${relation.value}, mean with 95 % interval` : "", zero: relation.id === "adaptation" || relation.id === "explanations" }),
            ])),
            Report.table(`Correlations: ${relation.title}`, ["Correlation with difficulty", "rho", "interval", "", "n"],
              relation.links.map((link) => ({ cells: [link.name, fixed(link.rho), Report.known(link.rho) ? `${fixed(link.low)} to ${fixed(link.high)}` : "\u2013", correlation(link), String(link.n)] })))),
          relation.points ? el("details", {}, el("summary", {}, "Entropy triangle per third and per device"), Report.table("Points in the triangle", ["Recordings", "n", "divergence", "mutual information", "variation"],
            relation.points.map((p) => ({ cells: [p.kind === "device" ? `device ${p.name}` : p.name, String(p.n), fixed(p.divergence), fixed(p.mutual_information), fixed(p.variation)] })))) : null);
      }
    });
  };
})();
