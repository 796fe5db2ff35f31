// Writes what Nunjucks 3.2.4 makes of templates: one JSON request a line on stdin ({"template", "context"}),
// one JSON result a line on stdout ({"text"} or {"error"}). Used by record_templates.py and by the differential test.
// The package is found in the folder FLOWDSL_NUNJUCKS names, or in scripts/node_modules (npm ci).
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const folder = process.env.FLOWDSL_NUNJUCKS || join(here, 'node_modules', 'nunjucks');
if (!existsSync(join(folder, 'package.json'))) {
  console.error(`no nunjucks in ${folder}`);
  process.exit(2);
}
const require = createRequire(join(folder, 'package.json'));
const nunjucks = require(folder);
const environment = new nunjucks.Environment(null, { autoescape: false, throwOnUndefined: false });

for await (const line of createInterface({ input: process.stdin })) {
  const { template, context } = JSON.parse(line);
  let result;
  try {
    result = { text: environment.renderString(template, context) };
  } catch (error) {
    result = { error: String(error.message).split('\n').pop().trim() };
  }
  process.stdout.write(JSON.stringify(result) + '\n');
}
