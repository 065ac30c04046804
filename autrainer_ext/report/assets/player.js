"use strict";
// Sounds on one clock: every lane has a picture with a play head and a sound; one sound is heard.
(() => {
  const { el } = Report;
  const SHORT = 4; // seconds; Chromium cannot seek in shorter FLAC files, nor start them after loading metadata

  // Pictures one over the other, which cover a span of the recording, with a line where the sound is.
  function pictures(layers, name, span = {}) {
    const { seconds = 1, start = 0, end = seconds, scale = 0 } = span;
    const place = { left: `${(100 * start) / seconds}%`, width: `${(100 * (end - start)) / seconds}%` };
    const head = el("span", { class: "head", "aria-hidden": "true" });
    const images = layers.map(([layer, src], i) => el("img", {
      src, alt: i === 0 ? name : "", loading: "lazy", class: i ? "over" : "under", "data-layer": layer, style: place,
    }));
    const strip = el("div", { class: "strip", style: { width: `max(100%, ${scale * seconds}px)` } }, images, head);
    return { node: el("div", { class: "picture" }, strip), head };
  }

  // Move play heads with a sound; pictures wider than their frame scroll under the head.
  function follow(audio, heads, seconds) {
    const step = () => {
      const at = Math.min(1, audio.currentTime / (seconds || 1));
      for (const head of heads) {
        head.style.left = `${100 * at}%`;
        const strip = head.parentElement;
        const frame = strip.parentElement;
        if (frame) frame.scrollLeft = at * strip.offsetWidth - frame.clientWidth / 2;
      }
      if (!audio.paused) requestAnimationFrame(step);
    };
    ["play", "seeked", "ended", "timeupdate"].forEach((event) => audio.addEventListener(event, step));
    step();
  }

  // Lanes: [{ title, sound, layers: [[name, file]] }]; files: addresses of sounds by name, the first is heard first.
  function player({ lanes, files, span, name }) {
    const keys = Object.keys(files);
    const preload = span.seconds < SHORT ? "none" : "metadata";
    const sounds = keys.map((key, i) => el("audio", { src: files[key], preload, "data-part": key, muted: i > 0 }));
    const made = lanes.map((lane) => pictures(lane.layers, `${lane.title}: spectrogram of ${name}`, span));
    const clock = sounds[0];
    follow(clock, made.map((m) => m.head), span.seconds);
    const playing = () => !clock.paused;
    const move = (sound, at) => {
      if (span.seconds >= SHORT) sound.currentTime = at;
      else if (sound.currentTime > 0) sound.load();
    };
    const buttons = lanes.map((lane) => el("button", {
      type: "button", "data-hear": lane.sound, "aria-pressed": String(lane.sound === keys[0]), onclick: () => hear(lane.sound),
    }, `Hear ${lane.title.toLowerCase()}`));
    const seek = el("input", { type: "range", min: 0, max: span.seconds, step: 0.01, value: 0, oninput: () => sounds.forEach((s) => move(s, Number(seek.value))) });
    clock.addEventListener("timeupdate", () => {
      seek.value = clock.currentTime;
      if (span.seconds < SHORT) return;
      for (const other of sounds.slice(1)) if (Math.abs(other.currentTime - clock.currentTime) > 0.06) other.currentTime = clock.currentTime;
    });
    const go = el("button", { type: "button", class: "primary", id: "parts-play", onclick: () => (playing() ? stop() : begin()) }, "Play");
    clock.addEventListener("pause", () => (go.textContent = "Play"));
    clock.addEventListener("ended", () => sounds.slice(1).forEach((s) => s.pause()));
    function begin() {
      document.querySelectorAll("audio").forEach((a) => a.pause());
      const at = clock.ended ? 0 : clock.currentTime;
      sounds.forEach((s) => { move(s, at); s.play().catch(() => {}); });
      go.textContent = "Pause";
    }
    function stop() { sounds.forEach((s) => s.pause()); }
    function hear(key) {
      sounds.forEach((s, k) => (s.muted = keys[k] !== key));
      buttons.forEach((b, k) => b.setAttribute("aria-pressed", String(lanes[k].sound === key)));
      if (!playing()) begin();
    }
    sounds.forEach((s, i) => (s.muted = i !== 0));
    const figures = made.map((m, i) => el("figure", {}, m.node, el("figcaption", {}, buttons[i])));
    return { figures, controls: el("div", { class: "bar" }, go, Report.field("Position", seek)), sounds };
  }

  Object.assign(Report, { pictures, follow, player });
})();
