// The charts together: filters, what is asked of the server, what is told to the page.

const RECENT = 8;
const HOVER = 60;
const KEYS_REST = 350;

class Linked {
  constructor(root, tell) {
    this.root = root;
    this.tellPage = tell;
    this.filters = {};
    this.panels = [];
    this.recent = new Recent(RECENT);
    this.ghosts = new Map();
    this.frames = [];
    this.activations = [];
    this.releases = [];
    this.options = { log: false, fit: false };
    this.rows = element("span", { class: "rows", "aria-live": "polite" });
    this.badge = element("span", { class: "badge", hidden: "" });
    this.state = element("span", { class: "note", role: "status" });
    this.chips = element("ul", { class: "chips", "aria-label": "Filters" });
    this.reset = element("button", { type: "button", onclick: () => this.clear() }, "Reset all");
    this.charts = element("div", { class: "charts" });
    this.fault = element("div", { class: "fault", role: "alert", hidden: "" });
    this.optionBoxes = {};
    const option = (name, text) => {
      const box = element("input", { type: "checkbox" });
      box.addEventListener("change", () => {
        this.options[name] = box.checked;
        this.draw();
        this.tellPage("options", JSON.stringify(Object.keys(this.options).filter((key) => this.options[key])));
      });
      this.optionBoxes[name] = box;
      return element("label", {}, box, ` ${text}`);
    };
    const top = element("div", { class: "top" }, this.rows, this.badge, this.reset, option("log", "logarithmic counts"), option("fit", "scale to the selection"), this.state);
    root.replaceChildren(element("div", { class: "linked" }, top, this.chips, this.fault, this.charts));
    // For tests and measurements of what a drag costs.
    root.limen = this;
    this.watch = new ResizeObserver(() => this.measure());
    this.watch.observe(this.charts);
  }

  get theme() {
    if (!this.colours) {
      const style = getComputedStyle(this.charts);
      const text = style.color, dark = luminance(text) > 0.5;
      this.colours = {
        text,
        line: dark ? "#9a9a9a" : "#666666",
        faint: dark ? "#5c5c5c" : "#c4c4c4",
        ghost: dark ? "#4d5156" : "#cfd3d8",
        gone: dark ? "#3a3d42" : "#e3e5e8",
        mark: dark ? "#56B4E9" : "#0072B2",
        one: "#D55E00",
        none: dark ? "#9a9a9a" : "#6b7078",
        accent: dark ? "#E69F00" : "#B35900",
        brush: dark ? "rgba(230,159,0,0.16)" : "rgba(213,94,0,0.12)",
      };
      this.charts.style.setProperty("--chip", this.colours.line);
    }
    return this.colours;
  }

  update(data) {
    this.colours = null;
    this.data = data;
    this.columns = data.columns;
    const charts = JSON.stringify([data.url, data.charts, data.columns]);
    const moved = this.revision !== data.revision;
    this.revision = data.revision;
    if (moved) {
      this.filters = { ...data.filters };
      for (const name of Object.keys(this.options)) {
        this.options[name] = this.optionBoxes[name].checked = (data.options || []).includes(name);
      }
    }
    if (charts !== this.drawnCharts) {
      this.drawnCharts = charts;
      this.recent.clear();
      this.panels = data.charts.map((spec) => new Panel(this, spec));
      this.charts.replaceChildren(...this.panels.map((panel) => panel.figure));
      this.measure();
      this.refresh(true);
    } else if (moved) this.refresh(false);
    else this.draw();
  }

  spec(panel) {
    const { kind, statistic, column } = panel.spec;
    return { kind, axes: panel.axes, statistic, column: column || null };
  }

  async post(request, signal) {
    return ask(this.data.url, request, signal);
  }

  get preview() {
    return this.data.rows > this.data.preview;
  }

