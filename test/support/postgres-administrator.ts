import pg from 'pg';

// Public methods of pg that its types leave out.
type AdminClient = pg.Client & { ref(): void; unref(): void };

/** Runs statements over one connection, which holds no process between them and is made anew when it was lost. */
export function administrator(config: pg.ClientConfig) {
  let connected: Promise<AdminClient> | undefined;
  let running = 0;
  const connect = async () => {
    const client = new pg.Client(config) as AdminClient;
    // The server may be stopped under an idle connection.
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
      // Who waits for the end is to get there: unreferenced, it would let the process go first.
      client?.ref();
      await client?.end().catch(() => {});
    },
  };
}
