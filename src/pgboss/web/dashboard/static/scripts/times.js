// Times in the viewer's zone: <time datetime="…" data-time> as a date, data-time="ago" as an age that grows.
const STEPS = [[60, "second", 1], [3600, "minute", 60], [86400, "hour", 3600], [Infinity, "day", 86400]];
const REFRESH_SECONDS = 10;

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
const exact = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "short", day: "numeric",
  hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, timeZoneName: "longOffset",
});
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit",
});

export function showTimes(root) {
  for (const element of root.querySelectorAll("time[data-time]")) show(element);
}

export function keepTimes() {
  setInterval(() => {
    for (const element of document.querySelectorAll('time[data-time="ago"]')) show(element);
  }, REFRESH_SECONDS * 1000);
}

function show(element) {
  const at = new Date(element.dateTime);
  if (Number.isNaN(at.getTime())) return;
  const text = element.dataset.time === "ago" ? ago(at) : absolute(at);
  if (element.textContent !== text) element.textContent = text;
  element.title = `${exact.format(at)}\n${element.dateTime}`;
}

function ago(at) {
  const seconds = (at.getTime() - Date.now()) / 1000;
  const [, unit, width] = STEPS.find(([limit]) => Math.abs(seconds) < limit);
  return relative.format(Math.trunc(seconds / width), unit);
}

function absolute(at) {
  const now = new Date();
  if (at.toDateString() === now.toDateString()) return clock.format(at);
  return at.getFullYear() === now.getFullYear() ? day.format(at) : date.format(at);
}
