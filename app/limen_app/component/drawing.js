// Drawing on canvas: histograms, maps, what is dragged. Colours of Okabe and Ito, cividis.

const CIVIDIS = [
  [0, 34, 78], [18, 53, 112], [59, 73, 108], [87, 93, 109], [112, 113, 115],
  [138, 134, 120], [165, 156, 116], [195, 179, 105], [225, 204, 85], [254, 232, 56],
];
const SPACE = { left: 50, right: 10, top: 8, bottom: 24 };
const BAR = 62;
const LEVELS = { 1: [1, 4], 2: [2.3, 6.18] };
const PERCENTS = ["68.27 %", "95.45 %"];
const DEEPEST = 12;

function cividis(share) {
  const place = Math.min(1, Math.max(0, share)) * (CIVIDIS.length - 1);
  const k = Math.min(CIVIDIS.length - 2, Math.floor(place)), part = place - k;
  return CIVIDIS[k].map((v, c) => Math.round(v + part * (CIVIDIS[k + 1][c] - v)));
}

const TONES = Array.from({ length: 256 }, (_, k) => `rgb(${cividis(k / 255).join(",")})`);

function tone256(share) {
  return TONES[Math.max(0, Math.min(255, Math.round(255 * share)))];
}

// A canvas as sharp as the screen, and the colours of the page.
function prepared(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = "11px sans-serif";
  return { pen, width, height };
}

function frame(size, wide) {
  return {
    x: SPACE.left,
    y: SPACE.top,
    w: Math.max(20, size.width - SPACE.left - (wide ? BAR : SPACE.right)),
    h: size.height - SPACE.top - SPACE.bottom,
  };
}

const TILES = new Map();

function hatch(pen, colour) {
  if (TILES.has(colour)) return pen.createPattern(TILES.get(colour), "repeat");
  const tile = document.createElement("canvas");
  tile.width = tile.height = 6;
  const dot = tile.getContext("2d");
  dot.strokeStyle = colour;
  dot.beginPath();
  dot.moveTo(0, 6);
  dot.lineTo(6, 0);
  dot.stroke();
  TILES.set(colour, tile);
  return pen.createPattern(tile, "repeat");
}

function axesAround(pen, box, theme, ruler, low, high, logarithmic, yRuler) {
  pen.strokeStyle = theme.line;
  pen.fillStyle = theme.text;
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(box.x, box.y);
  pen.lineTo(box.x, box.y + box.h);
  pen.lineTo(box.x + box.w, box.y + box.h);
  pen.stroke();
  pen.textBaseline = "top";
  const count = Math.max(2, Math.floor(box.w / (ruler.names ? 80 : 52)));
  const shown = ruler.ticks(count), letters = Math.max(8, Math.floor(box.w / shown.length / 6));
  for (const [share, text] of shown) {
    const x = box.x + share * box.w;
    pen.textAlign = share < 0.04 ? "left" : share > 0.96 ? "right" : "center";
    pen.fillRect(x, box.y + box.h, 1, 4);
    pen.fillText(text.slice(0, letters), x, box.y + box.h + 6);
  }
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  const marks = yRuler
    ? yRuler.ticks(Math.max(2, Math.floor(box.h / 40)))
    : (logarithmic ? logTicks(low, high, 4) : ticks(low, high, 4)).map((v) => [
      logarithmic ? Math.log(v / low) / Math.log(high / low) : (v - low) / (high - low), short(v),
    ]);
  for (const [share, text] of marks) {
    const y = box.y + box.h * (1 - share);
    if (y < box.y - 1) continue;
    pen.fillRect(box.x - 4, y, 4, 1);
    pen.fillText(text.slice(0, 9), box.x - 6, Math.min(box.y + box.h - 4, Math.max(box.y + 5, y)));
  }
}