  // All tables afresh: after new charts, a release, a typed range.
  async refresh(first) {
    if (this.asking) this.asking.abort();
    const asking = new AbortController();
    this.asking = asking;
    this.busy = true;
    const start = performance.now(), charts = this.panels.map((panel) => this.spec(panel));
    this.working(first ? "Preparing the columns; the first time takes longest." : "");
    const watched = first ? this.watchProgress(asking.signal) : null;
    try {
      if (first && this.preview && !this.known) {
        await this.load(charts, true, asking.signal);
      } else {
        const head = await this.post({ charts: [], filters: this.filters }, asking.signal);
        this.counted(head.selected, head.rows, false);
      }
      this.releases.push(performance.now() - start);
      await this.load(charts, false, asking.signal);
      this.known = true;
      if (!this.none) this.tell("");
    } catch (error) {
      if (error.name !== "AbortError") this.tell(String(error.message || error));
    }
    clearInterval(watched);
    if (this.asking !== asking) return;
    this.busy = false;
    this.working("");
    if (this.known) this.warm();
  }

  async load(charts, sampled, signal) {
    const key = JSON.stringify(charts) + sampled;
    if (!this.ghosts.has(key)) {
      this.ghosts.clear();
      this.ghosts.set(key, await this.post({ charts, filters: {}, sampled }, signal));
    }
    const all = this.ghosts.get(key);
    const filtered = Object.keys(this.filters).length > 0;
    const now = filtered ? await this.post({ charts, filters: this.filters, sampled }, signal) : all;
    this.counted(now.selected, now.rows, sampled);
    this.sampledView = sampled;
    this.panels.forEach((panel, place) => {
      panel.rulers(all.charts[place].axes.map((axis) => ({ scale: axis.scale, edges: axis.fine })));
      panel.all = all.charts[place].arrays;
      panel.total = panel.wide ? now.selected : undefined;
      const own = panel.columns.some((c) => this.filters[c]);
      if (own) panel.total = undefined;
      panel.show(now.charts[place].arrays, now.charts[place].axes);
      panel.settle();
    });
    this.drawChips();
  }

  // Cubes for what is under the pointer, before it is dragged.
  prefetch(panel, wait = HOVER) {
    clearTimeout(this.hover);
    if (this.dragged) return;
    this.hover = setTimeout(() => this.activate(panel), wait);
  }

  activationKey(panel) {
    const others = Object.entries(this.filters).filter(([c]) => !panel.columns.includes(c)).sort();
    return JSON.stringify([panel.axes, others]);
  }

  async activate(panel, quiet = false) {
    const key = this.activationKey(panel);
    const known = this.recent.get(key);
    if (known) return known;
    const made = new Activation(panel.axes.length);
    this.recent.set(key, made);
    if (!quiet) panel.figure.classList.add("preparing");
    const start = performance.now();
    const passive = this.panels.filter((p) => !p.columns.every((c) => panel.columns.includes(c)));
    const filters = Object.fromEntries(Object.entries(this.filters).filter(([c]) => !panel.columns.includes(c)));
    const part = async (panels, sampled) => {
      const charts = panels.map((p) => this.spec(p));
      const head = await this.post({ charts, active: panel.axes, filters, sampled });
      made.take(head, panels.map((p) => p.spec.id));
      made.ready = true;
      if (this.dragged === panel) this.redrawDrag(panel);
    };
    const flat = passive.filter((p) => !p.wide), maps = passive.filter((p) => p.wide);
    try {
      for (const sampled of this.preview ? [true, false] : [false]) {
        await part(flat, sampled);
        panel.figure.classList.remove("preparing");
        if (maps.length) await part(maps, sampled);
        this.activations.push({ sampled, quiet, filtered: Object.keys(filters).length > 0, ms: performance.now() - start });
      }
    } catch (error) {
      this.recent.map.delete(key);
      this.tell(String(error.message || error));
    }
    panel.figure.classList.remove("preparing");
    return made;
  }

