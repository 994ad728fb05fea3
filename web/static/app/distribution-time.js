/** Minutes of a day in the company's zone, and the instants they are. No DOM. */

const parts = new Map();

function format(zone) {
  if (!parts.has(zone)) {
    parts.set(zone, new Intl.DateTimeFormat("en-CA", {
      timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
    }));
  }
  return parts.get(zone);
}

/** {day: "2026-11-18", minute: 571} of an epoch in seconds. */
export function localOf(epoch, zone) {
  const found = Object.fromEntries(format(zone).formatToParts(new Date(epoch * 1000)).map((p) => [p.type, p.value]));
  return { day: `${found.year}-${found.month}-${found.day}`, minute: Number(found.hour) * 60 + Number(found.minute) };
}

/** Epoch seconds of a minute of a local day; in the hour a clock skips, the instant after it. */
export function epochOf(day, minute, zone) {
  const [year, month, date] = day.split("-").map(Number);
  const wanted = Date.UTC(year, month - 1, date, 0, minute) / 1000;
  let epoch = wanted;
  for (let round = 0; round < 3; round += 1) {
    const here = localOf(epoch, zone);
    const [y, m, d] = here.day.split("-").map(Number);
    epoch += wanted - Date.UTC(y, m - 1, d, 0, here.minute) / 1000;
  }
  return epoch;
}

/** hh:mm of a minute of the day. */
export function clockOf(minute) {
  return `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
}

/** Epoch seconds of a whole minute in a text; null for no instant. */
export function epochIn(text) {
  const epoch = Date.parse(text ?? "") / 1000;
  return Number.isFinite(epoch) ? Math.floor(epoch / 60) * 60 : null;
}

/** A whole minute as an address carries it. */
export const iso = (epoch) => new Date(epoch * 1000).toISOString().replace(/:\d\d\.\d+Z$/, "Z");
