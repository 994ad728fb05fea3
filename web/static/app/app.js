/** Behaviour of the frame: dialogs, shortcuts, navigation, theme, ages, toasts. Found by data-* attributes. */

import { age } from "app/i18n";
import { typing } from "app/dom";

const root = document.documentElement;
root.classList.add("scripted");

/** Show a short message at the bottom; tone: ok, warn, danger. */
export function toast(text, tone = "ok") {
  const line = document.createElement("p");
  line.className = `toast toast--${tone}`;
  line.textContent = text;
  document.getElementById("toasts")?.append(line);
  setTimeout(() => line.remove(), tone === "danger" ? 10000 : 5000);
}

// Ages: one timer for every <time-ago> on the page.
class TimeAgo extends HTMLElement {
  connectedCallback() {
    TimeAgo.all.add(this);
    this.refresh();
  }
  disconnectedCallback() {
    TimeAgo.all.delete(this);
  }
  refresh() {
    const time = this.querySelector("time");
    const at = Date.parse(time?.dateTime ?? "");
    if (Number.isFinite(at)) time.textContent = age(Math.max(0, (Date.now() - at) / 1000));
  }
}
TimeAgo.all = new Set();
customElements.define("time-ago", TimeAgo);
setInterval(() => TimeAgo.all.forEach((each) => each.refresh()), 10000);

// Single-key shortcuts can be switched off (WCAG 2.1.4); the choice stays in this browser.
const KEYS = "outpost.single-keys";
const keysOn = () => localStorage.getItem(KEYS) !== "off";
const actions = new Map();

/** Bind a single key; `act` gets the event. */
export function onKey(key, act) {
  actions.set(key, act);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event) || !keysOn()) return;
  if (document.querySelector("dialog[open]")) return;
  const act = actions.get(event.key);
  if (act) {
    event.preventDefault();
    act(event);
  }
});
onKey("?", () => document.getElementById("keys")?.showModal());
onKey("/", () => {
  const boxes = [...document.querySelectorAll("[data-search-key]")];
  boxes.at(-1)?.focus();
});

function closeNav() {
  document.getElementById("nav")?.classList.remove("nav--open");
  document.querySelector("[data-nav-toggle]")?.setAttribute("aria-expanded", "false");
  document.querySelector("[data-nav-close]")?.setAttribute("hidden", "");
}

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  if (!target) return;
  const opener = target.closest("[data-dialog]");
  if (opener) document.getElementById(opener.dataset.dialog)?.showModal();
  if (target instanceof HTMLDialogElement) target.close(); // a click on the backdrop
  const toggle = target.closest("[data-nav-toggle]");
  if (toggle) {
    const open = document.getElementById("nav").classList.toggle("nav--open");
    toggle.setAttribute("aria-expanded", String(open));
    document.querySelector("[data-nav-close]").hidden = !open;
  }
  if (target.closest("[data-nav-close]")) closeNav();
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  closeNav();
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

document.addEventListener("change", (event) => {
  const target = event.target;
  if (target.matches?.("[data-keys-switch]")) {
    localStorage.setItem(KEYS, target.checked ? "on" : "off");
  }
  const form = target.closest?.("form[data-auto-submit]");
  if (form) form.requestSubmit();
});

// CSRF for htmx; each htmx request carries the token of the page.
document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRFToken"] = document.querySelector('meta[name="csrf-token"]').content;
});
document.addEventListener("htmx:responseError", () => {
  import("app/i18n").then(({ t }) => toast(t("The server could not do that. Try again."), "danger"));
});

const keysSwitch = document.querySelector("[data-keys-switch]");
if (keysSwitch) keysSwitch.checked = keysOn();
for (const shown of document.querySelectorAll("#toasts > .toast")) {
  setTimeout(() => shown.remove(), 6000);
}
