// Pages whose body has data-live hear when counts change, as the event pgboss:counts on the body.
// Fragments with hx-trigger="pgboss:counts from:body" then fetch themselves anew.
const QUIET_MILLISECONDS = 1000;

export function followCounts() {
  const { live, base } = document.body.dataset;
  if (live === undefined) return;
  listen(`${base}/api/events`, "counts", (event) => announce(JSON.parse(event.data)));
}

// Hear of an event of a stream for as long as the page is looked at, and show whether that works.
export function listen(address, name, hear) {
  if (!window.EventSource) return;
  const source = new EventSource(address);
  source.addEventListener("open", () => tell("on"));
  source.addEventListener("error", () => tell("lost"));
  source.addEventListener(name, hear);
  // There will be nothing more to hear.
  source.addEventListener("gone", () => source.close());
  // A page that is left is kept by the browser for the way back, and its connection with it.
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}

// A part of a page that is gone, as of a queue that somebody has deleted: the page says so itself. A form that was just
// sent leads elsewhere, which a reload would break off.
let isLeaving = false;
addEventListener("submit", () => { isLeaving = true; });
document.body.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.xhr.status !== 404) return;
  detail.isError = false;
  if (!isLeaving) location.reload();
});

function tell(connection) {
  document.body.dataset.connection = connection;
}

let pending;
function announce(counts) {
  clearTimeout(pending);
  pending = setTimeout(() => {
    // What somebody is in the middle of is not replaced under their hands.
    document.body.dispatchEvent(new CustomEvent("pgboss:counts", { detail: counts }));
  }, QUIET_MILLISECONDS / 4);
}
