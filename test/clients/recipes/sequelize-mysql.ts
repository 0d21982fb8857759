import type { HotPool } from 'hot-secrets/mysql2';
import { Sequelize } from 'sequelize';

export function useSequelize(pool: HotPool) {
  // #region recipe
  const sequelize = new Sequelize({ dialect: 'mysql', logging: false });
  Object.assign(sequelize.connectionManager, {
    getConnection: async () => (await pool.promise().getConnection()).connection,
    releaseConnection: (connection: { release(): void }) => connection.release(),
    close: () => pool.promise().end(),
  });
  // #endregion
  return sequelize;
}
