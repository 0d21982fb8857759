import { createDriverFactory } from '@slonik/driver';
import type { HotPool } from 'hot-secrets/pg';
import type { PoolClient } from 'pg';
import { createPool } from 'slonik';

export async function useSlonik(pool: HotPool) {
  // #region recipe
  // A connection of Slonik borrows one of the pool, from its first query until Slonik releases it.
  const driverFactory = createDriverFactory(async () => ({
    async createPoolClient({ clientEventEmitter }) {
      let client: PoolClient | undefined;
      const giveBack = () => {
        client?.release();
        client = undefined;
      };
      clientEventEmitter.on('release', giveBack);
      return {
        async connect() {},
        async end() {
          giveBack();
        },
        async query(sql, values) {
          client ??= await pool.connect();
          const { command, fields, rowCount, rows } = await client.query(sql, values as unknown[]);
          const named = fields.map(({ dataTypeID, name }) => ({ dataTypeId: dataTypeID, name }));
          return { command: command as 'SELECT', fields: named, rowCount, rows };
        },
        stream() {
          throw new Error('Stream with pg-query-stream, on a client of the pool.');
        },
      };
    },
  }));
  const slonik = await createPool('postgres://', { driverFactory, maximumPoolSize: 10 });
  // #endregion
  return slonik;
}
