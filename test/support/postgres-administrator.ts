import pg from 'pg';

// Public methods of pg that are missing in its types.
type AdminClient = pg.Client & { ref(): void; unref(): void };

/** Runs statements over one connection. It reconnects after a loss, and keeps no process alive while idle. */
export function administrator(config: pg.ClientConfig) {
  let connected: Promise<AdminClient> | undefined;
  let running = 0;
  const connect = async () => {
    const client = new pg.Client(config) as AdminClient;
    // The server may stop while the connection is idle.
    client.on('error', () => {
      connected = undefined;
    });
    await client.connect();
    return client;
  };
  return {
    async query<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]) {
      connected ??= connect().catch((error: unknown) => {
        connected = undefined;
        throw error;
      });
      const client = await connected;
      running += 1;
      client.ref();
      try {
        return await client.query<Row>(sql, values);
      } finally {
        running -= 1;
        if (running === 0) client.unref();
      }
    },
    async end() {
      const client = await connected?.catch(() => undefined);
      // Keeps the process alive until the connection has ended.
      client?.ref();
      await client?.end().catch(() => {});
    },
  };
}
