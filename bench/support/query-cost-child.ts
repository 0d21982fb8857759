// Prints the processor time of a query through createPool and through pg.Pool, in µs, round by round. Arguments: the options of
// the pool as JSON, and the number of rounds.
import pg from 'pg';
import { createPool, memory, SecretStore } from './built';
import { alternate } from './statistics';

const QUERIES_PER_ROUND = 400;
const WARM_UP_ROUNDS = 20;

const [json = '{}', rounds] = process.argv.slice(2);
const { password, ...options } = JSON.parse(json) as pg.PoolConfig & { password: string };
const store = await SecretStore.open({ secrets: { password: 'password' }, sources: [memory({ password })] });
const pools = {
  ours: createPool(store, (s) => ({ ...options, password: s.reveal('password') })),
  plain: new pg.Pool({ ...options, password }),
};
const queries = (pool: pg.Pool) => async () => {
  const before = process.cpuUsage();
  for (let sent = 0; sent < QUERIES_PER_ROUND; sent += 4) {
    await Promise.all([0, 1, 2, 3].map((index) => pool.query('select $1::int', [index])));
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / QUERIES_PER_ROUND;
};
const sides = { ours: queries(pools.ours), plain: queries(pools.plain) };
await alternate(WARM_UP_ROUNDS, sides);
console.log(JSON.stringify(await alternate(Number(rounds), sides)));
await Promise.all([pools.ours.end(), pools.plain.end()]);
await store.close();
