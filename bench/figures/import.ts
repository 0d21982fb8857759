import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { atMost, type FigureOptions, type FigureResult } from '../support/result';
import { alternate, median } from '../support/statistics';

const ROUNDS = { full: 61, short: 31 };
const WARM_UP_ROUNDS = 2;
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/**
 * A fresh process that imports the main entry, next to one that imports chokidar and eventemitter3. Each notes what it has
 * used before the imports, which is what an empty process costs, and subtracts it. In processor time: what else runs on the
 * machine stretches the time that passes several times over.
 */
export async function importCost({ size }: FigureOptions): Promise<FigureResult> {
  const passed: Record<string, number[]> = { dependencies: [], package: [] };
  const fresh = (name: string, ...modules: string[]) => {
    const imports = modules.map((module) => `await import(${JSON.stringify(module)});`).join('');
    const code = `const start = performance.now(); const empty = process.cpuUsage();
      ${imports}
      const { user, system } = process.cpuUsage(empty);
      console.log(JSON.stringify([(user + system) / 1000, performance.now() - start]));`;
    return () => {
      const output = execFileSync(process.execPath, ['--input-type=module', '-e', code], { cwd: ROOT });
      const [processorMs, passedMs] = JSON.parse(output.toString()) as [number, number];
      passed[name]?.push(passedMs);
      return processorMs;
    };
  };
  const sides = {
    // What a watcher of files is usually made of.
    dependencies: fresh('dependencies', 'chokidar', 'eventemitter3'),
    package: fresh('package', new URL('../../dist/index.js', import.meta.url).href),
  };
  await alternate(WARM_UP_ROUNDS, sides);
  for (const times of Object.values(passed)) times.length = 0;
  const times = await alternate(ROUNDS[size], sides);

  return {
    checks: [
      atMost(
        1.1,
        'import hot-secrets, against chokidar and eventemitter3, processor time less an empty process, medians',
        median(times.package) / median(times.dependencies),
      ),
    ],
    details: {
      'importing hot-secrets, processor ms': median(times.package),
      'importing chokidar and eventemitter3, processor ms': median(times.dependencies),
      'importing hot-secrets, ms that pass': median(passed.package as number[]),
      'importing chokidar and eventemitter3, ms that pass': median(passed.dependencies as number[]),
    },
  };
}
