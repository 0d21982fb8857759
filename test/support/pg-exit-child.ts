import { mountedFiles, SecretStore } from 'hot-secrets';
import { createPool } from 'hot-secrets/pg';

// Never closes the store or the pool.
const [path = '', server = '{}'] = process.argv.slice(2);
const secrets = await SecretStore.open({
  secrets: { user: 'user', password: 'password' },
  sources: [mountedFiles(path)],
});
const pool = createPool(secrets, (s) => ({
  ...JSON.parse(server),
  user: s.reveal('user'),
  password: s.reveal('password'),
  allowExitOnIdle: true,
}));
await Promise.all([pool.query('select 1'), pool.query('select 2'), pool.query('select 3')]);
console.log('done');
