import { DataTypes } from 'sequelize';
import { useSequelize } from '../recipes/sequelize-mysql';
import { poolOf, transactions } from '../servers/mysql';

export const row = transactions((secrets, server) => {
  const sequelize = useSequelize(poolOf(secrets, server));
  const Entry = sequelize.define(
    'entries',
    { note: DataTypes.TEXT, kept: DataTypes.BOOLEAN },
    { timestamps: false },
  );
  return {
    write: (note, kept, fail) =>
      sequelize.transaction(async (transaction) => {
        await Entry.create({ note, kept }, { transaction });
        fail();
      }),
    close: () => sequelize.close(),
  };
});
