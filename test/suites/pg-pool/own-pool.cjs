// Takes the place of pg-pool's `index.js`. Every option that a test passes goes through the recipe.
const { createPool } = require('hot-secrets/pg');
const pg = require('pg');

module.exports = function Pool(options, Client = pg.Client) {
  const recipe = (s) => ({ password: s.reveal('password'), ...options });
  return createPool(globalThis.suiteSecrets, recipe, { pg: { Pool: pg.Pool, Client } });
};
