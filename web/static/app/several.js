/** Ticking several rows: all at once, how many, and nothing to send while there is none. */

const form = document.querySelector("[data-several]");
const boxes = [...document.querySelectorAll("[data-choose]")];
const all = form?.querySelector("[data-choose-all]");

function show() {
  const ticked = boxes.filter((box) => box.checked).length;
  const every = all.querySelector("input");
  every.checked = ticked === boxes.length;
  every.indeterminate = ticked > 0 && ticked < boxes.length;
  form.querySelector("[data-choose-count]").textContent = ticked ? `(${ticked})` : "";
  form.querySelector("[data-choose-send]").disabled = ticked === 0;
}

if (form && boxes.length) {
  all.hidden = false;
  all.querySelector("input").addEventListener("change", (event) => {
    for (const box of boxes) box.checked = event.target.checked;
    show();
  });
  for (const box of boxes) box.addEventListener("change", show);
  show();
}
