// Numbers for people: thin groups, few digits, never a wrong one.

function grouped(n) {
  return Math.round(n).toString().replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

function short(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-3)) {
    return value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e").replace("-", "−");
  }
  return String(Number(value.toPrecision(4))).replace("-", "−");
}

// What a box shows reads back as the same number.
function exact(value) {
  return value === null || value === undefined ? "" : String(value);
}

// An empty box is an open end; undefined says that the text is no number.
function parsed(text) {
  const plain = text.trim().replace(/−/g, "-").replace(/,(?=\d{3}(\D|$))/g, "");
  if (plain === "") return null;
  const value = Number(plain);
  return Number.isFinite(value) ? value : undefined;
}

function percent(part, whole) {
  return whole ? ((100 * part) / whole).toFixed(1) + " %" : "0.0 %";
}

function ticks(low, high, count) {
  const span = high - low;
  if (!(span > 0)) return [low];
  const raw = span / Math.max(1, count);
  const power = Math.pow(10, Math.floor(Math.log10(raw)));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= 0.7 * raw);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * span; k += 1) {
    found.push(Number((k * step).toPrecision(12)));
  }
  return found;
}

function logTicks(low, high, count) {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  if (last - first < 1) return ticks(low, high, count).filter((t) => t > 0);
  const step = Math.max(1, Math.ceil((last - first) / count));
  const found = [];
  for (let k = first; k <= last; k += step) found.push(Math.pow(10, k));
  return found;
}

// Zero, and powers of ten on both sides of it.
function symlogTicks(low, high, count, unit) {
  const side = (end) => {
    if (!(end > unit)) return [];
    const first = Math.ceil(Math.log10(unit) - 1e-9), last = Math.floor(Math.log10(end) + 1e-9);
    const both = low < 0 && high > 0, step = Math.max(1, Math.ceil((last - first + 1) / Math.max(1, count / (both ? 2 : 1) - 1)));
    const found = [];
    for (let k = last; k >= first; k -= step) found.push(Math.pow(10, k));
    return found;
  };
  const found = [...side(-low).map((v) => -v), 0, ...side(high)];
  return found.filter((v) => v >= low && v <= high).sort((a, b) => a - b);
}

// Wilson's interval at one standard deviation (68.27 %).
function wilson(k, n) {
  if (!n) return null;
  const p = k / n, centre = (p + 0.5 / n) / (1 + 1 / n);
  const half = Math.sqrt((p * (1 - p)) / n + 0.25 / (n * n)) / (1 + 1 / n);
  return [p, Math.max(0, Math.min(p, centre - half)), Math.min(1, Math.max(p, centre + half))];
}
