import { DataTypes } from 'sequelize';
import { useSequelize } from '../recipes/sequelize';
import { poolOf, transactions } from '../servers/postgres';

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
