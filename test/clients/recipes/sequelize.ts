import type { HotPool } from 'hot-secrets/pg';
import { Sequelize } from 'sequelize';

export function useSequelize(pool: HotPool) {
  // #region recipe
  const sequelize = new Sequelize({ dialect: 'postgres', logging: false });
  Object.assign(sequelize.connectionManager, {
    getConnection: () => pool.connect(),
    releaseConnection: (client: { release(): void }) => client.release(),
    close: () => pool.end(),
  });
  // #endregion
  return sequelize;
}
