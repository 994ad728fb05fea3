/** Lines of the distribution's lists, and what the colours of its map mean. */

import { el } from "app/dom";
import { locale, t } from "app/i18n";

export const STATUSES = ["on_post", "off_post", "travelling", "stale", "no_signal"];
export const number = new Intl.NumberFormat(locale);
const words = {
  on_post: t("On post"), off_post: t("Off post"), travelling: t("Travelling"), stale: t("Stale"), no_signal: t("No signal"),
};

/** Columns of an answer as rows. */
export function rowsOf(columns) {
  return columns.id.map((id, i) => Object.fromEntries(Object.entries(columns).map(([name, list]) => [name, list[i]])));
}

/** People now, or how many more than at the instant compared with. */
export const change = (row) => (row.was === null ? row.is : row.is - row.was);
export const signed = (n) => (n > 0 ? `+${number.format(n)}` : n < 0 ? `\u2212${number.format(-n)}` : "0");

function bar(row) {
  const total = STATUSES.reduce((sum, s) => sum + row[s], 0);
  const node = el("span", { class: "dist__bar", "aria-hidden": "true" });
  for (const status of STATUSES) {
    if (!row[status]) continue;
    const part = el("i", { class: `tone-${status}` });
    part.style.width = `${(100 * row[status]) / total}%`;
    node.append(part);
  }
  return node;
}

/** People by status, in words. */
export function facts(row) {
  return STATUSES.filter((s) => row[s]).map((s) => `${words[s]} ${number.format(row[s])}`).join(" · ");
}

function figure(row) {
  if (row.was === null) return el("strong", {}, number.format(row.is));
  const d = change(row);
  return el("strong", {}, `${number.format(row.was)} → ${number.format(row.is)} `, el("span", { class: d > 0 ? "more-text" : d < 0 ? "less-text" : "" }, `(${signed(d)})`));
}

/** One line of a list; a button when it can be chosen. */
export function line(name, row, attributes = {}) {
  const node = el(attributes.onclick ? "button" : "div", { class: "dist__row", ...(attributes.onclick ? { type: "button" } : {}), ...attributes },
    el("span", { title: name }, name), figure(row), bar(row), el("small", {}, facts(row)));
  return node;
}

/** Say what the colours mean. */
export function legend(box, { most, measure, versus }) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 100 10");
  svg.setAttribute("preserveAspectRatio", "none");
  const names = versus ? ["less", "same", "more"] : ["seq-0", "seq-1", "seq-2", "seq-3", "seq-4"];
  names.forEach((name, i) => {
    const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [key, value] of Object.entries({ x: (100 * i) / names.length, y: 0, width: 100 / names.length, height: 10 })) rect.setAttribute(key, value);
    rect.style.fill = `var(--${name})`;
    svg.append(rect);
  });
  box.replaceChildren(
    el("strong", {}, versus ? t("Change of people") : measure === "people" ? t("People on duty") : words[measure]), svg,
    el("div", {}, el("span", {}, versus ? signed(-most) : "1"), el("span", {}, versus ? signed(most) : number.format(most))),
  );
}
