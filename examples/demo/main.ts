// npm run demo -- [database | mysql | nats | redis | tls] [--short] [--json]
import { parseArgs } from 'node:util';
import type { Demo } from './demo';
import { startProgress } from './progress';

// Loaded on demand, because not every demo needs every server.
const demos: Readonly<Record<string, () => Promise<Demo>>> = {
  database: async () => (await import('./database/demo')).databaseDemo,
  nats: async () => (await import('./nats/demo')).natsDemo,
  redis: async () => (await import('./redis/demo')).redisDemo,
  mysql: async () => (await import('./mysql/demo')).mysqlDemo,
  tls: async () => (await import('./tls/demo')).tlsDemo,
};

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, short: { type: 'boolean', default: false } },
});
const [name = 'database', ...others] = positionals;
const load = Object.hasOwn(demos, name) && others.length === 0 ? demos[name] : undefined;
if (load === undefined) {
  console.error(`Unknown demo "${positionals.join(' ')}". Use one of: ${Object.keys(demos).join(', ')}.`);
  process.exit(1);
}

// End this process if the tsx process that started it is killed. The timer also keeps the process alive while the demo
// cleans up, because the handles that it waits for do not.
const parent = process.ppid;
const guard = setInterval(() => process.ppid !== parent && process.exit(1), 500);

const output = options.json ? process.stderr : process.stdout;
const progress = startProgress(output);
const color = output.isTTY === true && process.env.NO_COLOR === undefined;
const demo = await load();
const { figures, broken } = await demo({ short: options.short, color, progress });
for (const what of broken) progress.line(`  hot-secrets BROKE ITS PROMISE: ${what}`);
if (options.json) process.stdout.write(`${JSON.stringify(figures)}\n`);
clearInterval(guard);
process.exitCode = broken.length === 0 ? 0 : 1;