// now and all: tables under the filters and without; options: {log, fit}.
function drawHistogram(canvas, width, chart, now, all, theme, options) {
  const size = prepared(canvas, width, 180), { pen } = size, box = frame(size, false);
  const { ruler, edges } = chart, n = edges.length - 1, kind = chart.statistic;
  const left = [], right = [];
  for (let k = 0; k < n; k += 1) {
    left.push(box.x + box.w * ruler.share(edges[k]));
    right.push(box.x + box.w * ruler.share(edges[k + 1]));
  }
  const value = (tables, k) => measured(kind, tables, k + 2);
  const samples = (tables, k) => !Number.isNaN(value(tables, k));
  const added = kind === "count" || kind === "labels" || kind === "weighted";
  const logarithmic = options.log && added;
  let low = 0, high = 1;
  if (kind === "best") high = DEEPEST;
  else if (STATISTICS[kind].figures) {
    [low, high] = extent(kind, options.fit ? now : all, 2, n + 2) || [0, 1];
    const room = 0.05 * (high - low) || 0.5;
    [low, high] = [low - room, high + room];
  } else if (added) {
    high = 0;
    const scale = options.fit ? now : all;
    for (let k = 0; k < n; k += 1) high = Math.max(high, value(scale, k) || 0);
    high = high > 0 ? high * 1.05 : 1;
    if (logarithmic) {
      low = kind === "weighted" ? high : 0.7;
      if (kind === "weighted") for (let k = 0; k < n; k += 1) if (value(all, k) > 0) low = Math.min(low, value(all, k));
      if (!(low < high)) low = high / 10;
    }
  }
  const up = (v) => {
    const share = logarithmic
      ? (v > 0 ? Math.log(v / low) / Math.log(high / low) : 0) : (v - low) / (high - low);
    return box.y + box.h * (1 - Math.min(1, Math.max(0, share)));
  };
  const floor = box.y + box.h, stripes = hatch(pen, theme.faint), striped = hatch(pen, "rgba(255,255,255,0.6)");
  for (let k = 0; k < n; k += 1) {
    const broad = Math.max(1, right[k] - left[k] - (right[k] - left[k] > 3 ? 0.6 : 0));
    pen.globalAlpha = 1;
    if (!samples(all, k)) {
      pen.fillStyle = stripes;
      pen.fillRect(left[k], floor - 7, broad, 7);
      continue;
    }
    // Of the chart that is filtered itself, what does not pass is pale: its own shape stays.
    const middle = (left[k] + right[k]) / 2, at = (middle - box.x) / box.w;
    const out = chart.span && (at < chart.span[0] || at > chart.span[1]) !== chart.inverted;
    if (out) pen.globalAlpha = 0.4;
    if (added) {
      pen.fillStyle = theme.ghost;
      pen.fillRect(left[k], up(value(all, k)), broad, floor - up(value(all, k)));
      if (!samples(now, k)) continue;
      if (kind === "labels") {
        let base = 0;
        const [hits, labelled, rows] = [now.hits, now.labelled, now.count].map((table) => table.data[k + 2]);
        for (const [top, colour] of [[hits, theme.one], [labelled, theme.mark], [rows, theme.none]]) {
          const from = base ? up(base) : floor;
          pen.fillStyle = colour;
          pen.fillRect(left[k], up(top), broad, from - up(top));
          if (colour === theme.one) {
            pen.fillStyle = striped;
            pen.fillRect(left[k], up(top), broad, from - up(top));
          }
          base = top;
        }
        continue;
      }
      pen.fillStyle = chart.chosen && !chart.chosen.has(Math.round(edges[k] + 0.5)) ? theme.ghost : theme.mark;
      pen.fillRect(left[k], up(value(now, k)), broad, floor - up(value(now, k)));
    } else if (kind !== "excluded") {
      pen.fillStyle = theme.ghost;
      pen.fillRect(left[k], up(value(all, k)) - 1, broad, 2);
      if (!samples(now, k)) continue;
      pen.fillStyle = theme.mark;
      pen.fillRect(left[k], up(value(now, k)) - 1.5, broad, 3);
    } else {
      const drawn = [[all, theme.ghost, 4], [now, theme.mark, 2]];
      for (const [tables, colour, thick] of drawn) {
        const found = wilson(tables.hits.data[k + 2], tables.labelled.data[k + 2]);
        if (!found) continue;
        pen.fillStyle = colour;
        pen.fillRect(middle - thick / 2, up(found[2]), thick, Math.max(1, up(found[1]) - up(found[2])));
        pen.fillRect(left[k], up(found[0]) - 1, broad, 2);
      }
    }
  }
  pen.globalAlpha = 1;
  if (kind === "best") {
    LEVELS[1].forEach((level, place) => {
      pen.strokeStyle = theme.accent;
      pen.setLineDash(place ? [5, 4] : []);
      pen.beginPath();
      pen.moveTo(box.x, up(level));
      pen.lineTo(box.x + box.w, up(level));
      pen.stroke();
      pen.setLineDash([]);
      pen.fillStyle = theme.text;
      pen.textAlign = "right";
      pen.textBaseline = "bottom";
      pen.fillText(PERCENTS[place], box.x + box.w - 2, up(level) - 1);
    });
  }
  axesAround(pen, box, theme, ruler, low, high, logarithmic, null);
  return box;
}

