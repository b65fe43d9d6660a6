// One chart: its canvas, boxes for exact ranges, notes, and the table behind it.

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  // Text only: titles come from strangers.
  made.append(...children);
  return made;
}

class Panel {
  constructor(owner, spec) {
    this.owner = owner;
    this.spec = spec;
    this.axes = spec.axes;
    this.wide = spec.kind === "map";
    this.columns = this.axes.map((axis) => axis.column);
    this.statistic = spec.statistic;
    this.now = null;
    this.all = null;
    this.drawnAxes = null;
    this.ruler = null;
    this.yRuler = null;
    this.build();
  }

  titled(column) {
    const told = this.owner.columns[column];
    return told.unit && told.unit !== "1" ? `${told.title} [${told.unit}]` : told.title;
  }

  get title() {
    return this.axes.map((axis) => this.titled(axis.column)).reverse().join(" against ");
  }

  // Which axis is which, where there are two.
  get heading() {
    const [x, y] = this.axes.map((axis) => this.titled(axis.column));
    return y === undefined ? x : `↑ ${y} against → ${x}`;
  }

  build() {
    const { owner } = this;
    const said = STATISTICS[this.statistic].said(this.spec.told);
    const waiting = `${this.title}, not counted yet`;
    this.canvas = element("canvas", { tabindex: "0", role: "img", "aria-label": waiting });
    this.note = element("div", { class: "note" });
    this.legend = element("div", { class: "note" });
    this.fault = element("div", { class: "fault", role: "alert", hidden: "" });
    this.boxes = element("div", { class: "boxes" });
    this.inputs = {};
    this.shown = {};
    for (const column of this.columns) {
      const told = owner.columns[column];
      if (told.categories) this.addChoices(column, told);
      else {
        this.addBox(column, "low", `${told.title} from (≥)`);
        this.addBox(column, "high", `${told.title} to (≤)`);
      }
    }
    this.table = element("div", { tabindex: "0", role: "region", "aria-label": `Data of ${this.title}` });
    this.details = element("details", {}, element("summary", {}, "Show data"), this.table);
    this.details.addEventListener("toggle", () => this.fillTable());
    this.figure = element(
      "figure", { class: this.wide ? "map" : "histogram", "data-chart": this.spec.id },
      element("figcaption", {}, element("b", {}, this.heading), element("span", { class: "statistic" }, said)),
      this.canvas, this.legend, this.note, this.boxes, this.fault, this.details,
    );
    new Brush(this);
  }

