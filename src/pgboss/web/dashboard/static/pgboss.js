// What pages do by themselves. Each script enhances what is already there: pages can be read and used without them.
import { drawCharts } from "./scripts/charts.js";
import { followJob } from "./scripts/follow-job.js";
import { enhanceForms, keepChoices } from "./scripts/forms.js";
import { followCounts } from "./scripts/live.js";
import { offerSavedFilters } from "./scripts/saved-filters.js";
import { showCurrent } from "./scripts/show-current.js";
import { offerTheme } from "./scripts/theme-toggle.js";
import { keepTimes, showTimes } from "./scripts/times.js";

function enhance(root) {
  showTimes(root);
  drawCharts(root);
  enhanceForms(root);
}

enhance(document);
showCurrent();
keepTimes();
offerTheme();
followCounts();
followJob();
keepChoices();
offerSavedFilters();
// What is new only, and before it is painted: settling comes a frame later.
document.body.addEventListener("htmx:afterSwap", (event) => enhance(event.target));
