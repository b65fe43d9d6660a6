// The verdict of ajv on the files named on standard input.
// Argument: the folder of the schemas. Input: JSON, a list of [kind, file]. Output: JSON, for each file in order the
// list of its faults ("pointer: message"), empty for a valid file.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";

const folder = process.argv[2];
const read = (path) => JSON.parse(readFileSync(path, "utf8"));

// Strict: an unknown keyword or format is an error, so nothing in a schema is passed over. What is off is ajv's taste,
// not JSON Schema: that a `type` stands beside every keyword, and every required name beside its property.
const ajv = new Ajv2020({ allErrors: true, strict: true, strictTypes: false, strictRequired: false });
for (const name of readdirSync(folder).filter((name) => name.endsWith(".schema.json"))) {
  ajv.addSchema(read(join(folder, name)));
}

function faults(kind, path) {
  let document;
  try {
    document = read(path);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return [`: not JSON: ${error.message}`];
  }
  const validate = ajv.getSchema(`urn:limen:schema:1.0:${kind}`);
  validate(document);
  return (validate.errors ?? []).map((fault) => `${pointer(fault)}: ${fault.message}`);
}

// A missing or unknown name is a fault of the place where it would be.
function pointer({ instancePath, params, propertyName }) {
  const name = params.missingProperty ?? params.additionalProperty ?? params.propertyName ?? propertyName;
  return name === undefined ? instancePath : `${instancePath}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

const files = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(files.map(([kind, path]) => faults(kind, path))));
