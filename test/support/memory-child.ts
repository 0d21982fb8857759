// Opens a store with one mounted secret and one of the environment, reveals both, and looks for the values where others could.
// Prints where each was found, as JSON.
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { writeHeapSnapshot } from 'node:v8';
import { environment, mountedFiles, SecretStore } from 'hot-secrets';

const [mount] = process.argv.slice(2) as [string];
const store = await SecretStore.open({
  secrets: { mounted: 'mounted', variable: 'variable-secret' },
  sources: [mountedFiles(mount), environment()],
});
const heap = writeHeapSnapshot(join(tmpdir(), `hot-secrets-${process.pid}.heapsnapshot`));
const places: Record<string, string> = {
  heap: readFileSync(heap, 'utf8'),
  report: JSON.stringify(process.report.getReport()),
  console: inspect([store, store.get('mounted'), store.get('variable')], { depth: 9, showHidden: true }),
};
rmSync(heap);
if (process.platform === 'linux') {
  for (const file of ['environ', 'cmdline', 'maps'])
    places[file] = readFileSync(`/proc/self/${file}`, 'utf8');
}
const found = (name: 'mounted' | 'variable') =>
  Object.keys(places).filter((place) => places[place]?.includes(store.reveal(name)));
console.log(JSON.stringify({ mounted: found('mounted'), variable: found('variable') }));
await store.close();
