import type { Client, Row, Secrets, Server } from '../measure';

/** A server with a table `entries` that its users may write. */
export interface EntryServer extends Server {
  /** Counts the rows of the table by whether their transaction was to be committed. */
  entries(): Promise<{ kept: number; dropped: number }>;
}

/** A client that writes a row in a transaction, which ends with a commit, or with a rollback because `fail` throws. */
export interface Writer {
  write(note: string, kept: boolean, fail: () => void): Promise<unknown>;
  close(): Promise<unknown>;
}

class Rollback extends Error {}

/** A row whose workers write in transactions. Every third one is rolled back. */
export function transactionsOn<S extends EntryServer>(
  row: Pick<Row<S>, 'server' | 'needs'>,
  start: (secrets: Secrets, server: S) => Promise<Writer> | Writer,
): Row<S> {
  return {
    ...row,
    async start(secrets, server) {
      const writer = await start(secrets, server);
      let committed = 0;
      return {
        async work(turn) {
          const kept = turn % 3 !== 2;
          try {
            await writer.write(`turn ${turn}`, kept, () => {
              if (!kept) throw new Rollback('rolled back');
            });
          } catch (error) {
            if (!isRollback(error)) throw error;
            return;
          }
          if (!kept) throw new Error('A transaction that failed was reported as committed.');
          committed += 1;
        },
        async check() {
          const { kept, dropped } = await server.entries();
          const problems: string[] = [];
          if (dropped > 0) problems.push(`${dropped} rollbacks were committed`);
          if (kept < committed) problems.push(`${committed - kept} commits were lost`);
          return problems;
        },
        close: () => writer.close(),
      } satisfies Client;
    },
  };
}

/** Some libraries wrap what a transaction throws. */
function isRollback(error: unknown): boolean {
  if (error instanceof Rollback) return true;
  const { cause, parent, original } = (error ?? {}) as Record<string, unknown>;
  return [cause, parent, original].some((inner) => inner instanceof Rollback);
}
