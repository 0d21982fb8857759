import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { describe, expect, it, onTestFinished } from 'vitest';
import { childFile } from '../support/child-file';
import { startPostgres } from '../support/postgres';
import { waitFor } from '../support/wait-for';

const CHILD = fileURLToPath(new URL('../support/postgres-binaries/start-and-wait.ts', import.meta.url));

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

describe('the test server of startPostgres()', () => {
  it('accepts the right password and refuses a wrong one', async () => {
    await using server = await startPostgres({ maxConnections: 17 });
    await server.query(`create role app login password 'right'`);
    const { host, port, database } = server;

    const right = new pg.Client({ host, port, database, user: 'app', password: 'right' });
    await right.connect();
    expect((await right.query('show max_connections')).rows).toEqual([{ max_connections: '17' }]);
    await right.end();

    const wrong = new pg.Client({ host, port, database, user: 'app', password: 'wrong' });
    await expect(wrong.connect()).rejects.toMatchObject({ code: '28P01' });
  });

  it('passes on its log, and may be stopped again', async () => {
    const lines: string[] = [];
    const server = await startPostgres({ onLog: (line) => lines.push(line) });
    await expect(server.query('select nonsense')).rejects.toMatchObject({ code: '42703' });
    // The log arrives through a separate pipe, before or after the answer.
    await waitFor(() => lines.join('\n').includes('nonsense'));

    await Promise.all([server.stop(), server.stop()]);
    await server.stop();
    expect(await accepts(server.port)).toBe(false);
  });

  it('stops PostgreSQL when the process that started it is killed', async () => {
    const child = spawn(process.execPath, [childFile(CHILD)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const { port } = JSON.parse(line) as { port: number };
    expect(await accepts(port)).toBe(true);

    child.kill('SIGKILL');
    await waitFor(async () => !(await accepts(port)));
  });
});