  // While nothing else is asked, cubes of charts that may be dragged first: the server keeps them.
  async warm() {
    const asking = this.asking;
    for (const panel of this.panels.slice(0, RECENT)) {
      if (this.asking !== asking || this.dragged || Object.keys(this.filters).length) return;
      await this.activate(panel, true);
    }
  }

  begin(panel) {
    clearTimeout(this.hover);
    this.dragged = panel;
    this.activate(panel);
  }

  dragTo(panel, bins) {
    this.bins = bins;
    panel.columns.forEach((column, k) => {
      const before = this.filters[column];
      const inverted = Boolean(before && before.inverted);
      this.filters[column] = plainFilter({ ...panel.rulersByAxis[k].filter(...bins[k]), inverted });
    });
    this.redrawDrag(panel);
  }

  redrawDrag(panel) {
    const made = this.recent.get(this.activationKey(panel));
    const inverted = panel.columns.some((c) => this.filters[c] && this.filters[c].inverted);
    if (made && made.ready && this.bins && !inverted) {
      const cells = made.cells(this.bins);
      this.counted(made.count(cells), made.rows, made.sampled, true);
      for (const other of this.panels) {
        const found = made.cubes.get(other.spec.id);
        if (!found || other === panel) continue;
        const tables = found.cube.range(cells);
        // The ghost counts all rows, a preview only those of the sample.
        if (found.sampled && !this.sampledView) scale(tables, this.data.rows / made.rows, other.statistic);
        other.show(tables, found.axes);
      }
    }
    panel.draw();
    for (const other of this.panels) {
      if (other !== panel && other.columns.some((c) => panel.columns.includes(c))) other.draw();
    }
  }

  release(panel) {
    this.dragged = null;
    this.bins = null;
    this.finish();
  }

