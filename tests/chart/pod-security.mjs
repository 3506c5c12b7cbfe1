// The Pod Security Standards' rules that manifests break, one `rule path` a line: pod-security.mjs MODULE RULE... < manifests as a JSON list.
// MODULE is the folder of @monokle/validation. Called by check.py, which names the rules and knows which may be broken and why.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const { createDefaultMonokleValidator } = await import(pathToFileURL(join(process.argv[2], 'lib/node.js')));

const resources = JSON.parse(readFileSync(0, 'utf8')).map((content, index) => ({
  id: String(index),
  name: content.metadata.name,
  namespace: content.metadata.namespace,
  kind: content.kind,
  apiVersion: content.apiVersion,
  fileId: 'manifests',
  filePath: 'manifests.yaml',
  fileOffset: 0,
  text: JSON.stringify(content, null, 2),
  content,
}));

const validator = createDefaultMonokleValidator();
// All rules of the plugin, the strict ones too: some are off by default.
const rules = Object.fromEntries(process.argv.slice(3).map((rule) => [`pod-security-standards/${rule}`, 'err']));
await validator.preload({ plugins: { 'pod-security-standards': true }, rules });
const answer = await validator.validate({ resources });
const run = answer.runs[0];
if (!run.tool.extensions.some((extension) => extension.name === 'pod-security-standards')) {
  throw new Error('the plugin pod-security-standards is not loaded');
}
const known = new Set(run.tool.extensions.flatMap((extension) => extension.rules.map((rule) => rule.name)));
for (const rule of process.argv.slice(3)) {
  if (!known.has(rule)) throw new Error(`there is no rule ${rule}: ${[...known].join(' ')}`);
}
const names = new Map(run.tool.extensions.flatMap((extension) => extension.rules.map((rule) => [rule.id, rule.name])));
for (const result of run.results) {
  const place = result.locations?.at(-1)?.logicalLocations?.at(-1)?.fullyQualifiedName ?? '';
  console.log(`${names.get(result.ruleId)} ${place}`);
}
