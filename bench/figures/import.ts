import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { atMost, type FigureOptions, type FigureResult } from '../support/result';
import { alternate, median, medianRatio } from '../support/statistics';

const ROUNDS = { full: 31, short: 15 };
const WARM_UP_ROUNDS = 2;
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A fresh process that imports the package, next to one that imports its two dependencies. Nothing is subtracted. */
export async function importCost({ size }: FigureOptions): Promise<FigureResult> {
  const within: Record<string, number[]> = { dependencies: [], package: [] };
  const fresh = (name: string, ...modules: string[]) => {
    const imports = modules.map((module) => `await import(${JSON.stringify(module)});`).join('');
    const code = `const start = performance.now();${imports}console.log(performance.now() - start)`;
    return () => {
      const start = performance.now();
      const output = execFileSync(process.execPath, ['--input-type=module', '-e', code], { cwd: ROOT });
      const time = performance.now() - start;
      within[name]?.push(Number(output));
      return time;
    };
  };
  const sides = {
    node: fresh('node'),
    dependencies: fresh('dependencies', 'chokidar', 'eventemitter3'),
    package: fresh('package', new URL('../../dist/index.js', import.meta.url).href),
  };
  await alternate(WARM_UP_ROUNDS, sides);
  const times = await alternate(ROUNDS[size], sides);

  return {
    checks: [
      atMost(
        1.5,
        'import hot-secrets, against chokidar and eventemitter3, whole process, median ratio',
        medianRatio(times.package, times.dependencies),
      ),
    ],
    details: {
      'process that imports hot-secrets ms': median(times.package),
      'process that imports both dependencies ms': median(times.dependencies),
      'bare node ms': median(times.node),
      'the import of hot-secrets alone ms': median(within.package as number[]),
      'the imports of both dependencies alone ms': median(within.dependencies as number[]),
    },
  };
}
