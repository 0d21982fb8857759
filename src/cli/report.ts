import { styleText } from 'node:util';
import { type MigratedSecret, type Migration, migrationOf } from '../doctor/migration';
import { isSecretsError } from '../errors';
import { type Output, printable, status } from './output';
import { openStore, parseStoreArgs } from './service';

/** `hot-secrets report`: which source serves each secret, and whether the migration is done. */
export async function report(args: string[], output: Output): Promise<number> {
  const values = parseStoreArgs(args);
  // Problems are not what this command is about, and would be process warnings without a listener.
  const store = await openStore(values, { error: () => {}, expiring: () => {} }).catch((error: unknown) => {
    if (values.json && isSecretsError(error)) {
      output.write(`${JSON.stringify({ version: 1, done: false, error }, null, 2)}\n`);
    }
    throw error;
  });
  const migration = migrationOf(store);
  await store.close();
  if (values.json) output.write(`${JSON.stringify({ version: 1, ...migration }, null, 2)}\n`);
  else output.write(`${lines(migration, output).join('\n')}\n`);
  return migration.done ? status.ok : status.attention;
}

function lines({ secrets, done, removable, unknown }: Migration, { colors }: Output): string[] {
  const width = Math.max(0, ...secrets.map(({ name }) => printable(name).length));
  const rows = secrets.map((one) => `${printable(one.name).padEnd(width)}  ${printable(rowOf(one))}`);
  const left = secrets.filter(({ status: is }) => is === 'environment' || is === 'missing');
  const reason =
    secrets.length === 0
      ? 'there is nothing to judge. Pass --store with the declared secrets of the service.'
      : `${counted(left.length)} left (${left.map(({ name }) => printable(name)).join(', ')}).`;
  const verdict = done
    ? colored('green', 'The migration is done: no secret comes from the environment.')
    : colored('yellow', `The migration is not done: ${reason}`);
  return [
    ...(rows.length === 0 ? ['No source has any secret.'] : rows),
    '',
    verdict,
    ...(removable.length === 0
      ? []
      : [`May be deleted once nothing else reads them: ${removable.map(printable).join(', ')}`]),
    ...(unknown.length === 0
      ? []
      : [`Variables that look like secrets, but are not declared: ${unknown.map(printable).join(', ')}`]),
  ];

  function colored(color: 'green' | 'yellow', text: string): string {
    return colors ? styleText(color, text) : text;
  }
}

function rowOf({ status: is, source, place, passed }: MigratedSecret): string {
  if (is === 'absent') return 'absent (optional)';
  if (is === 'missing') return 'missing';
  const before = passed.map((one) => `${one.source} has no ${one.looked}`).join(', ');
  return `${source}  ${place ?? ''}${before === '' ? '' : `  (fallback: ${before})`}`;
}

function counted(count: number): string {
  return count === 1 ? '1 secret' : `${count} secrets`;
}
