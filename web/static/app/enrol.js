/** Copying the one-time link, and a warning before the only copy of a secret is left. */

import { t } from "app/i18n";
import { toast } from "app/app";

const field = document.querySelector("[data-one-time]");

document.querySelector("[data-print]")?.addEventListener("click", () => print());
document.querySelector("[data-copy]")?.addEventListener("click", async () => {
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    toast(t("The link was copied."));
  } catch {
    toast(t("The link is selected: copy it with Ctrl+C."));
  }
});
