import { usePrisma } from '../recipes/prisma';
import { addressOf, transactions } from '../servers/postgres';

export const row = transactions((secrets, server) => {
  const { prisma, pool } = usePrisma(secrets, { ...addressOf(server), max: 10, maxUses: 50 });
  return {
    write: (note, kept, fail) =>
      prisma.$transaction(
        async (tx) => {
          await tx.entry.create({ data: { note, kept } });
          fail();
        },
        // On a slow machine, all workers wait for ten connections.
        { maxWait: 60_000, timeout: 60_000 },
      ),
    async close() {
      await prisma.$disconnect();
      if (!pool.ended) await pool.end();
    },
  };
});