  releaseSoon(panel) {
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.release(panel), KEYS_REST);
  }

  click(panel, at, kind) {
    this.dragged = null;
    const column = panel.columns[0];
    if (!panel.wide && panel.ruler.names) {
      this.toggle(column, Math.round(panel.ruler.edges[panel.ruler.bin(at[0])] + 0.5));
    } else if (kind === "new" && panel.columns.some((c) => this.filters[c])) {
      this.commit(Object.fromEntries(panel.columns.map((c) => [c, null])));
    }
  }

  toggle(column, value) {
    const before = this.filters[column];
    const values = new Set(before && before.values ? before.values : []);
    if (values.has(value)) values.delete(value);
    else values.add(value);
    const after = { values: [...values].sort((a, b) => a - b), inverted: Boolean(before && before.inverted) };
    this.commit({ [column]: values.size ? after : null });
  }

  invert(column) {
    const before = this.filters[column];
    this.commit({ [column]: { ...before, inverted: !before.inverted } });
  }

  clear() {
    this.commit(Object.fromEntries(Object.keys(this.filters).map((c) => [c, null])));
  }

  // Filters by column; null removes one.
  commit(changes) {
    for (const [column, filter] of Object.entries(changes)) {
      if (filter === null) delete this.filters[column];
      else this.filters[column] = plainFilter(filter);
    }
    this.dragged = null;
    this.finish();
  }

  finish() {
    this.drawChips();
    this.refresh(false);
    this.tellPage("filters", JSON.stringify(this.filters));
  }

  counted(selected, rows, sampled, moving) {
    this.selected = selected;
    this.of = rows;
    this.sampled = sampled;
    this.rows.setAttribute("aria-live", moving ? "off" : "polite");
    const text = this.rowsText();
    if (this.rows.textContent !== text) this.rows.textContent = text;
    this.badge.hidden = !sampled;
    this.badge.textContent = sampled ? `preview from ${grouped(rows)} of ${grouped(this.data.rows)} rows` : "";
  }

  rowsText() {
    const share = percent(this.selected, this.of);
    if (this.sampled) return `about ${share} of ${grouped(this.data.rows)} selected`;
    return `${grouped(this.selected)} of ${grouped(this.of)} selected (${share})`;
  }

  // A range in words, with its ends as they count.
  worded(column) {
    // By name: titles are sentences.
    const filter = this.filters[column], told = this.columns[column] || {};
    const unit = told.unit && told.unit !== "1" ? ` ${told.unit}` : "";
    if (filter.values) {
      const names = filter.values.map((v) => (told.categories || {})[String(v)] ?? String(v));
      return `${column} ${filter.inverted ? "not " : ""}${names.join(" or ")}`;
    }
    const open = (v) => v === null || v === undefined;
    const parts = [];
    if (!open(filter.low)) parts.push(`≥ ${short(filter.low)}${unit}`);
    if (!open(filter.high)) parts.push(`${filter.closed === false ? "<" : "≤"} ${short(filter.high)}${unit}`);
    return `${column} ${filter.inverted ? "not (" : ""}${parts.join(" and ") || "any value"}${filter.inverted ? ")" : ""}`;
  }

  drawChips() {
    const chips = Object.keys(this.filters).sort().map((column) => {
      const told = (this.columns[column] || {}).title || column, inverted = Boolean(this.filters[column].inverted);
      return element("li", { title: told }, this.worded(column),
        element("button", { type: "button", "aria-pressed": String(inverted), "aria-label": `Invert filter ${told}`, title: "Invert", onclick: () => this.invert(column) }, "⇄"),
        element("button", { type: "button", "aria-label": `Remove filter ${told}`, title: "Remove", onclick: () => this.commit({ [column]: null }) }, "✕"));
    });
    this.chips.replaceChildren(...chips);
    this.reset.disabled = !chips.length;
    if (this.selected === 0 && chips.length) {
      this.tell(`No row passes: ${Object.keys(this.filters).sort().map((c) => this.worded(c)).join("; ")} have no common rows. Remove a filter, or reset all.`, true);
    } else if (this.none) this.tell("");
  }

  // Asking for a width makes the browser lay out the page, which no frame of a drag can afford.
  measure() {
    for (const panel of this.panels) panel.width = panel.canvas.clientWidth;
    this.draw();
  }

  draw() {
    this.colours = null;
    for (const panel of this.panels) panel.draw();
  }

  tell(text, none = false) {
    this.none = none;
    this.fault.textContent = text;
    this.fault.hidden = !text;
  }

  working(text) {
    this.state.textContent = text;
  }

  watchProgress(signal) {
    return setInterval(async () => {
      try {
        const [what, share] = (await (await fetch(this.data.url, { signal })).text()).split("\n");
        if (what && Number(share) < 1) this.working(`${what}: ${Math.round(100 * Number(share))} %`);
      } catch { /* the answer itself will tell */ }
    }, 400);
  }
}

// What a filter has by default is left out, as in links.
function plainFilter(filter) {
  const found = {};
  if (filter.values) found.values = filter.values;
  for (const end of ["low", "high"]) if (filter[end] !== null && filter[end] !== undefined) found[end] = filter[end];
  if (filter.closed === false) found.closed = false;
  if (filter.inverted) found.inverted = true;
  return found;
}

// A fraction keeps the number of its samples, which its interval depends on.
function scale(tables, by, kind) {
  for (const name of ["count", "sum", "valued", ...(kind === "labels" ? ["hits", "labelled"] : [])]) {
    if (tables[name]) for (let k = 0; k < tables[name].data.length; k += 1) tables[name].data[k] *= by;
  }
}

function luminance(colour) {
  const [r, g, b] = (colour.match(/[\d.]+/g) || [0, 0, 0]).map(Number);
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}

const mounted = new WeakMap();

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  let linked = mounted.get(parentElement);
  if (!linked) {
    const root = parentElement.querySelector(".limen-root");
    linked = new Linked(root, (name, text) => linked.send(name, text));
    mounted.set(parentElement, linked);
  }
  linked.send = setStateValue;
  linked.update(data);
}
