/** Checking and applying with a bar that moves; without scripts the buttons do the same. */

import { fetchJson } from "app/dom";
import { t } from "app/i18n";
import { toast } from "app/app";

const PAUSE_MS = 700;
const WORDS = { checking: () => t("Being checked"), applying: () => t("Being applied") };

const page = document.querySelector("[data-import]");
const number = new Intl.NumberFormat(document.documentElement.lang);

function show({ state, rows_done: done, rows_total: total }) {
  const box = page.querySelector("[data-progress]");
  const bar = box.querySelector("[data-progress-bar]");
  box.hidden = false;
  if (total) {
    bar.max = total;
    bar.value = done;
  }
  const rows = total ? `${number.format(done)} / ${number.format(total)}` : number.format(done);
  box.querySelector("[data-progress-text]").textContent = `${(WORDS[state] ?? WORDS.checking)()} · ${rows}`;
}

async function watch(until) {
  for (;;) {
    await new Promise((done) => { setTimeout(done, PAUSE_MS); });
    if (until.over) return;
    try {
      const now = await fetchJson(page.dataset.import);
      if (until.over) return;
      if (now.state !== "checking" && now.state !== "applying") {
        if (until.alone) location.reload();
        continue;
      }
      show(now);
    } catch {
      // The next look asks again; the work itself goes on without us.
    }
  }
}

async function run(form) {
  for (const button of document.querySelectorAll(".work button")) button.disabled = true;
  const until = { over: false };
  const body = new FormData(form);
  show({ state: form.action.endsWith("/apply") ? "applying" : "checking", rows_done: 0, rows_total: null });
  watch(until);
  try {
    await fetch(form.action, { method: "POST", body, credentials: "same-origin", redirect: "manual" });
    location.reload();
  } catch {
    toast(t("The connection broke. The work goes on; this page follows it."), "warn");
    until.alone = true;
    return;
  }
  until.over = true;
}

if (page) {
  for (const form of page.querySelectorAll("form[data-run]")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      run(form);
    });
  }
  const first = page.querySelector("form[data-at-once]");
  if (first) {
    first.hidden = true;
    run(first);
  } else if (["checking", "applying"].includes(page.dataset.state)) {
    watch({ over: false, alone: true });
  }
}

document.querySelector("[data-upload]")?.addEventListener("submit", (event) => {
  const button = event.target.querySelector("button:not([type='button'])");
  button.setAttribute("aria-busy", "true");
  button.querySelector("span").textContent = t("Sending…");
});
