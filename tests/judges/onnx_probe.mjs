// The verdict of onnxruntime-node on models, from their probes alone.
// Arguments: files NAME.probe.json with NAME.onnx beside each. Output: JSON, for each file in order the largest
// difference and the share of rows (in a million) beyond the tolerance, by output.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ort from "onnxruntime-node";

const ARRAYS = { float32: Float32Array, float64: Float64Array };

function median(values) {
  const sizes = values.flat().map(Math.abs).sort((a, b) => a - b);
  const middle = sizes.length / 2;
  return (sizes[Math.ceil(middle) - 1] + sizes[Math.floor(middle)]) / 2;
}

// 1e-5 says nothing of a cross section of 1e-9 pb, so the absolute tolerance follows the size of a mean; and a std of
// mere rounding is nothing beside the mean.
function absolute(name, { mean, std }, tolerance) {
  if (name === "mean") return tolerance.absolute * Math.min(1, median(mean));
  if (name === "std") return tolerance.absolute * Math.min(1, Math.max(median(mean), median(std)));
  return tolerance.absolute;
}

function compare(name, stored, given, tolerance) {
  const expected = stored[name];
  const limit = absolute(name, stored, tolerance);
  const width = expected.flat().length / expected.length;
  if (given.length !== width * expected.length) throw new Error(`${name}: found ${given.length} values`);
  let largest = 0;
  const off = expected.filter((row, i) =>
    [row].flat().some((value, j) => {
      const apart = Math.abs(given[i * width + j] - value);
      largest = Math.max(largest, apart);
      return !(apart <= limit + tolerance.relative * Math.abs(value));
    }),
  );
  return { largest, ppm: (1e6 * off.length) / expected.length, allowed: tolerance.mismatched_ppm };
}

async function judge(file) {
  const probe = JSON.parse(readFileSync(file, "utf8"));
  const session = await ort.InferenceSession.create(join(dirname(file), `${probe.model}.onnx`));
  const values = ARRAYS[probe.dtype].from(probe.points.flat());
  const points = new ort.Tensor(probe.dtype, values, [probe.points.length, probe.inputs.length]);
  const answers = await session.run({ points });
  return Object.fromEntries(
    Object.keys(probe.outputs).map((name) => [
      name,
      compare(name, probe.outputs, answers[name].data, probe.tolerance),
    ]),
  );
}

const verdicts = [];
for (const file of process.argv.slice(2)) verdicts.push(await judge(file));
process.stdout.write(JSON.stringify(verdicts));
