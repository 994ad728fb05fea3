/** The panel of open off-post alerts: newest facts, acknowledge with a reason in place. */

import { el, drawing, fetchJson } from "app/dom";
import { length, span, t } from "app/i18n";
import { toast } from "app/app";

export class AlertPanel {
  #pressed = false;
  #editing = null; // id whose reason is being typed: its card is not redrawn

  constructor(panel, { store, links, mayReview, onSelect }) {
    this.panel = panel;
    this.list = panel.querySelector("[data-alert-list]");
    this.count = panel.querySelector("[data-count]");
    this.store = store;
    this.links = links;
    this.mayReview = mayReview;
    this.onSelect = onSelect;
    // A card redrawn between press and release would swallow the click.
    this.list.addEventListener("pointerdown", () => { this.#pressed = true; });
    for (const end of ["pointerup", "pointercancel"]) {
      addEventListener(end, () => setTimeout(() => {
        if (!this.#pressed) return;
        this.#pressed = false;
        this.draw();
      }));
    }
  }

  draw() {
    if (this.#pressed) return;
    const alerts = [...this.store.alerts.values()]
      .filter((alert) => alert.kind === "off_post" && !alert.acknowledged)
      .sort((a, b) => a.starts_at - b.starts_at || (a.id < b.id ? -1 : 1));
    this.count.textContent = String(alerts.length);
    this.count.hidden = !alerts.length;
    for (const badge of document.querySelectorAll("[data-alert-count]")) {
      badge.textContent = String(alerts.length);
      badge.hidden = !alerts.length;
    }
    if (this.#editing && alerts.some((alert) => alert.id === this.#editing)) return;
    this.#editing = null;
    const focus = this.#focus();
    this.list.replaceChildren(...alerts.map((alert) => this.#card(alert)));
    focus?.();
    this.panel.querySelector("[data-no-alerts]").hidden = alerts.length > 0;
  }

  /** How to put the focus back on the same control of the same alert after a redraw. */
  #focus() {
    const card = document.activeElement?.closest?.("[data-alert]");
    if (!card || !this.list.contains(card)) return null;
    const at = [...card.querySelectorAll("button, a")].indexOf(document.activeElement);
    return () => {
      const again = this.list.querySelector(`[data-alert="${CSS.escape(card.dataset.alert)}"]`);
      again?.querySelectorAll("button, a")[at]?.focus();
    };
  }

  #card(alert) {
    const person = this.store.people.get(alert.employee_id);
    const name = person?.name ?? alert.name ?? "";
    const facts = [
      alert.post ?? person?.post,
      alert.distance_m === null || alert.distance_m === undefined ? null : t("%(length)s from fence", { length: length(alert.distance_m) }),
      person?.accuracy_m ? t("±%(length)s", { length: length(person.accuracy_m) }) : null,
    ].filter(Boolean).join(" · ");
    const lasted = span(Math.max(0, this.store.now() - alert.starts_at));
    const actions = el("div", { class: "alert__actions" },
      this.mayReview(alert) ? el("button", { type: "button", class: "btn btn--primary btn--small", onclick: (event) => this.#ask(event, alert) }, t("Acknowledge")) : null,
      alert.phone ? el("a", { class: "btn btn--outline btn--small", href: `tel:${alert.phone}` }, drawing("phone"), t("Call")) : null,
      this.links.track ? el("a", { class: "btn btn--ghost btn--small", href: this.links.track(alert.employee_id) }, t("Track")) : null);
    return el("li", { class: "alert", dataset: { alert: alert.id } },
      el("div", { class: "alert__head" },
        el("button", { type: "button", class: "alert__name", onclick: () => this.onSelect(alert.employee_id) }, name),
        el("span", { class: "pill pill--off_post" }, drawing("off_post"), t("Off post %(span)s", { span: lasted }))),
      el("p", {}, facts), actions);
  }

  #ask(event, alert) {
    const card = event.target.closest(".alert");
    const button = event.target;
    this.#editing = alert.id;
    const id = `reason-${alert.id}`;
    const input = el("input", { id, class: "control", name: "reason", maxlength: 500, required: true, autocomplete: "off", placeholder: t("e.g. called, back in 5 min") });
    const close = () => {
      this.#editing = null;
      this.draw();
      this.list.querySelector(`[data-alert="${CSS.escape(alert.id)}"] .btn--primary`)?.focus();
    };
    const form = el("form", {
      class: "alert__form",
      onsubmit: async (submit) => {
        submit.preventDefault();
        const reason = input.value.trim();
        if (!reason) return;
        form.querySelector(".btn--primary").disabled = true;
        try {
          await fetchJson(this.links.review(alert.id), {
            method: "POST", headers: { "Content-Type": "application/json" },
            body: JSON.stringify({ action: "acknowledge", reason }),
          });
          this.#editing = null;
          toast(t("Acknowledged"));
          this.store.dismiss(alert.id);
          this.list.querySelector(".btn--primary")?.focus();
        } catch (error) {
          form.querySelector(".btn--primary").disabled = false;
          toast(error.status === 409 ? t("The alert changed meanwhile.") : t("That was not stored. Try again."), "danger");
        }
      },
      onkeydown: (key) => {
        if (key.key === "Escape") close();
      },
    },
    el("label", { for: id }, t("Reason")), input,
    el("div", { class: "alert__actions" },
      el("button", { class: "btn btn--primary btn--small" }, t("Acknowledge")),
      el("button", { type: "button", class: "btn btn--ghost btn--small", onclick: close }, t("Cancel"))));
    button.closest(".alert__actions").replaceWith(form);
    card.scrollIntoView({ block: "nearest" });
    input.focus();
  }
}
