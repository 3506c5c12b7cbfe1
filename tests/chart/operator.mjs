// ServiceMonitors and PodMonitors by the Prometheus Operator's own schema: operator.mjs MODULE < manifests as a JSON list. MODULE is the
// folder of @kubernetes-models/prometheus-operator. Called by check.py.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const folder = join(process.argv[2], 'monitoring.coreos.com/v1');
const load = createRequire(import.meta.url);

// The schema lets through keys that it does not know, as the API server does, which drops them; the types name those that there are.
function unknownKeys(type, object) {
  const types = readFileSync(join(folder, `${type}.d.ts`), 'utf8');
  const known = new Set([...types.matchAll(/^ +"(\w+)"\??:/gm)].map((match) => match[1]));
  if (!known.has('path')) throw new Error(`the types of ${type} cannot be read`);
  return Object.keys(object).filter((key) => !known.has(key));
}

let wrong = 0;
for (const one of JSON.parse(readFileSync(0, 'utf8'))) {
  const [list, type] = { ServiceMonitor: ['endpoints', 'Endpoint'], PodMonitor: ['podMetricsEndpoints', 'PodMetricsEndpoint'] }[one.kind];
  try {
    const Model = load(join(folder, `${one.kind}.js`))[one.kind];
    new Model(one).validate();
    const unknown = one.spec[list].flatMap((endpoint) => unknownKeys(type, endpoint));
    if (unknown.length) throw new Error(`${list}: unknown ${unknown.join(', ')}`);
  } catch (error) {
    wrong += 1;
    console.log(`${one.kind}: ${error.message}`);
  }
}
process.exit(wrong ? 1 : 0);
