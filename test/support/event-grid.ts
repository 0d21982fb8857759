/** The vault of the samples. */
export const VAULT =
  '/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333/resourceGroups/sample-rg/providers/Microsoft.KeyVault/vaults/sample-kv';

const data = {
  Id: 'https://sample-kv.vault.azure.net/secrets/newsecret/ee059b2bb5bc48398a53b168c6cdcb10',
  VaultName: 'sample-kv',
  ObjectType: 'Secret',
  // The documented sample contains both blanks.
  'ObjectName ': 'newsecret',
  Version: ' ee059b2bb5bc48398a53b168c6cdcb10',
  NBF: '1559081980',
  EXP: '1559082102',
};

/**
 * The documented sample of the Event Grid schema, with a subscription id.
 * https://learn.microsoft.com/azure/event-grid/event-schema-key-vault
 */
export const gridSample = {
  id: '00eccf70-95a7-4e7c-8299-2eb17ee9ad64',
  topic: VAULT,
  subject: 'newsecret',
  eventType: 'Microsoft.KeyVault.SecretNewVersionCreated',
  eventTime: '2019-07-25T01:08:33.1036736Z',
  data,
  dataVersion: '1',
  metadataVersion: '1',
};

/** The documented sample of the CloudEvents 1.0 schema, from the same page. */
export const cloudSample = {
  id: '00eccf70-95a7-4e7c-8299-2eb17ee9ad64',
  source: VAULT,
  subject: 'newsecret',
  type: 'Microsoft.KeyVault.SecretNewVersionCreated',
  time: '2019-07-25T01:08:33.1036736Z',
  data,
  specversion: '1.0',
};

/** The documented sample of https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema */
export const validationSample = {
  id: '2d1781af-3a4c-4d7c-bd0c-e34b19da4e66',
  topic: '/subscriptions/xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx',
  subject: '',
  data: {
    validationCode: '512d38b6-c7b8-40c8-89fe-f46f9e9622b6',
    validationUrl:
      'https://rp-eastus2.eventgrid.azure.net:553/eventsubscriptions/estest/validate?id=512d38b6-c7b8-40c8-89fe-f46f9e9622b6&t=2018-04-26T20:30:54.4538837Z&apiVersion=2018-05-01-preview&token=1A1A1A1A',
  },
  eventType: 'Microsoft.EventGrid.SubscriptionValidationEvent',
  eventTime: '2018-01-25T22:12:19.4556811Z',
  metadataVersion: '1',
  dataVersion: '1',
};

/** A request as Event Grid sends it. */
export function delivery(
  body: unknown,
  { contentType = 'application/json; charset=utf-8', headers = {}, url = 'https://shop.example/hooks' } = {},
): Request {
  return new Request(url, {
    method: 'POST',
    headers: { 'content-type': contentType, 'aeg-event-type': 'Notification', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}
