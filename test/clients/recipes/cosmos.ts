import { CosmosClient } from '@azure/cosmos';
import type { Secrets } from '../measure';

export function useCosmos(secrets: Secrets, endpoint: string) {
  // #region recipe
  // The client keeps this object, and reads the key for each request.
  const options = {
    endpoint,
    get key() {
      return secrets.reveal('password');
    },
  };
  const cosmos = new CosmosClient(options);
  // #endregion
  return cosmos;
}
