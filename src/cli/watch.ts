import type { SecretsError } from '../errors';
import type { OpenOptions } from '../store/types';
import { type Output, printable, status } from './output';
import { openStore, parseStoreArgs } from './service';

/** One line of `watch`: names, versions and sources, never a value. */
type Line = { readonly event: string } & Readonly<Record<string, unknown>>;

/** `hot-secrets watch`: prints what happens until the user ends it. */
export async function watch(args: string[], output: Output): Promise<number> {
  const values = parseStoreArgs(args);
  const print = (line: Line) => {
    const time = new Date();
    if (values.json) output.write(`${JSON.stringify({ time: time.toISOString(), ...line })}\n`);
    else output.write(`${time.toTimeString().slice(0, 8)} ${printable(sentence(line))}\n`);
  };
  const store = await openStore(values, listeners(print));
  const { secrets, sources } = store.report();
  print({
    event: 'open',
    generation: store.generation,
    secrets: secrets.map(({ name, source, version }) => ({ name, source, version })),
    sources: sources.map(({ source, location, status: state }) => ({ source, location, status: state })),
  });
  await untilAborted(output.signal);
  await store.close();
  return status.ok;
}

function listeners(print: (line: Line) => void): NonNullable<OpenOptions['on']> {
  const problem = (event: string) => (error: SecretsError) => {
    const { code, message, secret, source, resource } = error;
    print({ event, code, message, secret, source, resource });
  };
  return {
    change: ({ generation, trigger, changes }) => {
      // The first generation is a part of `open`.
      if (trigger !== 'open') print({ event: 'change', generation, trigger, changes });
    },
    error: problem('error'),
    recovered: problem('recovered'),
    expiring: (expiring) => print({ event: 'expiring', ...expiring }),
    close: ({ generation }) => print({ event: 'close', generation }),
  };
}

interface Change {
  readonly name: string;
  readonly kind: string;
  readonly source: string;
  readonly version?: string;
  readonly previousVersion?: string;
}

function sentence({ event, ...line }: Line): string {
  switch (event) {
    case 'open': {
      const names = (line.secrets as readonly Change[]).map(
        ({ name, source }) => `${name} (${source ?? 'no source'})`,
      );
      return `open, generation ${line.generation}: ${names.join(', ') || 'no secrets yet'}`;
    }
    case 'change': {
      const changes = (line.changes as readonly Change[]).map(changeOf).join(', ');
      return `generation ${line.generation} (${line.trigger}): ${changes}`;
    }
    case 'expiring': {
      const left = Math.floor(Number(line.daysLeft));
      return `expiring: ${line.name} (${line.subject}) in ${left} days`;
    }
    case 'recovered':
      return `recovered ${line.code}: ${line.secret ?? line.source ?? line.resource ?? ''}`;
    case 'close':
      return `closed at generation ${line.generation}`;
    default:
      return `${event} ${line.code}: ${line.message}`;
  }
}

function changeOf({ name, kind, source, version, previousVersion }: Change): string {
  const versions = [previousVersion, version]
    .filter((one) => one !== undefined)
    .map((one) => one.slice(0, 8));
  return `${name} ${kind} (${source}${versions.length === 0 ? '' : `, ${versions.join(' → ')}`})`;
}

/** The timers of a store do not keep the process alive. */
function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const alive = setInterval(() => {}, 60_000);
    signal.addEventListener(
      'abort',
      () => {
        clearInterval(alive);
        resolve();
      },
      { once: true },
    );
  });
}
