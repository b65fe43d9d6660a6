// Tables from the server, and cubes: a dragged range is a difference of two sums.

const TYPES = {
  u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, f4: Float32Array, f8: Float64Array,
};

function unpack(buffer) {
  const view = new DataView(buffer);
  const length = view.getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const start = 4 + length;
  const arrays = (named) => {
    const found = {};
    for (const [name, array] of Object.entries(named)) {
      const size = array.shape.reduce((a, b) => a * b, 1);
      found[name] = {
        shape: array.shape,
        data: new TYPES[array.type](buffer, start + array.offset, size),
      };
    }
    return found;
  };
  for (const chart of head.charts) chart.arrays = arrays(chart.arrays);
  if (head.total) head.total = arrays(head.total);
  return head;
}

async function ask(url, request, signal) {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(request),
    signal,
  });
  if (!answer.ok) {
    let told = "the server gave no answer; try again";
    try { told = (await answer.json()).detail; } catch { /* the status says it */ }
    throw new Error(told);
  }
  return unpack(await answer.arrayBuffer());
}

// Sums from the first active cell on: one number more along each active axis.
function summed(array, cells, active) {
  if (active.length === 1) {
    const n = active[0], out = new Float64Array(cells * (n + 1));
    for (let c = 0; c < cells; c += 1) {
      let sum = 0;
      for (let a = 0; a < n; a += 1) {
        sum += array[c * n + a];
        out[c * (n + 1) + a + 1] = sum;
      }
    }
    return out;
  }
  const [nx, ny] = active, width = ny + 1, size = (nx + 1) * width;
  const out = new Float64Array(cells * size);
  for (let c = 0; c < cells; c += 1) {
    for (let x = 0; x < nx; x += 1) {
      let row = 0;
      for (let y = 0; y < ny; y += 1) {
        row += array[(c * nx + x) * ny + y];
        out[c * size + (x + 1) * width + y + 1] = out[c * size + x * width + y + 1] + row;
      }
    }
  }
  return out;
}

// The tables of one chart by active cell; `range` gives its table for a range of those.
class Cube {
  constructor(arrays, active, passiveShape) {
    this.active = active;
    this.shape = passiveShape;
    this.cells = passiveShape.reduce((a, b) => a * b, 1);
    this.parts = {};
    for (const [name, array] of Object.entries(arrays)) {
      // Of extremes, the sign that makes the wanted one the least.
      const sign = { best: 1, least: 1, largest: -1 }[name] || 0;
      this.parts[name] = {
        sign,
        data: sign ? array.data : summed(array.data, this.cells, active),
        out: new Float64Array(this.cells),
      };
    }
  }

  // box: [first, end) along each active axis.
  range(box) {
    const found = {};
    for (const [name, part] of Object.entries(this.parts)) {
      if (part.sign) this.extreme(part, box);
      else this.difference(part, box);
      found[name] = { shape: this.shape, data: part.out };
    }
    return found;
  }

  difference(part, box) {
    const { data, out } = part;
    if (box.length === 1) {
      const width = this.active[0] + 1, [first, end] = box[0];
      for (let c = 0; c < this.cells; c += 1) out[c] = data[c * width + end] - data[c * width + first];
      return;
    }
    const width = this.active[1] + 1, size = (this.active[0] + 1) * width;
    const [x0, x1] = box[0], [y0, y1] = box[1];
    for (let c = 0; c < this.cells; c += 1) {
      const at = c * size;
      out[c] = data[at + x1 * width + y1] - data[at + x0 * width + y1]
        - data[at + x1 * width + y0] + data[at + x0 * width + y0];
    }
  }

  extreme(part, box) {
    const { data, out, sign } = part;
    const wide = box.length === 2;
    const ny = wide ? this.active[1] : 1, size = this.active[0] * ny;
    const [y0, y1] = wide ? box[1] : [0, 1];
    for (let c = 0; c < this.cells; c += 1) {
      let best = Infinity;
      for (let x = box[0][0]; x < box[0][1]; x += 1) {
        for (let y = y0; y < y1; y += 1) {
          const value = sign * data[c * size + x * ny + y];
          if (value < best) best = value;
        }
      }
      out[c] = sign * best;
    }
  }
}

// What an activation brings: a cube for each chart that does not show the active columns.
class Activation {
  constructor(dims) {
    this.dims = dims;
    this.cubes = new Map();
    this.sampled = false;
    this.rows = 0;
  }

  take(head, ids) {
    this.sampled = head.sampled;
    this.rows = head.rows;
    this.edges = head.active.map((axis) => axis.edges);
    this.factors = head.active.map((axis) => axis.factor);
    const shape = head.total.count.shape;
    // One active column comes with the codes that are no bin: two before, two after.
    this.before = this.dims === 1 ? 2 : 0;
    this.total = new Cube(head.total, shape, []);
    head.charts.forEach((chart, place) => {
      const whole = Object.values(chart.arrays)[0].shape;
      const passive = whole.slice(0, whole.length - this.dims);
      this.cubes.set(ids[place], {
        cube: new Cube(chart.arrays, shape, passive),
        axes: chart.axes,
        sampled: head.sampled,
      });
    });
  }

  // From bins [first, end) of the fine binning to cells of the cube.
  cells(box) {
    return box.map(([first, end], axis) => [
      this.before + Math.floor(first / this.factors[axis]),
      this.before + Math.ceil(end / this.factors[axis]),
    ]);
  }

  count(cells) {
    return this.total.range(cells).count.data[0];
  }
}

// The last few activations, so that a chart that was left is ready again.
class Recent {
  constructor(most) {
    this.most = most;
    this.map = new Map();
  }

  get(key) {
    const found = this.map.get(key);
    if (found) {
      this.map.delete(key);
      this.map.set(key, found);
    }
    return found;
  }

  set(key, value) {
    this.map.delete(key);
    this.map.set(key, value);
    while (this.map.size > this.most) this.map.delete(this.map.keys().next().value);
  }

  clear() {
    this.map.clear();
  }
}
