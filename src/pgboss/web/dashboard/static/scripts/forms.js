// Small things of forms: a button that waits for a typed name, filters that apply themselves, boxes that check all.
export function enhanceForms(root) {
  for (const input of root.querySelectorAll("input[data-must-equal]")) awaitTyping(input);
  for (const input of root.querySelectorAll("select[data-submits]")) {
    input.addEventListener("change", () => input.form.requestSubmit());
  }
  for (const box of root.querySelectorAll("input[data-checks-all]")) {
    box.hidden = false;
    box.addEventListener("change", () => checkAll(box));
  }
}

function awaitTyping(input) {
  const button = input.form.querySelector("button[type=submit], button:not([type])");
  const decide = () => { button.disabled = input.value !== input.dataset.mustEqual; };
  input.addEventListener("input", decide);
  decide();
}

function checkAll(box) {
  for (const one of document.querySelectorAll(`input[type=checkbox][name="${CSS.escape(box.dataset.checksAll)}"]`)) {
    one.checked = box.checked;
  }
}

// A list does not renew itself while something in it is checked, nor the job of a dialog while that is open.
export function keepChoices() {
  for (const name of ["htmx:beforeRequest", "htmx:beforeSwap"]) document.body.addEventListener(name, keepChoice);
}

function keepChoice(event) {
  const { elt } = event.detail;
  if (elt.matches("[data-keeps-choice]:has(input:checked, :popover-open)")) event.preventDefault();
}
