"use strict";
// Runs before the page is drawn, so that a theme chosen earlier does not flash. theme-toggle.js changes it.
try {
  const theme = localStorage.getItem("pgboss.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // A browser that keeps nothing follows the system.
}