function outlined(pen, inside, shape, placeX, placeY) {
  const [nx, ny] = shape, at = (x, y) => x >= 0 && y >= 0 && x < nx && y < ny && inside(x * ny + y);
  pen.beginPath();
  for (let x = 0; x <= nx; x += 1) {
    for (let y = 0; y <= ny; y += 1) {
      if (y < ny && at(x - 1, y) !== at(x, y)) {
        pen.moveTo(placeX[x], placeY[y]);
        pen.lineTo(placeX[x], placeY[y + 1]);
      }
      if (x < nx && at(x, y - 1) !== at(x, y)) {
        pen.moveTo(placeX[x], placeY[y]);
        pen.lineTo(placeX[x + 1], placeY[y]);
      }
    }
  }
  pen.stroke();
}

// The weights of the lightest cells in the regions of highest density.
function densest(data, shares) {
  const heavy = Array.from(data).filter((v) => v > 0).sort((a, b) => b - a);
  const total = heavy.reduce((a, b) => a + b, 0);
  return shares.map((share) => {
    let sum = 0;
    for (const v of heavy) {
      sum += v;
      if (sum >= share * total * (1 - 1e-12)) return v;
    }
    return Infinity;
  });
}

function drawMap(canvas, width, chart, now, all, theme, axes) {
  const size = prepared(canvas, width, 270), { pen } = size, box = frame(size, true);
  const kind = chart.statistic, shape = now.count.shape, [nx, ny] = shape;
  const placeX = axes[0].edges.map((e) => box.x + box.w * chart.ruler.share(e));
  const placeY = axes[1].edges.map((e) => box.y + box.h * (1 - chart.yRuler.share(e)));
  const data = Float64Array.from(now.count.data, (_, k) => measured(kind, now, k));
  const figures = STATISTICS[kind].figures;
  let low = 0, high = 0, least = Infinity, bestAt = -1;
  // The colours of another column's figures stay while ranges are dragged.
  if (figures) [low, high] = extent(kind, all || now, 0, (all || now).count.data.length) || [0, 1];
  else {
    for (let k = 0; k < data.length; k += 1) {
      if (data[k] > high) high = data[k];
      if (data[k] < least) [least, bestAt] = [data[k], k];
    }
  }
  const tone = (k) => {
    if (kind === "best") return 1 - data[k] / DEEPEST;
    if (kind === "excluded") return data[k];
    if (figures) return high > low ? (data[k] - low) / (high - low) : 0.5;
    return Math.log1p((99 * data[k]) / high) / Math.log(100);
  };
  const filled = (k) => !Number.isNaN(data[k]);
  pen.fillStyle = hatch(pen, theme.faint);
  pen.fillRect(box.x, box.y, box.w, box.h);
  const same = all && all.count.shape[0] === nx && all.count.shape[1] === ny ? all.count.data : null;
  for (let x = 0; x < nx; x += 1) {
    for (let y = 0; y < ny; y += 1) {
      const k = x * ny + y;
      if (!filled(k) && !(same && same[k])) continue;
      pen.fillStyle = filled(k) ? tone256(tone(k)) : theme.gone;
      pen.fillRect(placeX[x], placeY[y + 1], placeX[x + 1] - placeX[x] + 0.5, placeY[y] - placeY[y + 1] + 0.5);
    }
  }
  let limits = null;
  if (kind === "best") limits = LEVELS[2].map((level) => (k) => data[k] <= level);
  if (kind === "weighted") limits = densest(data, [0.6827, 0.9545]).map((l) => (k) => data[k] >= l && data[k] > 0);
  if (limits) {
    limits.forEach((inside, place) => {
      // Dashes begin anew at each bin.
      pen.setLineDash(place ? [2, 3] : []);
      for (const [colour, width] of [["#FFFFFF", 3.5], ["#000000", 1.5]]) {
        pen.strokeStyle = colour;
        pen.lineWidth = width;
        outlined(pen, inside, shape, placeX, placeY);
      }
    });
    pen.setLineDash([]);
    pen.lineWidth = 1;
  }
  if (kind === "best" && bestAt >= 0 && least < Infinity) {
    const x = Math.floor(bestAt / ny), y = bestAt % ny;
    star(pen, (placeX[x] + placeX[x + 1]) / 2, (placeY[y] + placeY[y + 1]) / 2);
  }
  axesAround(pen, box, theme, chart.ruler, 0, 1, false, chart.yRuler);
  colourBar(pen, box, theme, kind, low, high);
  return box;
}

