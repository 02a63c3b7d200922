// Pages whose body has data-live hear when counts change, as the event pgboss:counts on the body.
// Fragments with hx-trigger="pgboss:counts from:body" then fetch themselves anew.
const QUIET_MILLISECONDS = 1000;

export function followCounts() {
  const { live, base } = document.body.dataset;
  if (live === undefined || !window.EventSource) return;
  const source = new EventSource(`${base}/api/events`);
  source.addEventListener("open", () => tell("on"));
  source.addEventListener("error", () => tell("lost"));
  source.addEventListener("counts", (event) => announce(JSON.parse(event.data)));
  // A page that is left is kept by the browser for the way back, and its connection with it.
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}

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