  addBox(column, end, label) {
    const input = element("input", { type: "text", inputmode: "decimal", "aria-label": label, placeholder: "open" });
    const change = () => {
      const value = parsed(input.value);
      input.setAttribute("aria-invalid", String(value === undefined));
      if (value === undefined) {
        this.tell(`${label}: found “${input.value.slice(0, 40)}”, allowed a number or nothing for an open end`);
        return;
      }
      input.dataset.told = input.value;
      this.typed(column, end, value);
    };
    input.addEventListener("change", change);
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") change();
    });
    this.inputs[`${column} ${end}`] = input;
    const shown = end === "low" ? (this.wide ? `${column} from` : "from") : "to";
    this.boxes.append(element("label", {}, element("span", { "aria-hidden": "true" }, shown), input));
  }

  addChoices(column, told) {
    Object.entries(told.categories).slice(0, 75).forEach(([code, name]) => {
      const input = element("input", { type: "checkbox", "aria-label": `${told.title}: ${name}` });
      input.style.width = "auto";
      input.addEventListener("change", () => this.owner.toggle(column, Number(code)));
      this.inputs[`${column} ${code}`] = input;
      this.boxes.append(element("label", {}, input, name));
    });
  }

  typed(column, end, value) {
    const before = this.owner.filters[column] || {};
    const after = { low: before.low ?? null, high: before.high ?? null, closed: before.closed ?? true, inverted: before.inverted ?? false };
    if (after[end] === value) return;
    after[end] = value;
    if (end === "high") after.closed = true;
    if (after.low !== null && after.high !== null && after.low > after.high) {
      this.inputs[`${column} ${end}`].setAttribute("aria-invalid", "true");
      this.tell(`${this.owner.columns[column].title}: found ${after.low} to ${after.high}, allowed ends that ascend; exchange them`);
      return;
    }
    this.tell("");
    const open = after.low === null && after.high === null;
    this.owner.commit({ [column]: open ? null : after });
  }

  tell(text) {
    this.fault.textContent = text;
    this.fault.hidden = !text;
  }

  // Tables for all bins of the axes; `axes` as the server drew them.
  show(now, axes) {
    this.now = now;
    if (axes) this.drawnAxes = axes;
    this.draw();
  }

  rulers(fine) {
    const made = this.columns.map((column, k) => {
      const told = this.owner.columns[column].categories, { scale, edges } = fine[k];
      const codes = edges.slice(0, -1).map((edge) => String(Math.round(edge + 0.5)));
      return new Ruler(scale, edges, told && scale === "whole" ? codes.map((code) => told[code] ?? code) : null);
    });
    [this.ruler, this.yRuler] = [made[0], made[1] || null];
  }

  get rulersByAxis() {
    return this.yRuler ? [this.ruler, this.yRuler] : [this.ruler];
  }

  draw() {
    if (!this.now || !this.ruler || !this.width) return;
    const { owner } = this, filter = owner.filters[this.columns[0]];
    const chosen = filter && filter.values
      ? new Set(this.ruler.edges.slice(0, -1).map((e) => Math.round(e + 0.5)).filter((v) => filter.values.includes(v) !== Boolean(filter.inverted)))
      : null;
    const told = { ruler: this.ruler, yRuler: this.yRuler, statistic: this.statistic, edges: this.drawnAxes[0].edges, chosen };
    told.span = this.wide ? null : this.ruler.span(filter);
    told.inverted = Boolean(filter && filter.inverted);
    this.box = this.wide
      ? drawMap(this.canvas, this.width, told, this.now, this.all, owner.theme, this.drawnAxes)
      : drawHistogram(this.canvas, this.width, told, this.now, this.all || this.now, owner.theme, owner.options);
    const spans = this.rulersByAxis.map((ruler, k) => ruler.span(owner.filters[this.columns[k]]));
    drawBrush(this.canvas, this.box, spans, owner.theme);
  }

  // Words and boxes: after a release, not at every move.
  settle() {
    const { owner } = this;
    for (const column of this.columns) {
      const filter = owner.filters[column] || {}, now = JSON.stringify(filter);
      if (this.shown[column] === now) continue;
      this.shown[column] = now;
      this.tell("");
      if (owner.columns[column].categories) {
        for (const code of Object.keys(owner.columns[column].categories)) {
          const input = this.inputs[`${column} ${code}`];
          if (input) input.checked = Boolean(filter.values && filter.values.includes(Number(code)));
        }
        continue;
      }
      for (const end of ["low", "high"]) {
        const input = this.inputs[`${column} ${end}`];
        // What is being typed stays; an answer may come while the next number is typed.
        if (input.getRootNode().activeElement === input && input.value !== input.dataset.told) continue;
        input.value = input.dataset.told = exact(filter[end]);
        input.setAttribute("aria-invalid", "false");
      }
    }
    if (!this.now) return;
    this.note.textContent = this.outside();
    this.legend.textContent = this.said();
    const bins = this.drawnAxes.map((axis) => axis.edges.length - 1).join(" × ");
    const ranges = this.columns.map((c) => owner.filters[c] ? `filter ${owner.worded(c)}` : "no filter").join(", ");
    this.canvas.setAttribute(
      "aria-label",
      `${this.title}, ${this.wide ? "map" : "histogram"}, ${bins} bins, ${ranges}, ${owner.rowsText()}. `
      + "Arrow keys move the upper edge, with Shift the lower one; Escape clears.",
    );
    this.fillTable();
  }

  said() {
    const empty = "Hatched: no samples.";
    if (this.statistic === "best") {
      const values = LEVELS[this.wide ? 2 : 1].map((v, k) => `${PERCENTS[k]} (${v}) ${k ? "dashed" : "solid"}`);
      return `${values.join(", ")}, asymptotic; reference: best point of the whole scan. ${empty}`;
    }
    if (this.statistic === "weighted" && this.wide) {
      return `Highest-density regions: 68.27 % solid, 95.45 % dashed. ${empty}`;
    }
    if (this.statistic === "excluded") {
      return this.wide ? `Of the rows with a label. ${empty}` : `Bars: Wilson interval, 68.27 %. ${empty}`;
    }
    if (this.statistic === "labels") {
      const [zero, one] = this.spec.labels;
      return `From below: ${one} (orange, striped), ${zero} (blue), without a label (dark). Pale: without filters. ${empty}`;
    }
    if (STATISTICS[this.statistic].figures) return `Of finite values, of samples only. Grey: without filters. ${empty}`;
    return this.wide ? `Colours: logarithm of the rows. Grey: only rows that do not pass. ${empty}` : `Grey: without filters. ${empty}`;
  }

  outside() {
    const table = this.now.count, parts = [];
    if (!this.wide) {
      const n = table.data.length, labels = ["zero or negative, not on a logarithmic axis", "below the axis"];
      labels.forEach((label, k) => { if (table.data[k]) parts.push(`${grouped(table.data[k])} rows ${label}`); });
      if (table.data[n - 2]) parts.push(`${grouped(table.data[n - 2])} rows above the axis`);
      if (table.data[n - 1]) parts.push(`${grouped(table.data[n - 1])} rows not valid`);
    } else if (this.total !== undefined) {
      const inside = table.data.reduce((a, b) => a + b, 0);
      if (this.total > inside) parts.push(`${grouped(this.total - inside)} rows outside the axes or not valid`);
    }
    return parts.length ? `Not drawn: ${parts.join(", ")}.` : "";
  }

  fillTable() {
    if (!this.details.open || !this.now) return;
    const head = [...this.columns.map((c) => this.titled(c)), ...STATISTICS[this.statistic].head];
    const body = element("tbody", {});
    const [x, y] = this.drawnAxes.map((axis) => axis.edges);
    const shift = y ? 0 : 2, ny = y ? y.length - 1 : 1, most = 2000;
    let shown = 0;
    for (let k = 0; k < (x.length - 1) * ny && shown < most; k += 1) {
      const at = k + shift;
      if (y && !this.now.count.data[at]) continue;
      shown += 1;
      const i = Math.floor(k / ny), cells = [`${short(x[i])} to ${short(x[i + 1])}`];
      if (this.ruler.names) cells[0] = this.ruler.names[i];
      if (y) cells.push(`${short(y[k % ny])} to ${short(y[(k % ny) + 1])}`);
      body.append(element("tr", {}, ...[...cells, ...figuresOf(this.statistic, this.now, at)].map((text) => element("td", {}, text))));
    }
    const columns = element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)));
    this.table.replaceChildren(element("table", {}, element("thead", {}, columns), body));
  }
}

