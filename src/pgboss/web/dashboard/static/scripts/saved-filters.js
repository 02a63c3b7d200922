// Filters that somebody keeps in this browser, beside those that everybody finds: names for the query of an address.
const KEY = "pgboss.filters";

export function offerSavedFilters() {
  const panel = document.querySelector("[data-saved-filters]");
  if (!panel) return;
  const name = panel.querySelector("input");
  panel.querySelector("[data-saved-add]").hidden = false;
  panel.querySelector("[data-saved-save]").addEventListener("click", () => save(panel, name));
  name.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    save(panel, name);
  });
  show(panel);
}

function save(panel, input) {
  const name = input.value.trim();
  if (!name) return input.focus();
  const query = new URLSearchParams(location.search);
  query.delete("after");
  keep([...kept().filter((one) => one.name !== name), { name, query: String(query) }]);
  input.value = "";
  show(panel);
}

function show(panel) {
  const list = panel.querySelector("[data-saved-list]");
  for (const old of list.querySelectorAll("[data-kept]")) old.remove();
  for (const one of kept()) list.append(entry(panel, one));
}

function entry(panel, { name, query }) {
  const link = Object.assign(document.createElement("a"), {
    className: "chip", textContent: name, href: `${panel.dataset.savedFilters}?${query}`,
  });
  const button = Object.assign(document.createElement("button"), {
    type: "button", className: "quiet small", textContent: "×", title: `Forget ${name}`,
  });
  button.setAttribute("aria-label", `Forget ${name}`);
  button.addEventListener("click", () => {
    keep(kept().filter((one) => one.name !== name));
    show(panel);
  });
  const item = document.createElement("li");
  item.dataset.kept = "";
  item.append(link, button);
  return item;
}

function kept() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(found) ? found.filter((one) => typeof one?.name === "string" && typeof one.query === "string") : [];
  } catch {
    return [];
  }
}

function keep(filters) {
  try {
    localStorage.setItem(KEY, JSON.stringify(filters));
  } catch {
    // A browser that keeps nothing: the address itself can be kept.
  }
}