function star(pen, x, y) {
  pen.beginPath();
  for (let k = 0; k < 10; k += 1) {
    const r = k % 2 ? 3 : 7, angle = (Math.PI * k) / 5 - Math.PI / 2;
    pen.lineTo(x + r * Math.cos(angle), y + r * Math.sin(angle));
  }
  pen.closePath();
  pen.fillStyle = "#D55E00";
  pen.strokeStyle = "#FFFFFF";
  pen.fill();
  pen.stroke();
}

function colourBar(pen, box, theme, kind, low, high) {
  const x = box.x + box.w + 10;
  for (let k = 0; k < box.h; k += 1) {
    pen.fillStyle = tone256(1 - k / box.h);
    pen.fillRect(x, box.y + k, 10, 1.5);
  }
  pen.fillStyle = theme.text;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  const marks = kind === "best" ? [[1, "0"], [0.5, "6"], [0, "≥ 12"]]
    : kind === "excluded" ? [[1, "1"], [0.5, "0.5"], [0, "0"]]
      : STATISTICS[kind].figures ? [[1, short(high)], [0.5, short((low + high) / 2)], [0, short(low)]]
      : [[1, short(high)], [0.5, short((high * (Math.sqrt(100) - 1)) / 99)], [0, "0"]];
  for (const [share, text] of marks) {
    pen.fillText(text, x + 13, Math.min(box.y + box.h - 5, Math.max(box.y + 6, box.y + box.h * (1 - share))));
  }
}

function drawBrush(canvas, box, spans, theme) {
  const pen = canvas.getContext("2d");
  const [x, y] = spans;
  if (!x && !y) return;
  const [left, right] = (x || [0, 1]).map((s) => box.x + s * box.w);
  const [bottom, top] = (y || [0, 1]).map((s) => box.y + box.h * (1 - s));
  pen.fillStyle = theme.brush;
  pen.fillRect(left, top, right - left, bottom - top);
  pen.strokeStyle = theme.accent;
  pen.lineWidth = 1.5;
  pen.strokeRect(left, top, right - left, bottom - top);
  pen.fillStyle = theme.accent;
  const middle = (top + bottom) / 2;
  if (x) for (const edge of [left, right]) pen.fillRect(edge - 2, middle - 9, 4, 18);
  if (y) for (const edge of [top, bottom]) pen.fillRect((left + right) / 2 - 9, edge - 2, 18, 4);
  pen.lineWidth = 1;
}
