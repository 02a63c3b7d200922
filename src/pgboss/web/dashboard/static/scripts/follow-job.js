// The page of a job: data-follows is where its changes are told. Each becomes the event pgboss:job on the body, upon which
// what is shown of the job fetches itself anew.
import { listen } from "./live.js";

export function followJob() {
  const followed = document.querySelector("[data-follows]");
  if (!followed) return;
  let known = followed.dataset.version;
  listen(followed.dataset.follows, "job", (event) => {
    // The first event tells what the page shows already, unless the job has changed in between.
    const version = versionOf(JSON.parse(event.data));
    if (version === known) return;
    known = version;
    document.body.dispatchEvent(new CustomEvent("pgboss:job"));
  });
}

function versionOf({ state, retry_count }) {
  return `${state} ${retry_count}`;
}
