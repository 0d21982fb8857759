import { createRequire } from 'node:module';
import { PrismaPg } from '@prisma/adapter-pg';
import { createPool } from 'hot-secrets/pg';
import type { PoolConfig } from 'pg';
import { PrismaClient } from '../generated/prisma/client';
import type { Secrets } from '../measure';

export function usePrisma(secrets: Secrets, address: PoolConfig) {
  // #region recipe
  // The adapter recognizes a pool by its own copy of pg.
  const pg = createRequire(import.meta.resolve('@prisma/adapter-pg'))('pg');
  const pool = createPool(
    secrets,
    (s) => ({ ...address, user: s.reveal('user'), password: s.reveal('password') }),
    { pg },
  );
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  // #endregion
  return { prisma, pool };
}
