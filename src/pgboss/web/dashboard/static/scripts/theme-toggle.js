// The button that turns light into dark and back. The choice stays in this browser.
const dark = matchMedia("(prefers-color-scheme: dark)");

export function offerTheme() {
  for (const button of document.querySelectorAll("[data-theme-toggle]")) {
    button.hidden = false;
    button.addEventListener("click", () => choose(current() === "dark" ? "light" : "dark"));
  }
  dark.addEventListener("change", announce);
  announce();
}

function current() {
  return document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
}

function choose(theme) {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("pgboss.theme", theme);
  } catch {
    // Then it lasts as long as the page.
  }
  announce();
}

function announce() {
  for (const button of document.querySelectorAll("[data-theme-toggle]")) {
    button.setAttribute("aria-pressed", String(current() === "dark"));
  }
  document.body.dispatchEvent(new CustomEvent("pgboss:theme"));
}
