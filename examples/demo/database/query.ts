import type { Pool } from 'pg';

const QUERY = 'select pg_sleep(0.02)';

/** Runs a query. With `close`, on a connection that it closes afterwards. */
export async function query(pool: Pool, close: boolean): Promise<void> {
  if (!close) {
    await pool.query(QUERY);
    return;
  }
  const client = await pool.connect();
  try {
    await client.query(QUERY);
  } finally {
    client.release(true);
  }
}
