// What the bins of a chart show, by its statistic: numbers, words, and columns of the table.

const STATISTICS = {
  count: { said: () => "rows per bin: shows how points were sampled, no likelihood", head: ["rows"] },
  labels: { said: () => "rows per bin, split by a label: shows how points were sampled", head: ["rows", "label 1", "label 0", "without a label"] },
  weighted: { said: () => "sum of the declared weights (posterior)", head: ["rows", "sum of weights"] },
  best: { said: () => "best sampled −2Δ ln L: bounds the profile likelihood from one side only", head: ["rows", "best −2Δ ln L"] },
  excluded: { said: (told) => `fraction ${told}`, head: ["labelled", "of these 1", "fraction", "68.27 % low", "high"] },
  mean: { said: (told) => `mean of ${told}`, head: ["rows", "with a value", "mean"], figures: true },
  least: { said: (told) => `least ${told} of the samples`, head: ["rows", "least"], figures: true },
  largest: { said: (told) => `largest ${told} of the samples`, head: ["rows", "largest"], figures: true },
};

// The number of a bin; NaN where there are no samples.
function measured(kind, tables, k) {
  if (kind === "excluded") return tables.labelled.data[k] ? tables.hits.data[k] / tables.labelled.data[k] : NaN;
  if (kind === "mean") return tables.valued.data[k] ? tables.sum.data[k] / tables.valued.data[k] : NaN;
  if (kind === "best" || kind === "least" || kind === "largest") {
    const value = tables[kind].data[k];
    return Number.isFinite(value) ? value : NaN;
  }
  if (!tables.count.data[k]) return NaN;
  return kind === "weighted" ? tables.sum.data[k] : tables.count.data[k];
}

// Least and largest number of the bins [first, end); null without samples.
function extent(kind, tables, first, end) {
  let low = Infinity, high = -Infinity;
  for (let k = first; k < end; k += 1) {
    const value = measured(kind, tables, k);
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : null;
}

// What the table behind a chart says of a bin, after its ranges.
function figuresOf(kind, tables, k) {
  const rows = tables.count.data[k], value = measured(kind, tables, k);
  if (kind === "count") return [grouped(rows)];
  if (kind === "labels") {
    const [hits, labelled] = [tables.hits.data[k], tables.labelled.data[k]];
    return [rows, hits, labelled - hits, rows - labelled].map(grouped);
  }
  if (kind === "excluded") {
    const found = wilson(tables.hits.data[k], tables.labelled.data[k]);
    if (!found) return ["0", "", "no samples", "", ""];
    return [grouped(tables.labelled.data[k]), grouped(tables.hits.data[k]), ...found.map(short)];
  }
  const shown = Number.isNaN(value) ? "no samples" : short(value);
  return kind === "mean" ? [grouped(rows), grouped(tables.valued.data[k]), shown] : [grouped(rows), shown];
}
