/** Texts, numbers and times in the language of the page. English source text is the key. */

const root = document.documentElement;
export const locale = root.lang || "en";

async function load() {
  try {
    const answer = await fetch(root.dataset.i18n, { credentials: "same-origin" });
    return answer.ok ? await answer.json() : {};
  } catch {
    return {}; // offline: the English keys still say what is meant
  }
}

const catalog = await load();
const plurals = new Intl.PluralRules(locale);

function fill(text, values) {
  return text.replace(/%\((\w+)\)[sd]/g, (whole, name) => (name in values ? values[name] : whole));
}

/** One message with %(name)s placeholders filled. */
export function t(key, values = {}) {
  return fill(catalog[key] || key, values);
}

/** A message that depends on a number; %(num)d is the number. */
export function tn(one, many, num, values = {}) {
  const forms = [catalog[one] ?? []].flat();
  const list = forms.length && forms.every(Boolean) ? forms : [one, many];
  const index = plurals.select(num) === "one" ? 0 : 1;
  return fill(list[Math.min(index, list.length - 1)], { num, ...values });
}

/** Age of an instant, coarse: seconds do not matter to a reader. `seconds` ≥ 0. */
export function age(seconds) {
  if (seconds < 60) return t("just now");
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return tn("%(num)d min ago", "%(num)d min ago", minutes);
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return tn("%(num)d h ago", "%(num)d h ago", hours);
  return tn("%(num)d day ago", "%(num)d days ago", Math.floor(hours / 24));
}

/** Length of a span in words. */
export function span(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return t("under 1 min");
  if (minutes < 60) return tn("%(num)d min", "%(num)d min", minutes);
  return t("%(hours)d h %(minutes)d min", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}

/** Metres below 1 km, else kilometres with one decimal. */
export function length(metres) {
  return metres < 1000
    ? t("%(metres)d m", { metres: Math.round(metres) })
    : t("%(kilometres)s km", { kilometres: (metres / 1000).toFixed(1) });
}

const clocks = new Map();

/** Wall-clock time hh:mm:ss (or hh:mm) of an epoch in seconds. */
export function clock(epoch, { zone, seconds = true } = {}) {
  const key = `${zone}|${seconds}`;
  if (!clocks.has(key)) {
    clocks.set(key, new Intl.DateTimeFormat("en-GB", {
      hour: "2-digit", minute: "2-digit", second: seconds ? "2-digit" : undefined, timeZone: zone,
    }));
  }
  return clocks.get(key).format(new Date(epoch * 1000));
}
