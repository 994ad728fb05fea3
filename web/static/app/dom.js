/** Building elements without HTML strings: text stays text. */

const SVG = "http://www.w3.org/2000/svg";

/** el("p", {class: "x", onclick: fn, dataset: {id: 1}}, "text", child, null) */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(node.dataset, value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** A copy of an icon or shape that the page holds in <template id="drawings">. */
export function drawing(name) {
  const source = document.getElementById("drawings")?.content.querySelector(`[data-name="${CSS.escape(name)}"] > svg`);
  return source ? source.cloneNode(true) : document.createElementNS(SVG, "svg");
}

/** True while the reader types, so that single keys must not act. */
export function typing(event) {
  const target = event.target;
  return target instanceof HTMLElement
    && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
    && !["checkbox", "radio", "button"].includes(target.type);
}

export const csrf = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";

/** JSON from our own server; throws an Error with `status` and the problem's detail. */
export async function fetchJson(url, options = {}) {
  const answer = await fetch(url, {
    credentials: "same-origin",
    ...options,
    headers: {
      Accept: "application/json",
      ...(options.method && options.method !== "GET" ? { "X-CSRFToken": csrf() } : {}),
      ...(options.headers ?? {}),
    },
  });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw Object.assign(new Error(problem.detail || problem.title || `HTTP ${answer.status}`), {
      status: answer.status, problem,
    });
  }
  return answer.status === 204 ? null : answer.json();
}
