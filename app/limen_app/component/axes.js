// From values to places along an axis and back, by the fine edges of its bins.

class Ruler {
  constructor(scale, edges, names) {
    this.scale = scale;
    this.edges = edges;
    this.n = edges.length - 1;
    this.names = names;
    // As the server chose it, from the ends of the axis.
    this.unit = 1e-3 * Math.max(Math.abs(edges[0]), Math.abs(edges[this.n]));
    this.low = this.place(edges[0]);
    this.high = this.place(edges[this.n]);
    this.even = scale === "quantile";
  }

  place(value) {
    if (this.scale === "log") return Math.log(value);
    if (this.scale === "symlog") return Math.sign(value) * Math.log1p(Math.abs(value) / this.unit);
    return value;
  }

  // Share of the way along the axis of an edge, 0 to 1.
  at(index) {
    return this.even ? index / this.n : this.share(this.edges[index]);
  }

  share(value) {
    if (this.even) {
      let k = 0;
      while (k < this.n - 1 && value >= this.edges[k + 1]) k += 1;
      const inside = (value - this.edges[k]) / (this.edges[k + 1] - this.edges[k]);
      return (k + Math.min(1, Math.max(0, inside))) / this.n;
    }
    if (this.scale === "log" && !(value > 0)) return -1;
    return (this.place(value) - this.low) / (this.high - this.low);
  }

  // The edge nearest to a share of the way.
  nearest(share) {
    let first = 0, last = this.n;
    while (last - first > 1) {
      const middle = (first + last) >> 1;
      if (this.at(middle) <= share) first = middle;
      else last = middle;
    }
    return share - this.at(first) <= this.at(last) - share ? first : last;
  }

  // The bin at a share of the way.
  bin(share) {
    for (let k = 0; k < this.n; k += 1) if (share < this.at(k + 1)) return k;
    return this.n - 1;
  }

  // Bins [first, end) as a filter.
  filter(first, end) {
    if (this.names) {
      const values = [];
      for (let k = first; k < end; k += 1) values.push(Math.round(this.edges[k] + 0.5));
      return { values };
    }
    if (this.scale === "whole") {
      return { low: Math.round(this.edges[first] + 0.5), high: Math.round(this.edges[end] - 0.5), closed: true };
    }
    return { low: this.edges[first], high: this.edges[end], closed: end === this.n };
  }

  // Shares [from, to] of a filter, for its rectangle; null if nothing of it is on the axis.
  span(filter) {
    if (!filter) return null;
    if (filter.values) return null;
    const half = this.scale === "whole" ? 0.5 : 0;
    const from = filter.low === null || filter.low === undefined ? 0 : this.share(filter.low - half);
    const to = filter.high === null || filter.high === undefined ? 1 : this.share(filter.high + half);
    if (to < 0 || from > 1) return null;
    return [Math.max(0, from), Math.min(1, to)];
  }

  // Bins [first, end) that come nearest to a filter, where the keyboard goes on from.
  bins(filter) {
    if (filter && filter.values && filter.values.length) {
      const places = filter.values.map((v) => Math.round(v - 0.5 - this.edges[0]));
      return [Math.max(0, Math.min(...places)), Math.min(this.n, Math.max(...places) + 1)];
    }
    const span = this.span(filter);
    return span ? [this.nearest(span[0]), this.nearest(span[1])] : [0, this.n];
  }

  ticks(count) {
    if (this.names) {
      const step = Math.ceil(this.n / Math.max(1, count));
      return this.names.map((name, k) => [(k + 0.5) / this.n, name]).filter((_, k) => k % step === 0);
    }
    if (this.even) {
      const step = Math.max(1, Math.round(this.n / count));
      const found = [];
      for (let k = 0; k <= this.n; k += step) found.push([k / this.n, short(this.edges[k])]);
      return found;
    }
    const [low, high] = [this.edges[0], this.edges[this.n]];
    const made = { log: logTicks, symlog: symlogTicks }[this.scale] || ticks;
    const values = made(low, high, count, this.unit);
    const whole = this.scale === "whole" ? values.filter((v) => Number.isInteger(v)) : values;
    return whole.map((v) => [this.share(v), short(v)]).filter(([s]) => s >= -1e-9 && s <= 1 + 1e-9);
  }
}