// Mouse, touch and keys on the canvas of a panel.
class Brush {
  constructor(panel) {
    this.panel = panel;
    this.drag = null;
    const { canvas } = panel;
    canvas.addEventListener("pointerenter", () => panel.owner.prefetch(panel));
    canvas.addEventListener("focus", () => panel.owner.prefetch(panel, 0));
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", () => this.up());
    canvas.addEventListener("pointercancel", () => this.up());
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  shares(event) {
    const { box, canvas } = this.panel, place = canvas.getBoundingClientRect();
    const clip = (v) => Math.min(1, Math.max(0, v));
    return [
      clip((event.clientX - place.left - box.x) / box.w),
      clip(1 - (event.clientY - place.top - box.y) / box.h),
    ].slice(0, this.panel.axes.length);
  }

  down(event) {
    const { panel } = this, { owner } = panel;
    if (event.button !== 0 || !panel.box || !panel.now) return;
    panel.canvas.setPointerCapture(event.pointerId);
    const at = this.shares(event);
    const spans = panel.rulersByAxis.map((ruler, k) => ruler.span(owner.filters[panel.columns[k]]));
    const near = 6 / panel.box.w;
    let kind = "new", edge = 0;
    if (spans.every(Boolean)) {
      if (at.length === 1 && Math.abs(at[0] - spans[0][0]) < near) [kind, edge] = ["edge", 1];
      else if (at.length === 1 && Math.abs(at[0] - spans[0][1]) < near) [kind, edge] = ["edge", 0];
      else if (at.every((s, k) => s >= spans[k][0] && s <= spans[k][1])) kind = "move";
    }
    const from = kind === "edge" ? [spans[0][edge ? 1 : 0]] : at;
    this.drag = { kind, at, from, spans, moved: false };
    owner.begin(panel);
  }

  move(event) {
    if (!this.drag) return;
    const start = performance.now(), { panel, drag } = this, at = this.shares(event);
    const far = at.some((s, k) => Math.abs(s - drag.at[k]) * (k ? panel.box.h : panel.box.w) > 3);
    if (!drag.moved && !far) return;
    drag.moved = true;
    const step = panel.yRuler ? this.steps() : [1];
    const bins = panel.rulersByAxis.map((ruler, k) => {
      let ends;
      if (drag.kind === "move") {
        const [low, high] = drag.spans[k], shift = Math.min(1 - high, Math.max(-low, at[k] - drag.at[k]));
        ends = [low + shift, high + shift];
      } else ends = [Math.min(drag.from[k], at[k]), Math.max(drag.from[k], at[k])];
      if (ruler.scale === "whole") return [ruler.bin(ends[0]), ruler.bin(ends[1]) + 1];
      let [first, end] = ends.map((s) => ruler.nearest(s));
      first = Math.floor(first / step[k]) * step[k];
      end = Math.min(ruler.n, Math.ceil(end / step[k]) * step[k]);
      return [first, Math.max(end, Math.min(ruler.n, first + step[k]))].map((v, e) => (e === 0 ? Math.min(v, ruler.n - 1) : v));
    });
    panel.owner.dragTo(panel, bins);
    panel.owner.frames.push(performance.now() - start);
  }

  // A rectangle moves in the steps of its cube.
  steps() {
    return this.panel.rulersByAxis.map((ruler) => Math.ceil(ruler.n / 32));
  }

  up() {
    if (!this.drag) return;
    const { panel, drag } = this;
    this.drag = null;
    if (drag.moved) panel.owner.release(panel);
    else panel.owner.click(panel, drag.at, drag.kind);
  }

  key(event) {
    const { panel } = this, { owner } = panel;
    if (event.key === "Escape") {
      owner.commit(Object.fromEntries(panel.columns.map((c) => [c, null])));
      event.preventDefault();
      return;
    }
    const axis = { ArrowLeft: 0, ArrowRight: 0, ArrowDown: 1, ArrowUp: 1 }[event.key];
    if (axis === undefined || !panel.ruler || (axis === 1 && !panel.yRuler)) return;
    event.preventDefault();
    const step = panel.yRuler ? this.steps() : [event.ctrlKey ? 10 : 1];
    const sign = event.key === "ArrowRight" || event.key === "ArrowUp" ? 1 : -1;
    const bins = panel.rulersByAxis.map((ruler, k) => ruler.bins(owner.filters[panel.columns[k]]));
    const n = panel.rulersByAxis[axis].n, [first, end] = bins[axis], by = sign * step[axis];
    if (event.shiftKey) bins[axis] = [Math.min(end - 1, Math.max(0, first + by)), end];
    else bins[axis] = [first, Math.max(first + 1, Math.min(n, end + by))];
    owner.begin(panel);
    owner.dragTo(panel, bins);
    owner.releaseSoon(panel);
  }
}
