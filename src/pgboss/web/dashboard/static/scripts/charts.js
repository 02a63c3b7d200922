// Charts: <div class="chart" data-chart='{"times": […], "unit": "jobs", "series": [{"label", "ink", "values"}]}'>.
// Times are seconds of the epoch; `ink` is a colour of pgboss.css, `unit` is jobs or seconds.
const HEIGHT = 150;
const HALF_AN_HOUR = 30 * 60;
const drawn = new Map();

export function drawCharts(root) {
  if (!window.uPlot) return;
  forget();
  for (const element of root.querySelectorAll("[data-chart]")) draw(element);
}

document.body.addEventListener("pgboss:theme", () => {
  for (const element of [...drawn.keys()]) draw(element);
});

const sizes = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    const chart = drawn.get(target);
    if (chart && contentRect.width) chart.setSize({ width: contentRect.width, height: HEIGHT });
  }
});

function forget() {
  for (const [element, chart] of drawn) {
    if (element.isConnected) continue;
    sizes.unobserve(element);
    chart.destroy();
    drawn.delete(element);
  }
}

function draw(element) {
  const { times, series, unit } = JSON.parse(element.dataset.chart);
  drawn.get(element)?.destroy();
  element.replaceChildren();
  const width = element.clientWidth - paddingOf(element);
  const options = {
    width,
    height: HEIGHT,
    cursor: { y: false, points: { size: 6 } },
    legend: { live: true },
    scales: {
      // Of a single moment the axis would span years.
      x: { range: (chart, from, until) => (times.length > 1 ? [from, until] : [times[0] - HALF_AN_HOUR, times[0] + HALF_AN_HOUR]) },
      y: { range: (chart, low, high) => [0, Math.max(high * 1.08, unit === "seconds" ? 0.1 : 4)] },
    },
    axes: [
      axis({ size: 24, space: 64, values: (chart, marks, index, space, step) => marks.map((at) => mark(at, step)) }),
      axis({ size: 52, values: (chart, marks) => marks.map((one) => shown(one, unit)) }),
    ],
    series: [{ label: "Time", value: (chart, at) => (at == null ? "–" : clock(at)) }, ...series.map((one) => line(one, unit, times.length === 1))],
  };
  drawn.set(element, new window.uPlot(options, [times, ...series.map((one) => one.values)], element));
  sizes.observe(element);
}

function line({ label, ink, fill }, unit, isPoint) {
  const stroke = colour(`--${ink}`);
  return {
    label,
    stroke,
    width: 1.5,
    spanGaps: true,
    points: { show: isPoint },
    fill: fill ? colour(`--${ink}-ground`) : undefined,
    value: (chart, value) => (value == null ? "–" : shown(value, unit)),
  };
}

function axis(more) {
  const grid = { stroke: colour("--line"), width: 1 };
  return { stroke: colour("--muted"), font: "11px system-ui, sans-serif", grid, ticks: { show: false }, gap: 6, ...more };
}

function colour(name) {
  // light-dark() is resolved where it is used, not where it is defined.
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const resolved = getComputedStyle(probe).color;
  probe.remove();
  return resolved;
}

const count = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const time = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });

const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

function shown(value, unit) {
  if (unit !== "seconds") return count.format(value);
  if (value === 0) return "0";
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 120) return `${Number(value.toPrecision(3))} s`;
  return value < 7200 ? `${Math.round(value / 60)} min` : `${Math.round(value / 3600)} h`;
}

// In the form that the viewer is used to; whole days as a date.
function mark(at, stepSeconds) {
  return (stepSeconds >= 86400 ? date : hour).format(new Date(at * 1000));
}

function clock(at) {
  return time.format(new Date(at * 1000));
}

function paddingOf(element) {
  const { paddingLeft, paddingRight } = getComputedStyle(element);
  return parseFloat(paddingLeft) + parseFloat(paddingRight);
}
