"use strict";
// Start every view. One that fails says so and does not stop the others.
for (const start of ["Recordings", "Clip", "Triangle", "Explanations", "Adaptation", "Devices", "Latent", "Links"]) {
  try {
    Report[`start${start}`]();
  } catch (error) {
    console.error(error);
    document.getElementById("problems").append(Report.el("p", {}, `${start} cannot be shown: ${error.message}`));
  }
}
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") Report.hint();
});
document.documentElement.dataset.ready = "yes";
