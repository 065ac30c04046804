"use strict";
// The page of one clip: the recording, and what every explanation keeps and removes of it.
(() => {
  const { el, place } = Report;
  const clip = window.STORY;
  const under = ["spectrogram", clip.spectrogram];
  const recording = { title: "Recording", sound: "recording", layers: [under] };
  const files = { recording: clip.recording };
  if (clip.unseen) files.unseen = clip.unseen;
  const groups = clip.parts.map((part) => {
    const key = `${part.explainer}_${part.mask}`;
    files[`${key}_kept`] = part.kept;
    files[`${key}_removed`] = part.removed;
    return [
      { title: "Recording", sound: "recording", layers: [under, ["map", part.map]] },
      { title: "Kept", sound: `${key}_kept`, layers: [under, ["kept", part.veil_kept]] },
      { title: "Removed", sound: `${key}_removed`, layers: [under, ["removed", part.veil_removed]] },
    ];
  });
  const unseen = clip.unseen ? [{ title: "Unseen", sound: "unseen", layers: [] }] : [];
  const lanes = [recording, ...unseen, ...groups.flat()];
  const span = { seconds: clip.seconds, start: clip.picture[0], end: clip.picture[1], scale: 160 };
  const { figures, controls, sounds } = Report.player({ lanes, files, span, name: clip.filename });
  const first = 1 + unseen.length;
  place("player", controls, el("div", { class: "lanes" }, figures.slice(0, first)), sounds,
    clip.parts.map((part, i) => el("section", {},
      el("h2", {}, part.explainer.replaceAll("_", " ")),
      el("p", { class: "quiet" }, `Mask ${part.mask}. The map shows what speaks for the class.`),
      el("div", { class: "lanes" }, figures.slice(first + 3 * i, first + 3 * i + 3)))));
  document.documentElement.dataset.ready = "yes";
})();
