import { AzureNamedKeyCredential } from '@azure/core-auth';
import { ServiceBusClient } from '@azure/service-bus';
import type { Secrets } from '../measure';

export function useServiceBus(secrets: Secrets, namespace: string) {
  // #region recipe
  const key = new AzureNamedKeyCredential(secrets.reveal('user'), secrets.reveal('password'));
  secrets.on('change', () => {
    const s = secrets.snapshot();
    key.update(s.reveal('user'), s.reveal('password'));
  });
  const bus = new ServiceBusClient(namespace, key);
  // #endregion
  return bus;
}
