// Where pages and states are too many for a row, it is moved to the one that is shown.
export function showCurrent() {
  for (const current of document.querySelectorAll(".side nav [aria-current=page], .tabs [aria-current=page]")) {
    current.scrollIntoView({ block: "nearest", inline: "center" });
  }
}
