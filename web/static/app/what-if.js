/** Follows a trial until it ends; without scripts the page says how far it was when it was loaded. */

import { fetchJson } from "app/dom";
import { t } from "app/i18n";

const PAUSE_MS = 1000;
const WORDS = { waiting: () => t("Waiting for its turn"), running: () => t("Being worked out") };

const page = document.querySelector("[data-what-if]");
const number = new Intl.NumberFormat(document.documentElement.lang);

function show({ state, days_done: done, days_total: total }) {
  const bar = page.querySelector("[data-progress-bar]");
  bar.max = total;
  bar.value = done;
  page.querySelector("[data-progress-text]").textContent = `${WORDS[state]()} · ${number.format(done)} / ${number.format(total)}`;
}

async function watch() {
  for (;;) {
    await new Promise((done) => { setTimeout(done, PAUSE_MS); });
    try {
      const now = await fetchJson(page.dataset.whatIf);
      if (!(now.state in WORDS)) {
        location.reload();
        return;
      }
      show(now);
    } catch {
      // The next look asks again; the work itself goes on without us.
    }
  }
}

if (page) watch();
