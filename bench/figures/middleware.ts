import { type Framework, startFrameworkApps, type Variant } from '../support/framework-apps';
import { pinApart } from '../support/pin';
import { processorMs } from '../support/processor-time';
import { openLoad, type RequestLoad } from '../support/request-load';
import { atMost, type FigureOptions, type FigureResult, type Size } from '../support/result';
import { alternate, median, medianRatio, timed } from '../support/statistics';

// The compiler optimises the same code slightly differently in each process.
const PROCESSES = { full: 6, short: 3 };
const ROUNDS_PER_PROCESS = { full: 100, short: 50 };
// A round takes a few milliseconds, so both sides of a ratio run within moments of each other.
const REQUESTS_PER_ROUND = { express: 64, fastify: 256 };
const WARM_UP_REQUESTS = 6000;
/** Corresponds to at least 0.97 times the requests per second. */
const TARGET = 1.031;

/**
 * The processor time of a request to an application with secrets, against the same application without them. It limits the
 * requests per second; the time that passes also depends on what else the machine does.
 */
export async function middleware({ size }: FigureOptions): Promise<FigureResult> {
  const measured = {
    'Express, a secret read': await compare('express', 'with', '/secret', size),
    'Express, none read': await compare('express', 'with', '/nothing', size),
    'Fastify, a secret read': await compare('fastify', 'with', '/secret', size),
    'Fastify, none read': await compare('fastify', 'with', '/nothing', size),
  };
  const controls: Record<string, Comparison> = {
    'control, Express without against itself': await compare('express', 'without', '/secret', size),
  };
  const others: Record<string, Comparison> = {};
  if (size === 'full') {
    controls['control, Fastify without against itself'] = await compare(
      'fastify',
      'without',
      '/secret',
      size,
    );
    others['Express with secretsMiddleware, a secret read'] = await compare(
      'express',
      'middleware',
      '/secret',
      size,
    );
    others['Express with secretsMiddleware, none read'] = await compare(
      'express',
      'middleware',
      '/nothing',
      size,
    );
    others['Express with a middleware that does nothing'] = await compare('express', 'idle', '/secret', size);
  }
  return {
    checks: Object.entries(measured).map(([name, { processor }]) =>
      atMost(TARGET, `${name}: processor time per request, with / without secrets, median ratio`, processor),
    ),
    details: {
      ...details(others, (name, found) => ({ [name]: found.processor })),
      ...details(measured, (name, found) => ({
        [`${name}: requests per second with secrets`]: found.perSecond,
        [`${name}: requests per second without secrets`]: found.withoutPerSecond,
        [`${name}: ratio by elapsed time`]: found.passed,
      })),
      ...details(controls, (name, found) => ({
        [name]: found.processor,
        [`${name}, by elapsed time`]: found.passed,
        [`${name}: share of time that the processor was busy`]: found.busy,
      })),
      'each process pinned to its own core (1: yes)': Number(measured['Fastify, none read'].pinned),
    },
  };
}

/** Median ratios of an application to the same one without secrets, and medians of both. */
interface Comparison {
  readonly processor: number;
  readonly passed: number;
  readonly perSecond: number;
  readonly withoutPerSecond: number;
  /** The share of time that the processor was busy. Near 1, the server limits the rate of requests. */
  readonly busy: number;
  readonly pinned: boolean;
}

async function compare(framework: Framework, other: Variant, path: string, size: Size): Promise<Comparison> {
  const requests = REQUESTS_PER_ROUND[framework];
  const used = { other: [] as number[], without: [] as number[] };
  const passed = { other: [] as number[], without: [] as number[] };
  let pinned = false;
  for (let started = 0; started < PROCESSES[size]; started += 1) {
    await using apps = await startFrameworkApps(framework, other);
    pinned = pinApart(process.pid, apps.pid);
    using otherLoad = await openLoad(apps.other, path);
    using withoutLoad = await openLoad(apps.without, path);
    const send = (load: RequestLoad, times: number[]) => async () => {
      const before = await processorMs(apps.pid);
      times.push(await timed(() => load.send(requests)));
      return (await processorMs(apps.pid)) - before;
    };
    await alternate(WARM_UP_REQUESTS / requests, {
      other: send(otherLoad, []),
      without: send(withoutLoad, []),
    });
    const found = await alternate(ROUNDS_PER_PROCESS[size], {
      other: send(otherLoad, passed.other),
      without: send(withoutLoad, passed.without),
    });
    used.other.push(...found.other);
    used.without.push(...found.without);
  }
  return {
    processor: medianRatio(used.other, used.without),
    passed: medianRatio(passed.other, passed.without),
    perSecond: (requests * 1000) / median(passed.other),
    withoutPerSecond: (requests * 1000) / median(passed.without),
    busy: medianRatio(used.without, passed.without),
    pinned,
  };
}

/** Merges the details of all comparisons. */
function details(
  all: Readonly<Record<string, Comparison>>,
  of: (name: string, found: Comparison) => Record<string, number>,
): Record<string, number> {
  return Object.assign({}, ...Object.entries(all).map(([name, found]) => of(name, found)));
}
