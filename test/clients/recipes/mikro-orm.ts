import { type EntitySchema, MikroORM } from '@mikro-orm/postgresql';
import type { HotPool } from 'hot-secrets/pg';
import { PostgresDialect } from 'kysely';

export async function useMikroOrm(pool: HotPool, entities: EntitySchema[], dbName: string) {
  // #region recipe
  const orm = await MikroORM.init({ dbName, entities, driverOptions: new PostgresDialect({ pool }) });
  // #endregion
  return orm;
}
